#include "study/agreement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "study/tensors.h"

/* The n elements from `at` as doubles. */
static bool values(const jl_tensor *t, size_t at, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = at + i;
        switch (t->dtype) {
        case JL_FLOAT:
            to[i] = (double)((const float *)t->data)[k];
            break;
        case JL_DOUBLE:
            to[i] = ((const double *)t->data)[k];
            break;
        case JL_FLOAT16:
            to[i] = (double)jl_float_from_half(((const uint16_t *)t->data)[k]);
            break;
        case JL_BFLOAT16:
            to[i] = (double)jl_float_from_bf16(((const uint16_t *)t->data)[k]);
            break;
        case JL_INT64:
            to[i] = (double)((const int64_t *)t->data)[k];
            break;
        case JL_INT32:
            to[i] = (double)((const int32_t *)t->data)[k];
            break;
        case JL_INT16:
            to[i] = (double)((const int16_t *)t->data)[k];
            break;
        case JL_INT8:
            to[i] = (double)((const int8_t *)t->data)[k];
            break;
        case JL_UINT8:
        case JL_BOOL:
            to[i] = (double)((const uint8_t *)t->data)[k];
            break;
        default:
            return false;
        }
    }
    return true;
}

static double cosine(const double *x, const double *y, size_t n, double mx, double my)
{
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        double a = x[i] - mx, b = y[i] - my;
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    if (xx == 0 && yy == 0) return 1;
    if (xx == 0 || yy == 0) return 0;
    double c = xy / sqrt(xx * yy);
    return c > 1 ? 1 : c;
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : 0;
}

static size_t largest(const double *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* Whether the reference's best is among the five largest. */
static bool in_top5(const double *x, size_t n, size_t class)
{
    size_t larger = 0;
    for (size_t i = 0; i < n; i++)
        larger += x[i] > x[class];
    return larger < 5;
}

static void compare_item(const double *x, const double *y, size_t n, bool classes,
                         jl_agreement_record *r)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        r->nan_count += isnan(x[i]) != 0;
        r->inf_count += isinf(x[i]) != 0;
        if (!isfinite(x[i]) && isfinite(y[i])) r->new_nan_or_inf = true;
        finite &= isfinite(x[i]) && isfinite(y[i]);
    }
    if (!finite || !n) return; /* no number can be had from such an item */
    double c = cosine(x, y, n, 0, 0), cc = cosine(x, y, n, mean(x, n), mean(y, n)), sum = 0;
    if (isnan(r->cosine_min) || c < r->cosine_min) r->cosine_min = c;
    if (isnan(r->cosine_centred_min) || cc < r->cosine_centred_min) r->cosine_centred_min = cc;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(x[i] - y[i]);
        if (isnan(r->max_abs_error) || d > r->max_abs_error) r->max_abs_error = d;
        sum += d;
    }
    double m = sum / (double)n / (double)r->items;
    r->mean_abs_error = isnan(r->mean_abs_error) ? m : r->mean_abs_error + m;
    if (!classes) return;
    size_t best = largest(y, n);
    r->top1_agree += largest(x, n) == best;
    r->top5_agree += in_top5(x, n, best);
}

static int compare_output(const jl_tensor *x, const jl_tensor *y, int64_t batch,
                          jl_agreement_record *r, jl_error *err)
{
    int64_t n = jl_tensor_elements(x);
    if (n != jl_tensor_elements(y) || n < 0 || x->rank != y->rank ||
        memcmp(x->dims, y->dims, sizeof *x->dims * (size_t)x->rank) != 0)
        return jl_fail(err, JL_ERR_FORMAT, "output '%s' has another shape than the reference's",
                       x->name);
    bool split = x->rank > 0 && x->dims[0] == batch;
    bool classes = split && x->rank == 2 && x->dims[1] >= 10;
    r->items = split ? batch : 1;
    size_t per = (size_t)(n / r->items);
    JL_OWNED double *a = calloc(per + 1, sizeof *a), *b = calloc(per + 1, sizeof *b);
    if (!a || !b) return jl_fail(err, JL_ERR_MEMORY, "no memory to compare outputs");
    r->top1_agree = r->top5_agree = classes ? 0 : JL_ABSENT;
    for (int64_t i = 0; i < r->items; i++) {
        if (!values(x, (size_t)i * per, per, a) || !values(y, (size_t)i * per, per, b))
            return jl_fail(err, JL_ERR_UNSUPPORTED, "output '%s' of type %s cannot be compared",
                           x->name, jl_dtype_name(x->dtype));
        compare_item(a, b, per, classes, r);
    }
    return 0;
}

static double least_cosine(jl_precision p)
{
    return p == JL_PRECISION_FP32 ? 0.9999 : p == JL_PRECISION_INT8 ? -INFINITY : 0.99;
}

static void judge(jl_agreement *a, const jl_agreement_record *r, int64_t elements,
                  jl_precision precision)
{
    if (a->numerical || precision == JL_PRECISION_INT8) return;
    if (r->new_nan_or_inf) {
        a->numerical = true;
        snprintf(a->message, sizeof a->message,
                 "output '%s' has %lld NaN and %lld Inf where the FP32 reference (%s) is finite",
                 r->output, (long long)r->nan_count, (long long)r->inf_count, r->reference);
    } else if (r->nan_count > 0 && r->nan_count == elements) {
        a->numerical = true;
        snprintf(a->message, sizeof a->message,
                 "output '%s' is NaN everywhere, in the FP32 reference (%s) too, so that nothing "
                 "can be compared; --fill and --input give other inputs",
                 r->output, r->reference);
    } else if (r->cosine_min < least_cosine(precision)) {
        a->numerical = true;
        snprintf(a->message, sizeof a->message,
                 "output '%s': cosine to the FP32 reference (%s) is %.6f on the worst of %lld "
                 "items, below %.4f",
                 r->output, r->reference, r->cosine_min, (long long)r->items,
                 least_cosine(precision));
    }
}

int jl_agreement_of(const char *outputs, const char *reference_outputs, const char *reference,
                    int64_t batch, jl_precision precision, jl_agreement *a, jl_error *err)
{
    *a = (jl_agreement){0};
    jl_arena *arena = jl_arena_new();
    jl_tensor *x, *y;
    size_t nx = 0, ny = 0;
    if (!arena) return jl_fail(err, JL_ERR_MEMORY, "no memory to compare outputs");
    int rc = jl_tensors_read(outputs, arena, &x, &nx, err);
    if (!rc) rc = jl_tensors_read(reference_outputs, arena, &y, &ny, err);
    if (!rc && nx != ny)
        rc = jl_fail(err, JL_ERR_FORMAT, "%zu outputs, the reference has %zu", nx, ny);
    for (size_t i = 0; !rc && i < nx && i < JL_AGREEMENT_OUTPUTS; i++) {
        const jl_tensor *of = &y[i];
        for (size_t k = 0; k < ny; k++)
            if (!strcmp(y[k].name, x[i].name)) of = &y[k];
        snprintf(a->names[i], sizeof a->names[i], "%s", x[i].name);
        a->records[i] = (jl_agreement_record){.output = a->names[i],
                                              .reference = reference,
                                              .cosine_min = NAN,
                                              .cosine_centred_min = NAN,
                                              .max_abs_error = NAN,
                                              .mean_abs_error = NAN};
        rc = compare_output(&x[i], of, batch, &a->records[i], err);
        a->count = i + 1;
        if (!rc) judge(a, &a->records[i], jl_tensor_elements(&x[i]), precision);
    }
    jl_arena_free(arena);
    return rc;
}
