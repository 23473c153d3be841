#include "analysis/max_t.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "base/memory.h"
#include "base/rng.h"

enum {
    USUAL_DRAWS = 9999,
    LEAST_DRAWS = 999,
    MOST_FLIPS = 2000000000, /* signs times comparisons of a huge family */
    LEAST_ROUNDS_OF_INTERVAL = 6,
    GROUP = 6, /* rounds whose sums for all signs are tabulated */
    SIGNS = 1 << GROUP,
    BLOCK = 16, /* comparisons added at a time: the tables stay in the first cache, the sums in
                   registers */
};

size_t jl_usual_draws(size_t comparisons)
{
    if (comparisons <= MOST_FLIPS / USUAL_DRAWS) return USUAL_DRAWS;
    return MOST_FLIPS / comparisons > LEAST_DRAWS ? MOST_FLIPS / comparisons : LEAST_DRAWS;
}

static void fill_patterns(jl_sign_flips *f, const jl_max_t_options *o)
{
    jl_rng rng = {o->seed};
    for (size_t v = 0; v < f->count; v++)
        for (size_t g = 0; g < f->groups; g++) {
            uint64_t bits = f->exact ? v >> g * GROUP : v ? jl_rng_next(&rng) >> 32 : 0;
            f->patterns[v * f->groups + g] = bits % SIGNS;
        }
}

int jl_sign_flips_start(jl_sign_flips *f, size_t n, const jl_max_t_options *o, jl_error *err)
{
    *f = (jl_sign_flips){.n = n, .alternative = o->alternative};
    f->groups = (n + GROUP - 1) / GROUP;
    f->exact = n <= JL_MAX_T_EXACT_ROUNDS;
    /* Two-sided, a sign vector and its negative give the same: the last sign stays. */
    size_t free_signs = n - (o->alternative == JL_TWO_SIDED && n > 0);
    f->count = f->exact ? (size_t)1 << free_signs : (o->draws ? o->draws : USUAL_DRAWS) + 1;
    f->patterns = malloc(f->count * f->groups + 1);
    f->maxima = calloc(f->count, sizeof *f->maxima);
    f->tables = malloc((f->groups * SIGNS * BLOCK + 1) * sizeof *f->tables);
    f->rows = calloc(f->groups * GROUP * BLOCK + 1, sizeof *f->rows);
    if (!f->patterns || !f->maxima || !f->tables || !f->rows) {
        jl_sign_flips_free(f);
        return jl_no_memory(err);
    }
    fill_patterns(f, o);
    return 0;
}

void jl_sign_flips_free(jl_sign_flips *f)
{
    free(f->patterns);
    free(f->maxima);
    free(f->tables);
    free(f->rows);
    *f = (jl_sign_flips){0};
}

/* tables[group][signs][comparison]: the group's rounds added with those signs. */
static void tabulate(jl_sign_flips *f)
{
    for (size_t g = 0; g < f->groups; g++) {
        const double *rows = f->rows + g * GROUP * BLOCK;
        double *table = f->tables + g * SIGNS * BLOCK;
        for (unsigned signs = 0; signs < SIGNS; signs++, table += BLOCK)
            for (size_t j = 0; j < BLOCK; j++) {
                double sum = 0;
                for (size_t i = 0; i < GROUP; i++)
                    sum += signs >> i & 1 ? -rows[i * BLOCK + j] : rows[i * BLOCK + j];
                table[j] = sum;
            }
    }
}

/* In lanes, which a compiler can keep in vectors. */
static double largest(const double *sums, jl_alternative alternative, double most)
{
    enum { LANES = 8 };
    double lane[LANES];
    for (size_t k = 0; k < LANES; k++)
        lane[k] = most;
    double sign = alternative == JL_LESS ? -1 : 1;
    for (size_t j = 0; j < BLOCK; j += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double v = alternative == JL_TWO_SIDED ? fabs(sums[j + k]) : sign * sums[j + k];
            lane[k] = v > lane[k] ? v : lane[k];
        }
    for (size_t k = 0; k < LANES; k++)
        most = lane[k] > most ? lane[k] : most;
    return most;
}

static void flush(jl_sign_flips *f)
{
    if (f->width == 0) return;
    tabulate(f);
    for (size_t v = 0; v < f->count; v++) {
        double sums[BLOCK] = {0};
        const unsigned char *pattern = f->patterns + v * f->groups;
        for (size_t g = 0; g < f->groups; g++) {
            const double *table = f->tables + (g * SIGNS + pattern[g]) * BLOCK;
            for (size_t j = 0; j < BLOCK; j++)
                sums[j] += table[j];
        }
        f->maxima[v] = largest(sums, f->alternative, f->maxima[v]);
    }
    memset(f->rows, 0, f->groups * GROUP * BLOCK * sizeof *f->rows);
    f->width = 0;
}

void jl_sign_flips_add(jl_sign_flips *f, const double *d, double origin, jl_value *statistic)
{
    size_t count = 0;
    double most = 0, squares = 0, sum = 0;
    for (size_t i = 0; i < f->n; i++)
        if (fabs(d[i]) <= JL_LARGEST) {
            count++;
            most = fmax(most, fabs(d[i] - origin));
        }
    *statistic = count < 2 ? jl_none(count ? JL_TOO_FEW : JL_NO_PAIRS) : jl_some(0);
    if (count < 2 || !(most > 0)) return;
    double *column = f->rows + f->width++;
    for (size_t i = 0; i < f->n; i++)
        if (fabs(d[i]) <= JL_LARGEST) {
            double v = column[i * BLOCK] = (d[i] - origin) / most;
            squares += v * v;
        }
    for (size_t i = 0; i < f->n; i++)
        sum += column[i * BLOCK] /= sqrt(squares);
    statistic->value = sum;
    if (f->width == BLOCK) flush(f);
}

void jl_sign_flips_merge(jl_sign_flips *f, jl_sign_flips *part)
{
    flush(part);
    for (size_t v = 0; v < f->count; v++)
        if (part->maxima[v] > f->maxima[v]) f->maxima[v] = part->maxima[v];
}

void jl_sign_flips_finish(jl_sign_flips *f)
{
    flush(f);
    jl_sort_doubles(f->maxima, f->count);
}

jl_value jl_sign_flips_p(const jl_sign_flips *f, jl_value statistic)
{
    if (statistic.why) return statistic;
    double size = f->alternative == JL_TWO_SIDED ? fabs(statistic.value)
                  : f->alternative == JL_GREATER ? statistic.value
                                                 : -statistic.value;
    double limit = fmax(size, 0) - 1e-10 * (fabs(size) + 1); /* equal up to rounding */
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (f->maxima[mid] < limit)
            low = mid + 1;
        else
            high = mid;
    }
    return jl_some((double)(f->count - low) / (double)f->count);
}

/* Moves the rounds in which any comparison has a difference to the front of every row. */
static size_t pack_rounds(const double *d, size_t m, size_t n, double *packed)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool holds = false;
        for (size_t j = 0; j < m && !holds; j++)
            holds = fabs(d[j * n + i]) <= JL_LARGEST;
        for (size_t j = 0; holds && j < m; j++)
            packed[j * n + used] = d[j * n + i];
        used += holds;
    }
    return used;
}

int jl_max_t_test(const double *d, size_t m, size_t n, const jl_max_t_options *options, jl_value *p,
                  jl_max_t *out, jl_error *err)
{
    jl_max_t_options o = options ? *options : (jl_max_t_options){0};
    JL_OWNED double *packed = malloc((m * n + 1) * sizeof *packed);
    if (!packed) return jl_no_memory(err);
    size_t used = pack_rounds(d, m, n, packed);
    __attribute__((cleanup(jl_sign_flips_free))) jl_sign_flips f = {0};
    int rc = jl_sign_flips_start(&f, used, &o, err);
    if (rc) return rc;
    *out = (jl_max_t){used, 0, f.exact, 1 / (double)f.count};
    for (size_t j = 0; j < m; j++) {
        jl_sign_flips_add(&f, packed + j * n, o.shift, &p[j]);
        out->tested += p[j].why == JL_KNOWN;
    }
    jl_sign_flips_finish(&f);
    for (size_t j = 0; j < m; j++)
        p[j] = jl_sign_flips_p(&f, p[j]);
    return 0;
}

/* mean +- t sd / sqrt(n) for the statistic u (sum over root of squares) that t stands for. */
static jl_interval around_mean(const double *d, size_t n, double u, double level)
{
    size_t present = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(d[i]) <= JL_LARGEST) {
            present++;
            sum += d[i];
        }
    double rounds = (double)present, mean = present ? sum / rounds : 0;
    if (present < LEAST_ROUNDS_OF_INTERVAL)
        return (jl_interval){.why = present ? JL_TOO_FEW : JL_NO_PAIRS};
    for (size_t i = 0; i < n; i++)
        if (fabs(d[i]) <= JL_LARGEST) squares += (d[i] - mean) * (d[i] - mean);
    if (!(squares > 1e-24 * rounds * mean * mean)) return (jl_interval){.why = JL_NO_SPREAD};
    double spare = fmax(rounds - u * u, 1e-9 * rounds);
    double half = u * sqrt((rounds - 1) / spare) * sqrt(squares / (rounds * (rounds - 1)));
    return (jl_interval){mean - half, mean + half, level, JL_KNOWN};
}

int jl_max_t_intervals(const double *d, size_t m, size_t n, double level,
                       const jl_max_t_options *options, jl_interval *intervals, jl_error *err)
{
    jl_max_t_options o = options ? *options : (jl_max_t_options){0};
    o.alternative = JL_TWO_SIDED;
    JL_OWNED double *packed = malloc((m * n + 1) * sizeof *packed);
    if (!packed) return jl_no_memory(err);
    size_t used = pack_rounds(d, m, n, packed);
    __attribute__((cleanup(jl_sign_flips_free))) jl_sign_flips f = {0};
    int rc = jl_sign_flips_start(&f, used, &o, err);
    if (rc) return rc;
    for (size_t j = 0; j < m; j++) {
        double sum = 0;
        size_t present = 0;
        for (size_t i = 0; i < used; i++)
            if (fabs(packed[j * n + i]) <= JL_LARGEST) {
                sum += packed[j * n + i];
                present++;
            }
        jl_value ignored;
        jl_sign_flips_add(&f, packed + j * n, present ? sum / (double)present : 0, &ignored);
    }
    jl_sign_flips_finish(&f);
    size_t at = (size_t)ceil(level * (double)f.count);
    double u = f.maxima[at < 1 ? 0 : at > f.count ? f.count - 1 : at - 1];
    for (size_t j = 0; j < m; j++)
        intervals[j] = around_mean(packed + j * n, used, u, level);
    return 0;
}
