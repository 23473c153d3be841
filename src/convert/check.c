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
    float *all; /* of every item, for the means; NULL when that is too much */
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

static void compare_values(jl_check *c, const side *a, const side *b, size_t item)
{
    double error = 0, most = 0;
    uint64_t bad = c->new_bad;
    for (size_t i = 0; i < a->length; i++) {
        bool fine = isfinite(a->item[i]) && isfinite(b->item[i]);
        c->base_bad += isfinite(a->item[i]) ? 0 : 1;
        c->new_bad += isfinite(b->item[i]) ? 0 : 1;
        double d = fine ? fabs((double)a->item[i] - b->item[i]) : 0;
        error += d;
        most = fmax(most, d);
    }
    double got = bad == c->new_bad ? cosine(a->item, b->item, NULL, NULL, a->length) : 0;
    c->error_mean += (error / (double)a->length - c->error_mean) / (double)(item + 1);
    c->error_most = fmax(c->error_most, most);
    c->cosine_mean += (got - c->cosine_mean) / (double)(item + 1);
    c->cosine_least = item ? fmin(c->cosine_least, got) : got;
}

static int keep_item(side *s, size_t item, size_t items, jl_error *err)
{
    size_t bytes = s->length * items * sizeof(float);
    if (item == 0 && bytes <= MOST_KEPT_BYTES && !(s->all = malloc(bytes)))
        return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
    if (s->all) memcpy(s->all + item * s->length, s->item, s->length * sizeof(float));
    return 0;
}

/* NAN when the outputs were too many to keep. */
static double centred(const side *a, const side *b, size_t items)
{
    JL_OWNED double *ma = calloc(a->length, sizeof *ma), *mb = calloc(a->length, sizeof *mb);
    if (!a->all || !b->all || !ma || !mb) return NAN;
    for (size_t i = 0; i < items * a->length; i++) {
        ma[i % a->length] += a->all[i] / (double)items;
        mb[i % a->length] += b->all[i] / (double)items;
    }
    double sum = 0;
    for (size_t i = 0; i < items; i++)
        sum += cosine(a->all + i * a->length, b->all + i * a->length, ma, mb, a->length);
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

static int check_items(side sides[2], const jl_check_side *other, const jl_samples *samples,
                       const int64_t *labels, const char *scratch, jl_tensor *inputs, jl_check *c,
                       jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < samples->count; i++) {
        rc = samples->get(samples->ctx, i, inputs, err);
        for (int k = 0; !rc && k < 2; k++)
            rc = run_side(&sides[k], inputs, err);
        if (!rc && sides[0].length != sides[1].length)
            rc = jl_fail(err, JL_ERR_FORMAT, "the outputs differ in size: %zu and %zu elements",
                         sides[0].length, sides[1].length);
        if (!rc && !sides[0].length) rc = jl_fail(err, JL_ERR_FORMAT, "the models have no output");
        for (int k = 0; !rc && k < 2; k++)
            rc = keep_item(&sides[k], i, samples->count, err);
        if (rc) return rc;
        compare_values(c, &sides[0], &sides[1], i);
        c->classes = sides[0].classes && sides[1].classes;
        if (c->classes) compare_classes(c, &sides[0], &sides[1], labels ? labels[i] : -1);
        if (c->new_bad && !c->first_bad[0] && !c->no_place[0])
            jl_find_first_bad(other, inputs, samples->inputs, scratch, c);
        c->items++;
    }
    return rc;
}

int jl_check_run(const jl_check_side *base, const jl_check_side *other, const jl_samples *samples,
                 const int64_t *labels, const char *scratch, jl_check *c, jl_error *err)
{
    *c = (jl_check){0};
    side sides[2] = {0};
    const jl_check_side *what[2] = {base, other};
    if (!samples->count) return jl_fail(err, JL_ERR_USAGE, "a comparison needs at least one item");
    JL_OWNED jl_tensor *inputs = calloc(samples->inputs + 1, sizeof *inputs);
    if (!inputs) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    int rc = samples->get(samples->ctx, 0, inputs, err);
    for (int k = 0; !rc && k < 2; k++) {
        rc = jl_session_open(what[k]->configuration, what[k]->model, inputs, samples->inputs,
                             &sides[k].session, err);
        if (rc) jl_prefix(err, "%s on %s", what[k]->model, what[k]->configuration);
    }
    if (!rc) rc = check_items(sides, other, samples, labels, scratch, inputs, c, err);
    if (!rc) c->centred_cosine_mean = centred(&sides[0], &sides[1], c->items);
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
