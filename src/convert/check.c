#include "jouleline/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/first_bad.h"
#include "convert/session.h"
#include "jouleline/statistics.h"

enum { TOP = 5, MOST_KEPT_BYTES = 256 << 20 };

typedef struct side {
    jl_session *session;
    float *item; /* all outputs of the item, joined */
    size_t length, capacity;
    float *all; /* of every item compared, for the means; NULL when that is too much */
    size_t all_length;
    bool classes;
} side;

static int run_side(side *s, const jl_tensor *inputs, jl_error *err)
{
    const jl_tensor *outputs;
    size_t count;
    int rc = jl_session_run(s->session, inputs, &outputs, &count, err);
    s->length = 0;
    s->classes = !rc && count == 1 && outputs[0].rank == 2 && outputs[0].dims[0] == 1 &&
                 outputs[0].dims[1] > 1 && jl_dtype_is_float(outputs[0].dtype);
    for (size_t k = 0; !rc && k < count; k++) {
        size_t n = (size_t)jl_tensor_elements(&outputs[k]);
        if (s->length + n > s->capacity) {
            float *larger = realloc(s->item, (s->length + n) * sizeof *larger);
            if (!larger) return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
            s->item = larger;
            s->capacity = s->length + n;
        }
        rc = jl_tensor_floats(&outputs[k], s->item + s->length, err);
        s->length += n;
    }
    return rc;
}

/* The classes of the largest values, the largest first; NaN is never among them. */
static size_t first_answers(const float *x, size_t n, size_t top[TOP])
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        size_t at = count;
        while (at > 0 && x[i] > x[top[at - 1]])
            at--;
        if (at >= TOP) continue;
        if (count < TOP) count++;
        memmove(&top[at + 1], &top[at], (count - 1 - at) * sizeof *top);
        top[at] = i;
    }
    return count;
}

static bool same_set(const size_t *a, const size_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= a[i] == b[k];
        if (!found) return false;
    }
    return true;
}

static void compare_classes(jl_check *c, const side *a, const side *b, int64_t label)
{
    size_t x[TOP], y[TOP];
    size_t nx = first_answers(a->item, a->length, x), ny = first_answers(b->item, b->length, y);
    c->top1.n++;
    c->top5.n++;
    c->top1.count += nx && ny && x[0] == y[0];
    c->top5.count += nx == ny && nx && same_set(x, y, nx);
    if (label < 0) return;
    c->base_right.n++;
    c->new_right.n++;
    c->base_right.count += nx && x[0] == (size_t)label;
    c->new_right.count += ny && y[0] == (size_t)label;
}

static double cosine(const float *a, const float *b, const double *ma, const double *mb, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        double x = a[i] - (ma ? ma[i] : 0), y = b[i] - (mb ? mb[i] : 0);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : aa == bb ? 1 : 0;
}

static uint64_t count_bad(const side *s)
{
    uint64_t bad = 0;
    for (size_t i = 0; i < s->length; i++)
        bad += isfinite(s->item[i]) ? 0 : 1;
    return bad;
}

/* An item that is NaN or infinite somewhere has no distance; false then. */
static bool compare_values(jl_check *c, const side *a, const side *b)
{
    uint64_t base_bad = count_bad(a), new_bad = count_bad(b);
    c->base_bad += base_bad;
    c->new_bad += new_bad;
    if (base_bad || new_bad) return false;
    double error = 0, n = (double)++c->compared;
    for (size_t i = 0; i < a->length; i++) {
        double d = fabs((double)a->item[i] - b->item[i]);
        error += d;
        c->error_most = fmax(c->error_most, d);
    }
    double got = cosine(a->item, b->item, NULL, NULL, a->length);
    c->error_mean += (error / (double)a->length - c->error_mean) / n;
    c->cosine_mean += (got - c->cosine_mean) / n;
    c->cosine_least = fmin(c->cosine_least, got);
    return true;
}

/* The next of at most `items`, number `at`. */
static int keep_item(side *s, size_t at, size_t items, jl_error *err)
{
    size_t bytes = s->length * items * sizeof(float);
    if (at == 0 && bytes <= MOST_KEPT_BYTES) {
        s->all_length = s->length;
        if (!(s->all = malloc(bytes))) return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
    }
    if (s->all && s->length != s->all_length) { /* it depends on the data: there is no mean */
        free(s->all);
        s->all = NULL;
    }
    if (s->all) memcpy(s->all + at * s->length, s->item, s->length * sizeof(float));
    return 0;
}

static double centred(const side *a, const side *b, size_t items)
{
    if (!a->all || !b->all || !items) return NAN;
    size_t n = a->all_length;
    JL_OWNED double *ma = calloc(n, sizeof *ma), *mb = calloc(n, sizeof *mb);
    if (!ma || !mb) return NAN;
    for (size_t i = 0; i < items * n; i++) {
        ma[i % n] += a->all[i] / (double)items;
        mb[i % n] += b->all[i] / (double)items;
    }
    double sum = 0;
    for (size_t i = 0; i < items; i++)
        sum += cosine(a->all + i * n, b->all + i * n, ma, mb, n);
    return sum / (double)items;
}

static void close_share(jl_share *s)
{
    jl_value share;
    jl_interval interval;
    jl_wilson(s->count, s->n, 0.95, &share, &interval);
    s->low = interval.low;
    s->high = interval.high;
}

static int check_label(const side *s, bool classes, int64_t label, size_t item, jl_error *err)
{
    if (label < 0) return 0;
    if (!classes)
        return jl_fail(err, JL_ERR_USAGE,
                       "labels need models with one output of shape [batch, classes]");
    if ((uint64_t)label >= s->length)
        return jl_fail(err, JL_ERR_USAGE,
                       "the label %lld of item %zu is none of the models' %zu classes, which count "
                       "from 0",
                       (long long)label, item, s->length);
    return 0;
}

static int name_side(const jl_check_side *s, jl_error *err)
{
    return jl_prefix(err, "%s on %s", s->label ? s->label : s->model, s->configuration);
}

static int check_items(side sides[2], const jl_check_side *const what[2], const jl_samples *samples,
                       const int64_t *labels, const char *scratch, jl_tensor *inputs, jl_check *c,
                       jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < samples->count; i++) {
        int64_t label = labels ? labels[i] : -1;
        rc = samples->get(samples->ctx, i, inputs, err);
        for (int k = 0; !rc && k < 2; k++)
            if ((rc = run_side(&sides[k], inputs, err))) name_side(what[k], err);
        if (!rc && sides[0].length != sides[1].length)
            rc = jl_fail(err, JL_ERR_FORMAT, "the outputs differ in size: %zu and %zu elements",
                         sides[0].length, sides[1].length);
        if (!rc && !sides[0].length) rc = jl_fail(err, JL_ERR_FORMAT, "the models have no output");
        c->classes = sides[0].classes && sides[1].classes;
        if (!rc) rc = check_label(&sides[0], c->classes, label, i, err);
        if (rc) return rc;
        bool finite = compare_values(c, &sides[0], &sides[1]);
        for (int k = 0; !rc && finite && k < 2; k++)
            rc = keep_item(&sides[k], c->compared - 1, samples->count, err);
        if (c->classes) compare_classes(c, &sides[0], &sides[1], label);
        if (c->new_bad && !c->first_bad[0] && !c->no_place[0])
            jl_find_first_bad(what[1], inputs, samples->inputs, scratch, c);
        c->items++;
    }
    return rc;
}

int jl_check_run(const jl_check_side *base, const jl_check_side *other, const jl_samples *samples,
                 const int64_t *labels, const char *scratch, jl_check *c, jl_error *err)
{
    *c = (jl_check){.cosine_least = INFINITY};
    side sides[2] = {0};
    const jl_check_side *const what[2] = {base, other};
    char *emulated[2] = {c->base_emulated, c->new_emulated};
    if (!samples->count) return jl_fail(err, JL_ERR_USAGE, "a comparison needs at least one item");
    JL_OWNED jl_tensor *inputs = calloc(samples->inputs + 1, sizeof *inputs);
    if (!inputs) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    int rc = samples->get(samples->ctx, 0, inputs, err);
    for (int k = 0; !rc && k < 2; k++) {
        rc = jl_session_open(what[k]->configuration, what[k]->model, inputs, samples->inputs,
                             &sides[k].session, err);
        if (rc) name_side(what[k], err);
        if (!rc)
            jl_session_fact(sides[k].session, "emulated", emulated[k], sizeof c->base_emulated);
    }
    if (!rc) rc = check_items(sides, what, samples, labels, scratch, inputs, c, err);
    if (!rc) c->centred_cosine_mean = centred(&sides[0], &sides[1], c->compared);
    if (!c->compared) c->cosine_mean = c->cosine_least = c->error_mean = c->error_most = NAN;
    c->labelled = c->base_right.n > 0;
    jl_share *shares[] = {&c->top1, &c->top5, &c->base_right, &c->new_right};
    for (size_t k = 0; k < 4; k++)
        close_share(shares[k]);
    for (int k = 0; k < 2; k++) {
        jl_session_close(sides[k].session);
        free(sides[k].item);
        free(sides[k].all);
    }
    return rc;
}
