#include "base/memory.h"
#include "convert/calibrate.h"
#include "convert/extremes.h"
#include "convert/histogram.h"
#include "convert/means.h"
#include "convert/passes.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* What one caller saw of a value. */
typedef struct seen {
    size_t samples;
    float low, high;
    double *means;           /* sums over its samples; NULL: none wanted */
    jl_histogram *histogram; /* NULL for MinMax */
} seen;

typedef struct calibration {
    const jl_quantize_options *options;
    jl_arena *arena;
    pthread_mutex_t lock; /* of the arena, and of what the values share */
    jl_observed *values;
    seen *seen; /* callers x values */
    size_t count, callers, samples;
} calibration;

/* Memory for the means of a value, when it comes to a caller for the first time. */
static int make_means(calibration *c, jl_observed *v, seen *s, size_t channels, jl_error *err)
{
    pthread_mutex_lock(&c->lock);
    if (!v->channels) v->channels = channels;
    s->means = jl_arena_array(c->arena, channels + 1, sizeof *s->means);
    if (v->keep_each && !v->each)
        v->each = jl_arena_array(c->arena, channels * c->samples + 1, sizeof *v->each);
    bool memory = s->means && (!v->keep_each || v->each);
    pthread_mutex_unlock(&c->lock);
    return memory ? 0 : jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
}

static int add_to_means(calibration *c, jl_observed *v, seen *s, size_t sample, const jl_tensor *t,
                        jl_error *err)
{
    int axis = v->axis < 0 ? t->rank + v->axis : v->axis;
    if (axis < 0 || axis >= t->rank) return 0;
    size_t channels = (size_t)t->dims[axis];
    int rc = s->means ? 0 : make_means(c, v, s, channels, err);
    if (rc) return rc;
    if (channels != v->channels)
        return jl_fail(err, JL_ERR_FORMAT, "'%.*s' changes its shape between samples",
                       JL_FMT(v->name));
    jl_add_means(t, (size_t)axis, s->means);
    if (v->keep_each) jl_add_means(t, (size_t)axis, v->each + sample * channels);
    return 0;
}

static int look(const jl_pass *pass, size_t index, const jl_tensor *t, jl_error *err)
{
    calibration *c = pass->ctx;
    jl_observed *v = &c->values[index];
    seen *s = &c->seen[pass->caller * c->count + index];
    const float *x = t->data;
    size_t n = t->size_bytes / sizeof *x;
    float low, high;
    if (t->dtype != JL_FLOAT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "'%.*s' is %s, not float", JL_FMT(v->name),
                       jl_dtype_name(t->dtype));
    if (n == 0) return 0;
    if (!jl_extremes(x, n, &low, &high))
        return jl_fail(err, JL_ERR_FORMAT, "'%.*s' is NaN or infinite on the samples",
                       JL_FMT(v->name));
    s->low = s->samples ? fminf(s->low, low) : low;
    s->high = s->samples ? fmaxf(s->high, high) : high;
    s->samples++;
    if (s->histogram) jl_histogram_add(s->histogram, x, n, fmaxf(-low, high));
    return v->axis == JL_NO_MEANS ? 0 : add_to_means(c, v, s, pass->sample, t, err);
}

static int allocate(calibration *c, jl_error *err)
{
    bool histograms = c->options->calibration != JL_CALIBRATE_MINMAX;
    size_t n = c->callers * c->count;
    c->seen = calloc(n + 1, sizeof *c->seen);
    bool ok = c->seen != NULL;
    for (size_t i = 0; ok && histograms && i < n; i++)
        ok = (c->seen[i].histogram = calloc(1, sizeof(jl_histogram))) != NULL;
    return ok ? 0 : jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
}

/* Joins into the first caller's what the others saw of a value. */
static int join(calibration *c, size_t index, jl_error *err)
{
    jl_observed *v = &c->values[index];
    seen *all = &c->seen[index];
    for (size_t k = 1; k < c->callers; k++) {
        const seen *s = &c->seen[k * c->count + index];
        if (!s->samples) continue;
        all->low = all->samples ? fminf(all->low, s->low) : s->low;
        all->high = all->samples ? fmaxf(all->high, s->high) : s->high;
        all->samples += s->samples;
        if (all->histogram) jl_histogram_join(all->histogram, s->histogram);
        if (!all->means) all->means = s->means;
        for (size_t i = 0; s->means && all->means != s->means && i < v->channels; i++)
            all->means[i] += s->means[i];
    }
    if (!all->samples)
        return jl_fail(err, JL_ERR_FORMAT, "the runtime did not compute an element of '%.*s'",
                       JL_FMT(v->name));
    for (size_t i = 0; all->means && i < v->channels; i++)
        all->means[i] /= (double)all->samples;
    v->means = all->means;
    v->range = (jl_range){all->low, all->high};
    if (c->options->calibration == JL_CALIBRATE_PERCENTILE)
        jl_histogram_percentile(all->histogram, c->options->percentile, &v->range.low,
                                &v->range.high);
    if (c->options->calibration == JL_CALIBRATE_ENTROPY)
        jl_histogram_entropy(all->histogram, &v->range.low, &v->range.high);
    return 0;
}

int jl_calibrate(jl_edit *e, jl_observed *values, size_t count, const char *scratch,
                 const jl_samples *samples, const jl_quantize_options *options, jl_error *err)
{
    calibration c = {.options = options,
                     .arena = e->arena,
                     .values = values,
                     .count = count,
                     .callers = jl_pass_callers(samples->count),
                     .samples = samples->count};
    JL_OWNED jl_str *names = calloc(count + 1, sizeof *names);
    if (!names) return jl_fail(err, JL_ERR_MEMORY, "out of memory while calibrating");
    for (size_t i = 0; i < count; i++)
        names[i] = values[i].name;
    pthread_mutex_init(&c.lock, NULL);
    jl_watched *model = NULL;
    int rc = allocate(&c, err);
    if (!rc) rc = jl_pass_open(e, names, count, scratch, &model, err);
    if (!rc) rc = jl_pass_samples(model, samples, NULL, samples->count, look, &c, err);
    jl_watched_close(model);
    for (size_t i = 0; !rc && i < count; i++)
        rc = join(&c, i, err);
    pthread_mutex_destroy(&c.lock);
    for (size_t i = 0; c.seen && i < c.callers * count; i++)
        free(c.seen[i].histogram);
    free(c.seen);
    return rc;
}
