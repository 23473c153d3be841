#include "convert/histogram.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { HALF_BINS = JL_HISTOGRAM_HALF, BINS = 2 * HALF_BINS, LEVELS = 128 };

/* Twice the span, half the resolution: neighbours join. */
static void widen(jl_histogram *h)
{
    uint64_t *b = h->bins;
    for (int i = 0; i < HALF_BINS / 2; i++) {
        b[HALF_BINS + i] = b[HALF_BINS + 2 * i] + b[HALF_BINS + 2 * i + 1];
        b[HALF_BINS - 1 - i] = b[HALF_BINS - 1 - 2 * i] + b[HALF_BINS - 2 - 2 * i];
    }
    memset(b, 0, HALF_BINS / 2 * sizeof *b);
    memset(b + HALF_BINS + HALF_BINS / 2, 0, HALF_BINS / 2 * sizeof *b);
    h->top *= 2;
}

/* Zeros lie in the first bin above 0 of any span. The smallest span keeps the inverse of a bin's
 * width finite. */
static void reach(jl_histogram *h, float most)
{
    enum { SMALLEST = -100, LARGEST = FLT_MAX_EXP - 1 };
    int exponent;
    frexpf(most, &exponent);
    exponent = exponent < SMALLEST ? SMALLEST : exponent > LARGEST ? LARGEST : exponent;
    float top = most > 0 ? ldexpf(1, exponent) : 0;
    if (h->top == 0) h->top = top;
    while (h->top < top)
        widen(h);
}

void jl_histogram_add(jl_histogram *h, const float *x, size_t n, float most)
{
    reach(h, most);
    float scale = h->top > 0 ? (float)HALF_BINS / h->top : 0;
    for (size_t i = 0; i < n; i++) {
        int bin = HALF_BINS + (int)floorf(x[i] * scale);
        h->bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    }
}

void jl_histogram_join(jl_histogram *h, jl_histogram *other)
{
    reach(h, other->top / 2); /* which lies in its outermost bins */
    reach(other, h->top / 2);
    for (int i = 0; i < BINS; i++)
        h->bins[i] += other->bins[i];
}

void jl_histogram_percentile(const jl_histogram *h, double percentile, float *lowest,
                             float *highest)
{
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < BINS; i++)
        total += h->bins[i];
    double out = (1 - percentile / 100) * (double)total, width = (double)h->top / HALF_BINS;
    int low = 0, high = BINS - 1;
    while (low < BINS - 1 && (double)(sum + h->bins[low]) <= out)
        sum += h->bins[low++];
    sum = 0;
    while (high > low && (double)(sum + h->bins[high]) <= out)
        sum += h->bins[high--];
    if (low > 0) *lowest = fmaxf(*lowest, (float)((low - HALF_BINS) * width));
    if (high < BINS - 1) *highest = fminf(*highest, (float)((high + 1 - HALF_BINS) * width));
}

/* Divergence of the first `kept` bins, the rest clipped onto the last of them, from the same
 * written with LEVELS levels. */
static double divergence(const double *p, int kept, double clipped)
{
    double total = clipped, sum_q = 0, kl = 0;
    double q[HALF_BINS];
    for (int i = 0; i < kept; i++)
        total += p[i];
    for (int level = 0; level < LEVELS; level++) {
        int from = level * kept / LEVELS, to = (level + 1) * kept / LEVELS, used = 0;
        double mass = 0;
        for (int i = from; i < to; i++) {
            mass += p[i];
            used += p[i] > 0;
        }
        for (int i = from; i < to; i++)
            q[i] = p[i] > 0 ? mass / used : 0;
        sum_q += mass;
    }
    for (int i = 0; i < kept; i++) {
        double pi = (p[i] + (i == kept - 1 ? clipped : 0)) / total;
        if (pi > 0) kl += pi * log(pi / (q[i] > 0 ? q[i] / sum_q : 1e-10));
    }
    return kl;
}

void jl_histogram_entropy(const jl_histogram *h, float *lowest, float *highest)
{
    double p[HALF_BINS], tail = 0, best = INFINITY;
    int kept = HALF_BINS;
    for (int i = 0; i < HALF_BINS; i++)
        p[i] = (double)(h->bins[HALF_BINS + i] + h->bins[HALF_BINS - 1 - i]);
    p[0] = p[1]; /* zeros say nothing about the range, and rectified values are full of them */
    for (int n = HALF_BINS; n >= LEVELS; n -= 16) {
        double d = divergence(p, n, tail);
        if (d < best) {
            best = d;
            kept = n;
        }
        for (int i = n - 16; i < n; i++)
            tail += p[i];
    }
    if (kept == HALF_BINS) return;
    float threshold = h->top * ((float)kept / HALF_BINS);
    *lowest = fmaxf(*lowest, -threshold);
    *highest = fminf(*highest, threshold);
}
