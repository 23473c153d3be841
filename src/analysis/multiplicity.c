#include "jouleline/multiplicity.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/order.h"
#include "base/memory.h"

void jl_bonferroni(const jl_value *p, size_t n, size_t family, jl_value *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = p[i].why ? p[i] : jl_some(fmin(1, p[i].value * (double)family));
}

typedef struct ordered {
    double p;
    size_t at;
} ordered;

static int by_p(const void *a, const void *b)
{
    double x = ((const ordered *)a)->p, y = ((const ordered *)b)->p;
    return (x > y) - (x < y);
}

int jl_holm(const jl_value *p, size_t n, size_t family, jl_value *out, jl_error *err)
{
    if (family < n)
        return jl_fail(err, JL_ERR_USAGE, "holm: %zu tests in a family of %zu", n, family);
    JL_OWNED ordered *o = malloc((n + 1) * sizeof *o);
    if (!o) return jl_no_memory(err);
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i].why)
            out[i] = p[i];
        else
            o[known++] = (ordered){p[i].value, i};
    qsort(o, known, sizeof *o, by_p);
    double highest = 0;
    for (size_t i = 0; i < known; i++) {
        highest = fmax(highest, fmin(1, o[i].p * (double)(family - i)));
        out[o[i].at] = jl_some(highest);
    }
    return 0;
}

double jl_signed_rank_least_p(size_t n)
{
    return fmin(1, exp2(1 - (double)n));
}

size_t jl_rounds_needed(size_t family, double alpha)
{
    size_t n = 1;
    while (n < 1000 && jl_signed_rank_least_p(n) * (double)family > alpha)
        n++;
    return n;
}

uint64_t jl_family_ceiling(size_t rounds, double alpha)
{
    double most = floor(alpha / jl_signed_rank_least_p(rounds));
    return most >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)most;
}
