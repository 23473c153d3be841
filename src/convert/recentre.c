#include "convert/recentre.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
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
    jl_add_means(t, (size_t)axis, 1, means);
    return 0;
}

static void shrink(const double *each, const jl_observed *wanted, size_t samples, double *shift)
{
    double n = (double)samples, d = 0, v = 0;
    for (size_t c = 0; c < wanted->channels; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < samples; i++) {
            double e = wanted->each[i * wanted->channels + c] - each[i * wanted->channels + c];
            sum += e;
            squares += e * e;
        }
        shift[c] = sum / n;
        d += shift[c] * shift[c];
        v += fmax(squares - sum * shift[c], 0) / (n * (n - 1));
    }
    double factor = d > v ? 1 - v / d : 0;
    for (size_t c = 0; c < wanted->channels; c++)
        shift[c] *= factor;
}

int jl_mean_error(jl_edit *e, const char *scratch, const jl_samples *samples,
                  const jl_observed *wanted, double *shift, jl_error *err)
{
    size_t n = samples->count * wanted->channels;
    JL_OWNED double *each = calloc(n + 1, sizeof *each);
    if (!each) return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
    for (size_t i = 0; i < n; i++)
        each[i] = NAN; /* until the output was seen */
    outputs o = {wanted, each};
    int rc = jl_pass_samples(e, &wanted->name, 1, scratch, samples, look, &o, err);
    for (size_t i = 0; !rc && i < n; i++)
        if (!isfinite(each[i]))
            rc = jl_fail(err, JL_ERR_FORMAT, "the quantised model did not compute '%.*s'",
                         JL_FMT(wanted->name));
    if (!rc) shrink(each, wanted, samples->count, shift);
    return rc;
}
