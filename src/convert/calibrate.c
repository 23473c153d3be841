#include "base/memory.h"
#include "convert/calibrate.h"
#include "convert/observe.h"
#include "convert/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HALF_BINS = 2048, BINS = 2 * HALF_BINS, LEVELS = 128 };

typedef struct histogram {
    float top; /* the bins span [-top, top); 0: nothing yet */
    uint64_t *bins;
} histogram;

/* Twice the span, half the resolution: neighbours join. */
static void widen(histogram *h)
{
    uint64_t *b = h->bins;
    for (int i = 0; i < HALF_BINS / 2; i++) {
        b[HALF_BINS + i] = b[HALF_BINS + 2 * i] + b[HALF_BINS + 2 * i + 1];
        b[HALF_BINS - 1 - i] = b[HALF_BINS - 1 - 2 * i] + b[HALF_BINS - 2 - 2 * i];
    }
    memset(b, 0, HALF_BINS / 2 * sizeof *b);
    memset(b + HALF_BINS + HALF_BINS / 2, 0, HALF_BINS / 2 * sizeof *b);
    h->top *= 2;
}

static void add_to_histogram(histogram *h, const float *x, size_t n, float low, float high)
{
    float most = fmaxf(-low, high);
    if (most == 0 && h->top == 0) return;
    if (h->top == 0) h->top = most * 1.0001f;
    while (h->top <= most)
        widen(h);
    float scale = (float)HALF_BINS / h->top;
    for (size_t i = 0; i < n; i++) {
        int bin = HALF_BINS + (int)floorf(x[i] * scale);
        h->bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    }
}

static void by_percentile(const histogram *h, double percentile, jl_range *r)
{
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < BINS; i++)
        total += h->bins[i];
    double out = (1 - percentile / 100) * (double)total, width = (double)h->top / HALF_BINS;
    int low = 0, high = BINS - 1;
    while (low < BINS - 1 && (double)(sum + h->bins[low]) <= out)
        sum += h->bins[low++];
    sum = 0;
    while (high > low && (double)(sum + h->bins[high]) <= out)
        sum += h->bins[high--];
    r->low = fmaxf(r->low, (float)((low - HALF_BINS) * width));
    r->high = fminf(r->high, (float)((high + 1 - HALF_BINS) * width));
}

/* Divergence of the first `kept` bins, the rest clipped onto the last of them, from the same
 * written with LEVELS levels. */
static double divergence(const double *p, int kept, double clipped)
{
    double total = clipped, sum_q = 0, kl = 0;
    double q[HALF_BINS];
    for (int i = 0; i < kept; i++)
        total += p[i];
    for (int level = 0; level < LEVELS; level++) {
        int from = level * kept / LEVELS, to = (level + 1) * kept / LEVELS, used = 0;
        double mass = 0;
        for (int i = from; i < to; i++) {
            mass += p[i];
            used += p[i] > 0;
        }
        for (int i = from; i < to; i++)
            q[i] = p[i] > 0 ? mass / used : 0;
        sum_q += mass;
    }
    for (int i = 0; i < kept; i++) {
        double pi = (p[i] + (i == kept - 1 ? clipped : 0)) / total;
        if (pi > 0) kl += pi * log(pi / (q[i] > 0 ? q[i] / sum_q : 1e-10));
    }
    return kl;
}

static void by_entropy(const histogram *h, jl_range *r)
{
    double p[HALF_BINS], tail = 0, best = INFINITY;
    int kept = HALF_BINS;
    for (int i = 0; i < HALF_BINS; i++)
        p[i] = (double)(h->bins[HALF_BINS + i] + h->bins[HALF_BINS - 1 - i]);
    p[0] = p[1]; /* zeros say nothing about the range, and rectified values are full of them */
    for (int n = HALF_BINS; n >= LEVELS; n -= 16) {
        double d = divergence(p, n, tail);
        if (d < best) {
            best = d;
            kept = n;
        }
        for (int i = n - 16; i < n; i++)
            tail += p[i];
    }
    float threshold = h->top * (float)kept / HALF_BINS;
    r->low = fmaxf(r->low, -threshold);
    r->high = fminf(r->high, threshold);
}

typedef struct calibration {
    const jl_quantize_options *options;
    jl_arena *arena;
    jl_map places; /* value name to index */
    jl_observed *values;
    histogram *histograms; /* NULL for MinMax */
    bool *seen;
    size_t count, samples, sample; /* the one at hand */
} calibration;

/* Extremes, and whether every element is finite; in lanes, which compilers turn into vectors. */
static bool extremes(const float *x, size_t n, float *low, float *high)
{
    enum { LANES = 16 };
    size_t lanes = n < LANES ? n : LANES;
    float l[LANES], h[LANES], poison[LANES] = {0}; /* 0 until it meets a NaN or an infinity */
    for (int k = 0; k < LANES; k++)
        l[k] = h[k] = x[0];
    for (size_t i = 0; i < n; i += LANES) {
        size_t at = i + LANES <= n ? i : n < LANES ? 0 : n - LANES; /* the last ones twice */
        for (size_t k = 0; k < lanes; k++) {
            float v = x[at + k];
            l[k] = v < l[k] ? v : l[k];
            h[k] = v > h[k] ? v : h[k];
            poison[k] += v * 0;
        }
    }
    *low = l[0];
    *high = h[0];
    float sum = 0;
    for (int k = 0; k < LANES; k++) {
        *low = l[k] < *low ? l[k] : *low;
        *high = h[k] > *high ? h[k] : *high;
        sum += poison[k];
    }
    return sum == 0;
}

void jl_add_means(const jl_tensor *t, size_t axis, double share, double *means)
{
    size_t inner = 1, channels = (size_t)t->dims[axis], n = t->size_bytes / sizeof(float);
    for (size_t k = axis + 1; k < (size_t)t->rank; k++)
        inner *= (size_t)t->dims[k];
    const float *x = t->data;
    share *= (double)channels / (double)n;
    for (size_t i = 0; inner == 1 && i < n; i += channels)
        for (size_t k = 0; k < channels; k++)
            means[k] += (double)x[i + k] * share;
    for (size_t i = 0; inner > 1 && i < n; i += inner) {
        enum { LANES = 16 };
        float lanes[LANES] = {0}, sum = 0;
        size_t k = 0;
        for (; k + LANES <= inner; k += LANES)
            for (size_t j = 0; j < LANES; j++)
                lanes[j] += x[i + k + j];
        for (; k < inner; k++)
            sum += x[i + k];
        for (size_t j = 0; j < LANES; j++)
            sum += lanes[j];
        means[i / inner % channels] += (double)sum * share;
    }
}

static int add_to_means(calibration *c, jl_observed *v, const jl_tensor *t, jl_error *err)
{
    int axis = v->axis < 0 ? t->rank + v->axis : v->axis;
    if (axis < 0 || axis >= t->rank) return 0;
    size_t channels = (size_t)t->dims[axis];
    if (!v->means) {
        v->channels = channels;
        v->means = jl_arena_array(c->arena, channels + 1, sizeof *v->means);
        if (v->keep_each)
            v->each = jl_arena_array(c->arena, channels * c->samples + 1, sizeof *v->each);
        if (!v->means || (v->keep_each && !v->each))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
    }
    if (channels != v->channels)
        return jl_fail(err, JL_ERR_FORMAT, "'%s' changes its shape between samples", t->name);
    jl_add_means(t, (size_t)axis, 1 / (double)c->samples, v->means);
    if (v->keep_each) jl_add_means(t, (size_t)axis, 1, v->each + c->sample * channels);
    return 0;
}

static int observe(calibration *c, const jl_tensor *t, jl_error *err)
{
    uint32_t at = jl_map_get(&c->places, jl_str_c(t->name));
    if (at == JL_MAP_NONE) return 0;
    if (t->dtype != JL_FLOAT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "'%s' is %s, not float", t->name,
                       jl_dtype_name(t->dtype));
    const float *x = t->data;
    size_t n = t->size_bytes / sizeof *x;
    float low, high;
    if (n == 0) return 0;
    if (!extremes(x, n, &low, &high))
        return jl_fail(err, JL_ERR_FORMAT, "'%s' is NaN or infinite on the samples", t->name);
    jl_range *r = &c->values[at].range;
    r->low = c->seen[at] ? fminf(r->low, low) : low;
    r->high = c->seen[at] ? fmaxf(r->high, high) : high;
    c->seen[at] = true;
    if (c->histograms) add_to_histogram(&c->histograms[at], x, n, low, high);
    return c->values[at].axis == JL_NO_MEANS ? 0 : add_to_means(c, &c->values[at], t, err);
}

static int run_sample(calibration *c, jl_session *session, const jl_samples *samples, size_t i,
                      jl_tensor *inputs, jl_error *err)
{
    const jl_tensor *outputs;
    size_t count;
    int rc = samples->get(samples->ctx, i, inputs, err);
    c->sample = i;
    /* Inputs are no outputs: their ranges come from the samples themselves. */
    for (size_t k = 0; !rc && k < samples->inputs; k++)
        if (inputs[k].dtype == JL_FLOAT) rc = observe(c, &inputs[k], err);
    if (!rc) rc = jl_session_run(session, inputs, &outputs, &count, err);
    for (size_t k = 0; !rc && k < count; k++)
        rc = observe(c, &outputs[k], err);
    return rc;
}

static int run_samples(calibration *c, const char *model, const jl_samples *samples, jl_error *err)
{
    jl_session *session = NULL;
    JL_OWNED jl_tensor *inputs = calloc(samples->inputs + 1, sizeof *inputs);
    if (!inputs) return jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
    int rc = samples->get(samples->ctx, 0, inputs, err);
    if (!rc) rc = jl_session_open("ort-cpu/fp32", model, inputs, samples->inputs, &session, err);
    for (size_t i = 0; !rc && i < samples->count; i++)
        rc = run_sample(c, session, samples, i, inputs, err);
    jl_session_close(session);
    return rc;
}

static int allocate(calibration *c, jl_error *err)
{
    bool histograms = c->options->calibration != JL_CALIBRATE_MINMAX;
    size_t count = c->count;
    c->seen = calloc(count + 1, sizeof *c->seen);
    c->histograms = histograms ? calloc(count + 1, sizeof *c->histograms) : NULL;
    bool ok = c->seen && (!histograms || c->histograms);
    for (size_t i = 0; ok && i < count; i++) {
        ok = jl_map_set(&c->places, c->values[i].name, (uint32_t)i);
        if (ok && histograms) ok = (c->histograms[i].bins = calloc(BINS, sizeof(uint64_t))) != NULL;
    }
    return ok ? 0 : jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
}

static void release(calibration *c)
{
    for (size_t i = 0; c->histograms && i < c->count; i++)
        free(c->histograms[i].bins);
    free(c->histograms);
    free(c->seen);
    jl_map_free(&c->places);
}

int jl_calibrate(jl_edit *e, jl_observed *values, size_t count, const char *scratch,
                 const jl_samples *samples, const jl_quantize_options *options, jl_error *err)
{
    calibration c = {.options = options,
                     .arena = e->arena,
                     .values = values,
                     .count = count,
                     .samples = samples->count};
    jl_str *names = jl_arena_array(e->arena, count + 1, sizeof *names);
    if (!names) return jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
    for (size_t i = 0; i < count; i++)
        names[i] = values[i].name;
    int rc = allocate(&c, err);
    if (!rc) rc = jl_observe(e, names, NULL, count, scratch, err);
    onnx_release_pages(e->file);
    if (!rc) rc = run_samples(&c, scratch, samples, err);
    unlink(scratch);
    for (size_t i = 0; !rc && i < count; i++) {
        if (!c.seen[i])
            rc = jl_fail(err, JL_ERR_FORMAT, "the runtime did not return '%.*s'", JL_FMT(names[i]));
        else if (c.histograms && c.histograms[i].top > 0) {
            if (options->calibration == JL_CALIBRATE_PERCENTILE)
                by_percentile(&c.histograms[i], options->percentile, &values[i].range);
            else
                by_entropy(&c.histograms[i], &values[i].range);
        }
    }
    release(&c);
    return rc;
}
