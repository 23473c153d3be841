#include "convert/recentre.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/means.h"
#include "convert/passes.h"

typedef struct outputs {
    const jl_observed *wanted;
    double *each; /* samples x channels: means of the output for each sample */
} outputs;

static int look(const jl_pass *pass, size_t index, const jl_tensor *t, jl_error *err)
{
    const outputs *o = pass->ctx;
    const jl_observed *w = o->wanted;
    int axis = w->axis < 0 ? t->rank + w->axis : w->axis;
    (void)index;
    if (t->dtype != JL_FLOAT || axis < 0 || axis >= t->rank || (size_t)t->dims[axis] != w->channels)
        return jl_fail(err, JL_ERR_FORMAT, "the quantised model has no output '%.*s' as before",
                       JL_FMT(w->name));
    double *means = o->each + pass->sample * w->channels;
    memset(means, 0, w->channels * sizeof *means);
    jl_add_means(t, (size_t)axis, means);
    return 0;
}

/* The mean error of each channel over samples with these numbers; *d: the sum of its squares, *v:
 * what chance contributes to that. */
static void mean_errors(const outputs *o, const size_t *numbers, size_t count, double *shift,
                        double *d, double *v)
{
    const jl_observed *w = o->wanted;
    double n = (double)count;
    *d = *v = 0;
    for (size_t c = 0; c < w->channels; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            size_t at = numbers[i] * w->channels + c;
            double e = w->each[at] - o->each[at];
            sum += e;
            squares += e * e;
        }
        shift[c] = sum / n;
        *d += shift[c] * shift[c];
        *v += fmax(squares - sum * shift[c], 0) / (n * (n - 1));
    }
}

static int run(jl_watched *model, outputs *o, const jl_samples *samples, const size_t *numbers,
               size_t count, jl_error *err)
{
    size_t channels = o->wanted->channels;
    for (size_t i = 0; i < count; i++)
        o->each[numbers[i] * channels] = NAN; /* until it was seen */
    int rc = jl_pass_samples(model, samples, numbers, count, look, o, err);
    for (size_t i = 0; !rc && i < count; i++)
        if (isnan(o->each[numbers[i] * channels]))
            rc = jl_fail(err, JL_ERR_FORMAT, "the quantised model did not compute '%.*s'",
                         JL_FMT(o->wanted->name));
    return rc;
}

/* All numbers below count: first JL_RECENTRE_LEAST that lie evenly among them. */
static void put_in_order(size_t *numbers, size_t count)
{
    size_t few = 0, rest = JL_RECENTRE_LEAST;
    for (size_t i = 0; i < count; i++)
        if (few < JL_RECENTRE_LEAST && i == few * count / JL_RECENTRE_LEAST)
            numbers[few++] = i;
        else
            numbers[rest++] = i;
}

int jl_mean_error(jl_edit *e, const char *scratch, const jl_samples *samples,
                  const jl_observed *wanted, double *shift, jl_error *err)
{
    enum { LEAST = JL_RECENTRE_LEAST };
    size_t n = samples->count;
    double d = 0, v = 0;
    JL_OWNED double *each = calloc(n * wanted->channels + 1, sizeof *each);
    JL_OWNED size_t *numbers = calloc(n + 1, sizeof *numbers);
    if (!each || !numbers) return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
    outputs o = {wanted, each};
    jl_watched *model = NULL;
    put_in_order(numbers, n);
    int rc = jl_pass_open(e, &wanted->name, 1, scratch, &model, err);
    if (!rc) rc = run(model, &o, samples, numbers, LEAST, err);
    if (!rc) mean_errors(&o, numbers, LEAST, shift, &d, &v);
    if (!rc && d > 2 * v && n > LEAST) {
        rc = run(model, &o, samples, numbers + LEAST, n - LEAST, err);
        if (!rc) mean_errors(&o, numbers, n, shift, &d, &v);
    }
    jl_watched_close(model);
    for (size_t c = 0; !rc && c < wanted->channels; c++)
        shift[c] *= d > v ? 1 - v / d : 0;
    return rc;
}
