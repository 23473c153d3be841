#include "convert/recentre.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/session.h"

static const jl_tensor *find(const jl_tensor *tensors, size_t count, jl_str name)
{
    for (size_t k = 0; k < count; k++)
        if (jl_str_is(name, tensors[k].name)) return &tensors[k];
    return NULL;
}

/* Means of the output for each sample. */
static int run_samples(jl_session *session, const jl_samples *samples, const jl_observed *wanted,
                       jl_tensor *inputs, double *each, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < samples->count; i++) {
        const jl_tensor *outputs, *t = NULL;
        size_t count;
        rc = samples->get(samples->ctx, i, inputs, err);
        if (!rc) rc = jl_session_run(session, inputs, &outputs, &count, err);
        if (!rc) t = find(outputs, count, wanted->name);
        int axis = !t ? -1 : wanted->axis < 0 ? t->rank + wanted->axis : wanted->axis;
        if (!rc && (!t || t->dtype != JL_FLOAT || axis < 0 || axis >= t->rank ||
                    (size_t)t->dims[axis] != wanted->channels))
            rc = jl_fail(err, JL_ERR_FORMAT, "the quantised model has no output '%.*s' as before",
                         JL_FMT(wanted->name));
        if (!rc) jl_add_means(t, (size_t)axis, 1, each + i * wanted->channels);
    }
    return rc;
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

int jl_mean_error(const char *path, const jl_samples *samples, const jl_observed *wanted,
                  double *shift, jl_error *err)
{
    jl_session *session = NULL;
    JL_OWNED jl_tensor *inputs = calloc(samples->inputs + 1, sizeof *inputs);
    JL_OWNED double *each = calloc(samples->count * wanted->channels + 1, sizeof *each);
    if (!inputs || !each) return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
    int rc = samples->get(samples->ctx, 0, inputs, err);
    if (!rc) rc = jl_session_open("ort-cpu/int8", path, inputs, samples->inputs, &session, err);
    if (!rc) rc = run_samples(session, samples, wanted, inputs, each, err);
    if (!rc) shrink(each, wanted, samples->count, shift);
    jl_session_close(session);
    return rc;
}
