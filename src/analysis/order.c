#include "analysis/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { SMALL = 48, MOST_SUMS = 1200, BUCKETS = 256 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void jl_sort_doubles(double *x, size_t n)
{
    if (n > SMALL) {
        qsort(x, n, sizeof *x, compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        double v = x[i];
        size_t j = i;
        for (; j > 0 && x[j - 1] > v; j--)
            x[j] = x[j - 1];
        x[j] = v;
    }
}

size_t jl_keep_finite(const double *x, size_t n, double *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(x[i]) <= JL_LARGEST) out[kept++] = x[i];
    return kept;
}

double jl_sorted_median(const double *sorted, size_t n)
{
    size_t h = n / 2;
    return n % 2 ? sorted[h] : 0.5 * sorted[h - 1] + 0.5 * sorted[h];
}

typedef struct keyed {
    double key;
    uint32_t at;
} keyed;

double jl_double_ranks(const double *x, size_t n, uint32_t *rank2)
{
    keyed few[SMALL], *order = n <= SMALL ? few : malloc(n * sizeof *order);
    if (!order) return -1;
    if (n <= SMALL) {
        for (size_t i = 0; i < n; i++) {
            size_t j = i;
            for (; j > 0 && order[j - 1].key > x[i]; j--)
                order[j] = order[j - 1];
            order[j] = (keyed){x[i], (uint32_t)i};
        }
    } else {
        for (size_t i = 0; i < n; i++)
            order[i] = (keyed){x[i], (uint32_t)i};
        qsort(order, n, sizeof *order, compare); /* key is the first member */
    }
    double ties = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && !(order[end].key > order[i].key))
            end++;
        double t = (double)(end - i);
        ties += t * t * t - t;
        for (size_t j = i; j < end; j++)
            rank2[order[j].at] = (uint32_t)(i + end + 1);
        i = end;
    }
    if (order != few) free(order);
    return ties;
}

/* Per row, the first column whose sum reaches v (`or_equal` false) or exceeds it (true). */
static size_t columns_below(const jl_pair_sums *p, double v, bool or_equal, size_t *ends)
{
    size_t column = p->nb, total = 0;
    for (size_t i = 0; i < p->na; i++) {
        double a = p->a[i];
        if (or_equal)
            while (column > 0 && a + p->b[column - 1] > v)
                column--;
        else
            while (column > 0 && a + p->b[column - 1] >= v)
                column--;
        size_t first = p->triangle ? i : 0;
        ends[i] = column > first ? column : first;
        total += ends[i] - first;
    }
    return total;
}

static double select_in_rows(const jl_pair_sums *p, size_t k, size_t *scratch)
{
    size_t *low = scratch, *high = low + p->na, *below = high + p->na, *upto = below + p->na;
    size_t left = 0;
    for (size_t i = 0; i < p->na; i++) {
        low[i] = p->triangle ? i : 0;
        high[i] = p->nb;
        left += high[i] - low[i];
    }
    jl_rng rng = {k};
    for (;;) {
        size_t pick = jl_rng_next(&rng) % left, row = 0;
        while (pick >= high[row] - low[row])
            pick -= high[row] - low[row], row++;
        double pivot = p->a[row] + p->b[low[row] + pick];
        size_t less = columns_below(p, pivot, false, below);
        if (k < less) {
            memcpy(high, below, p->na * sizeof *high);
        } else {
            size_t not_more = columns_below(p, pivot, true, upto);
            if (k < not_more) return pivot;
            memcpy(low, upto, p->na * sizeof *low);
        }
        left = 0;
        for (size_t i = 0; i < p->na; i++) {
            if (high[i] < low[i]) high[i] = low[i];
            left += high[i] - low[i];
        }
    }
}

/* The k-th smallest of x, which is put into another order: Hoare's Find, Comm. ACM 4 (1961) 321. */
static double select_one(double *x, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, at = (ptrdiff_t)k;
    while (low < high) {
        double pivot = x[at];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i > j) break;
            double v = x[i];
            x[i++] = x[j];
            x[j--] = v;
        }
        if (j < at) low = i;
        if (at < i) high = j;
    }
    return x[at];
}

/* All sums, thrown into buckets by value: only the buckets that hold a wanted one are looked into.
 */
static void select_in_buckets(const jl_pair_sums *p, const size_t *k, size_t wanted, double *out)
{
    double sums[MOST_SUMS], same[MOST_SUMS];
    unsigned char bucket[MOST_SUMS];
    size_t n = 0, first[BUCKETS + 1] = {0};
    for (size_t i = 0; i < p->na; i++)
        for (size_t j = p->triangle ? i : 0; j < p->nb; j++)
            sums[n++] = p->a[i] + p->b[j];
    double least = p->a[0] + p->b[0], range = p->a[p->na - 1] + p->b[p->nb - 1] - least;
    double scale = range > 0 ? (BUCKETS - 1) / range : 0;
    if (!(scale <= JL_LARGEST)) scale = 0;
    for (size_t i = 0; i < n; i++) {
        bucket[i] = (unsigned char)((sums[i] - least) * scale);
        first[bucket[i] + 1]++;
    }
    for (size_t b = 0; b < BUCKETS; b++)
        first[b + 1] += first[b];
    for (size_t w = 0; w < wanted; w++) {
        size_t b = 0, held = 0;
        while (first[b + 1] <= k[w])
            b++;
        for (size_t i = 0; i < n; i++) {
            same[held] = sums[i];
            held += bucket[i] == b;
        }
        out[w] = select_one(same, held, k[w] - first[b]);
    }
}

/* out[w] is the k[w]-th smallest sum (from 0, below count); scratch holds 4 na values. Few sums
 * are listed; of many, random pivots discard a part of every row, in expected time na times the
 * logarithm of count, as in Monahan, ACM Trans. Math. Softw. 10 (1984) 265. */
static void select_pair_sums(const jl_pair_sums *p, const size_t *k, size_t wanted, double *out,
                             size_t *scratch)
{
    if (p->count <= MOST_SUMS) {
        select_in_buckets(p, k, wanted, out);
        return;
    }
    for (size_t w = 0; w < wanted; w++)
        out[w] = select_in_rows(p, k[w], scratch);
}

void jl_pair_sums_shift(const jl_pair_sums *p, size_t rank, size_t *scratch, jl_value *estimate,
                        jl_interval *interval)
{
    size_t at[4] = {(p->count - 1) / 2, p->count / 2, rank - 1, p->count - rank};
    double found[4];
    select_pair_sums(p, at, rank ? 4 : 2, found, scratch);
    *estimate = jl_some(0.5 * found[0] + 0.5 * found[1]);
    interval->why = rank ? JL_KNOWN : JL_TOO_FEW;
    if (!rank) return;
    interval->low = found[2];
    interval->high = found[3];
}

int jl_no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "analysis: memory is exhausted");
}
