#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/distributions.h"
#include "analysis/order.h"
#include "base/memory.h"
#include "base/rng.h"
#include "jouleline/paired.h"

enum { DEFAULT_DRAWS = 9999, LEAST_ROUNDS_OF_INTERVAL = 6 };

/* The comparisons, scaled to unit sum of squares and laid out round by round, so that one sign
 * vector gives all statistics by adding rows. */
typedef struct design {
    size_t m, n, tested;
    double *rows; /* n x m */
    double *sums; /* m, of the current sign vector */
} design;

static void design_free(design *d)
{
    free(d->rows);
    free(d->sums);
}

/* Copies the rounds that hold anything, less the shift (or each comparison's mean). */
static int design_make(const double *d, size_t m, size_t n, double shift, bool centred, design *g,
                       jl_error *err)
{
    g->m = m;
    g->rows = calloc(m * n + 1, sizeof *g->rows);
    g->sums = calloc(m + 1, sizeof *g->sums);
    JL_OWNED bool *holds = calloc(n + 1, sizeof *holds);
    if (!g->rows || !g->sums || !holds) return jl_no_memory(err);
    for (size_t j = 0; j < m; j++) {
        size_t count = 0;
        double sum = 0, largest = 0, squares = 0;
        for (size_t i = 0; i < n; i++)
            if (fabs(d[j * n + i]) <= JL_LARGEST) {
                count++;
                sum += d[j * n + i];
            }
        if (count < 2) continue;
        double origin = centred ? sum / (double)count : shift;
        for (size_t i = 0; i < n; i++)
            if (fabs(d[j * n + i]) <= JL_LARGEST) {
                g->rows[i * m + j] = d[j * n + i] - origin;
                largest = fmax(largest, fabs(g->rows[i * m + j]));
                holds[i] = true;
            }
        for (size_t i = 0; largest > 0 && i < n; i++) {
            double v = g->rows[i * m + j] /= largest;
            squares += v * v;
        }
        for (size_t i = 0; largest > 0 && i < n; i++)
            g->rows[i * m + j] /= sqrt(squares);
        g->tested++;
    }
    for (size_t i = 0; i < n; i++) {
        if (!holds[i]) continue;
        memmove(g->rows + g->n * m, g->rows + i * m, m * sizeof *g->rows);
        g->n++;
    }
    return 0;
}

static double largest_of(const double *sums, size_t m, jl_alternative alternative)
{
    double most = 0;
    if (alternative == JL_GREATER)
        for (size_t j = 0; j < m; j++)
            most = sums[j] > most ? sums[j] : most;
    else if (alternative == JL_LESS)
        for (size_t j = 0; j < m; j++)
            most = -sums[j] > most ? -sums[j] : most;
    else
        for (size_t j = 0; j < m; j++)
            most = fabs(sums[j]) > most ? fabs(sums[j]) : most;
    return most;
}

static void sum_rows(design *g, uint64_t minus)
{
    memset(g->sums, 0, g->m * sizeof *g->sums);
    for (size_t i = 0; i < g->n; i++) {
        double sign = minus >> i & 1 ? -1 : 1;
        const double *row = g->rows + i * g->m;
        for (size_t j = 0; j < g->m; j++)
            g->sums[j] += sign * row[j];
    }
}

/* The largest statistic of every sign vector, the first being the observed one; *count of them.
 * Two-sided, a vector and its negative give the same, so the last sign stays. NULL: no memory. */
static double *all_maxima(design *g, jl_alternative alternative, size_t *count)
{
    size_t free_signs = g->n - (alternative == JL_TWO_SIDED && g->n > 0);
    *count = (size_t)1 << free_signs;
    double *maxima = malloc(*count * sizeof *maxima);
    if (!maxima) return NULL;
    uint64_t minus = 0;
    for (size_t v = 0; v < *count; v++) {
        if (v % 1024 == 0) {
            sum_rows(g, minus); /* afresh, so that rounding does not build up */
        } else {
            double twice = minus >> __builtin_ctzll(v) & 1 ? -2 : 2;
            const double *row = g->rows + (size_t)__builtin_ctzll(v) * g->m;
            for (size_t j = 0; j < g->m; j++)
                g->sums[j] += twice * row[j];
        }
        maxima[v] = largest_of(g->sums, g->m, alternative);
        minus ^= UINT64_C(1) << __builtin_ctzll(v + 1); /* Gray code: one sign a step */
    }
    return maxima;
}

static double *drawn_maxima(design *g, const jl_max_t_options *o, size_t *count)
{
    size_t draws = o->draws ? o->draws : DEFAULT_DRAWS;
    *count = draws + 1;
    double *maxima = malloc(*count * sizeof *maxima);
    if (!maxima) return NULL;
    jl_rng rng = {o->seed};
    for (size_t v = 0; v < *count; v++) {
        memset(g->sums, 0, g->m * sizeof *g->sums);
        uint64_t bits = 0;
        for (size_t i = 0; i < g->n; i++) {
            if (i % 64 == 0) bits = v ? jl_rng_next(&rng) : 0;
            double sign = bits >> i % 64 & 1 ? -1 : 1;
            const double *row = g->rows + i * g->m;
            for (size_t j = 0; j < g->m; j++)
                g->sums[j] += sign * row[j];
        }
        maxima[v] = largest_of(g->sums, g->m, o->alternative);
    }
    return maxima;
}

static double *maxima_of(design *g, const jl_max_t_options *o, size_t *count)
{
    return g->n <= JL_MAX_T_EXACT_ROUNDS ? all_maxima(g, o->alternative, count)
                                         : drawn_maxima(g, o, count);
}

/* How many of the ascending values are at least v, equal up to rounding. */
static size_t at_least(const double *sorted, size_t n, double v)
{
    double limit = v - 1e-10 * (fabs(v) + 1);
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid] < limit)
            low = mid + 1;
        else
            high = mid;
    }
    return n - low;
}

int jl_max_t_test(const double *d, size_t m, size_t n, const jl_max_t_options *options, jl_value *p,
                  jl_max_t *out, jl_error *err)
{
    jl_max_t_options o = options ? *options : (jl_max_t_options){0};
    __attribute__((cleanup(design_free))) design g = {0};
    int rc = design_make(d, m, n, o.shift, false, &g, err);
    if (rc) return rc;
    size_t count;
    JL_OWNED double *maxima = maxima_of(&g, &o, &count);
    JL_OWNED double *observed = malloc((m + 1) * sizeof *observed);
    if (!maxima || !observed) return jl_no_memory(err);
    sum_rows(&g, 0);
    memcpy(observed, g.sums, m * sizeof *observed);
    jl_sort_doubles(maxima, count);
    *out = (jl_max_t){g.n, g.tested, g.n <= JL_MAX_T_EXACT_ROUNDS, 1 / (double)count};
    for (size_t j = 0; j < m; j++) {
        size_t present = 0;
        for (size_t i = 0; i < n; i++)
            present += fabs(d[j * n + i]) <= JL_LARGEST;
        double size = o.alternative == JL_TWO_SIDED ? fabs(observed[j])
                      : o.alternative == JL_GREATER ? observed[j]
                                                    : -observed[j];
        p[j] = present < 2
                   ? jl_none(present ? JL_TOO_FEW : JL_NO_PAIRS)
                   : jl_some((double)at_least(maxima, count, fmax(size, 0)) / (double)count);
    }
    return 0;
}

int jl_max_t_intervals(const double *d, size_t m, size_t n, double level,
                       const jl_max_t_options *options, jl_interval *intervals, jl_error *err)
{
    jl_max_t_options o = options ? *options : (jl_max_t_options){0};
    o.alternative = JL_TWO_SIDED;
    __attribute__((cleanup(design_free))) design g = {0};
    int rc = design_make(d, m, n, 0, true, &g, err);
    if (rc) return rc;
    size_t count;
    JL_OWNED double *maxima = maxima_of(&g, &o, &count);
    if (!maxima) return jl_no_memory(err);
    jl_sort_doubles(maxima, count);
    size_t at = (size_t)ceil(level * (double)count);
    double u = maxima[at < 1 ? 0 : at > count ? count - 1 : at - 1];
    for (size_t j = 0; j < m; j++) {
        size_t present = 0;
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++)
            if (fabs(d[j * n + i]) <= JL_LARGEST) {
                present++;
                sum += d[j * n + i];
            }
        double rounds = (double)present, mean = present ? sum / rounds : 0;
        for (size_t i = 0; i < n; i++)
            if (fabs(d[j * n + i]) <= JL_LARGEST)
                squares += (d[j * n + i] - mean) * (d[j * n + i] - mean);
        intervals[j] = (jl_interval){.why = present ? JL_TOO_FEW : JL_NO_PAIRS};
        if (present < LEAST_ROUNDS_OF_INTERVAL) continue;
        intervals[j].why = JL_NO_SPREAD;
        if (!(squares > 0)) continue;
        /* From sum / root of squares to Student's t with this comparison's own rounds. */
        double spare = rounds - u * u;
        double t = u * sqrt((rounds - 1) / (spare > 1e-9 * rounds ? spare : 1e-9 * rounds));
        double half = t * sqrt(squares / (rounds * (rounds - 1)));
        intervals[j] = (jl_interval){mean - half, mean + half, level, JL_KNOWN};
    }
    return 0;
}
