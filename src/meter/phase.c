#include "meter/phase.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

enum { BURN_IN = 1200, DRAWS = 1500, EVERY = 3 };
static const double MIN_JITTER_S = 1e-6;
/* The prior of the jitter s is s^-(1 + PRIOR_POWER), chosen by simulation (bench_energy_virtual) so
 * that 95 % intervals hold for perfectly regular ticks as for ticks that stray by 10 ms. */
static const double PRIOR_POWER = 1.3;
/* Prior probability that a tick strays, chosen by simulation with one tick in twenty shown late. */
static const double STRAY = 0.03;

typedef struct problem {
    const jl_bracket *b;       /* the ticks that are used */
    long index[JL_PHASE_MOST]; /* number of each tick on the sensor's grid, from 0 */
    size_t n;
    double span; /* index of the last one */
    double period_s;
} problem;

typedef struct line {
    double begin_s, end_s; /* times of grid numbers 0 and span */
    double log_jitter;
} line;

static double line_at(const problem *p, const line *l, size_t i)
{
    return l->begin_s + (l->end_s - l->begin_s) * (double)p->index[i] / p->span;
}

/* Phi(b) - Phi(a) for a < b without cancellation in the tails. */
static double normal_between(double a, double b)
{
    if (a > 0) {
        double t = a;
        a = -b;
        b = -t;
    }
    return 0.5 * (erfc(-b * M_SQRT1_2) - erfc(-a * M_SQRT1_2));
}

/* Probability that tick i, due at m, strays and lies in its bracket. */
static double stray_mass(const problem *p, size_t i, double m)
{
    double lo = fmax(p->b[i].lo_s, m), hi = fmin(p->b[i].hi_s, m + p->period_s);
    return hi > lo ? STRAY * (hi - lo) / p->period_s : 1e-290;
}

static double log_likelihood(const problem *p, const line *l)
{
    double s = exp(l->log_jitter), sum = -PRIOR_POWER * l->log_jitter;
    if (s < MIN_JITTER_S || s > 0.3 * p->period_s || l->end_s <= l->begin_s) return -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        double m = line_at(p, l, i);
        double q = normal_between((p->b[i].lo_s - m) / s, (p->b[i].hi_s - m) / s);
        sum += log((1 - STRAY) * q + stray_mass(p, i, m));
    }
    return sum;
}

/* A normal draw limited to [lo, hi]: by rejection from a uniform when the interval is short, from
 * the normal itself when it holds much of it, else by bisection of the tail. */
static double truncated(jl_rng *r, double mean, double sd, double lo, double hi)
{
    double a = (lo - mean) / sd, b = (hi - mean) / sd;
    if (b - a < 3) {
        double top = a > 0 ? a : b < 0 ? b : 0;
        for (int i = 0; i < 200; i++) {
            double z = a + (b - a) * jl_rng_uniform(r);
            if (jl_rng_uniform(r) <= exp(0.5 * (top * top - z * z))) return mean + sd * z;
        }
    } else if (a < 0.5 && b > -0.5) {
        for (int i = 0; i < 200; i++) {
            double z = jl_rng_normal(r);
            if (z >= a && z <= b) return mean + sd * z;
        }
    }
    double total = normal_between(a, b);
    if (!(total > 1e-290)) return mean < lo ? lo : hi;
    double want = jl_rng_uniform(r) * total, left = a, right = b;
    for (int i = 0; i < 40; i++) {
        double mid = 0.5 * (left + right);
        if (normal_between(a, mid) < want)
            left = mid;
        else
            right = mid;
    }
    return mean + sd * 0.5 * (left + right);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median time between neighbours, then each tick's number on the grid. */
static void number_ticks(problem *p)
{
    double gap[JL_PHASE_MOST];
    for (size_t i = 1; i < p->n; i++)
        gap[i - 1] = 0.5 * (p->b[i].lo_s + p->b[i].hi_s - p->b[i - 1].lo_s - p->b[i - 1].hi_s);
    qsort(gap, p->n - 1, sizeof gap[0], by_value);
    p->period_s = gap[(p->n - 1) / 2];
    p->index[0] = 0;
    for (size_t i = 1; i < p->n; i++) {
        double g = 0.5 * (p->b[i].lo_s + p->b[i].hi_s - p->b[i - 1].lo_s - p->b[i - 1].hi_s);
        long step = lround(g / p->period_s);
        p->index[i] = p->index[i - 1] + (step < 1 ? 1 : step);
    }
    p->span = (double)p->index[p->n - 1];
}

/* The line through the middles that leaves the least sum of distances to all (it passes through
 * two of them): ticks that stray do not move it. */
static line start_line(const problem *p)
{
    line best = {0};
    double least = INFINITY;
    for (size_t i = 0; i + 1 < p->n; i++)
        for (size_t j = i + 1; j < p->n; j++) {
            double ti = 0.5 * (p->b[i].lo_s + p->b[i].hi_s);
            double b = (0.5 * (p->b[j].lo_s + p->b[j].hi_s) - ti) /
                       (double)(p->index[j] - p->index[i]),
                   sum = 0;
            line l = {.begin_s = ti - b * (double)p->index[i]};
            l.end_s = l.begin_s + b * p->span;
            for (size_t k = 0; k < p->n; k++)
                sum += fabs(0.5 * (p->b[k].lo_s + p->b[k].hi_s) - line_at(p, &l, k));
            if (sum >= least || b <= 0) continue;
            least = sum;
            best = l;
        }
    double usual_s = least / (double)p->n;
    best.log_jitter = log(fmin(fmax(0.5 * usual_s, 2 * MIN_JITTER_S), 0.29 * p->period_s));
    return best;
}

static void uniform_place(const jl_bracket *b, size_t n, size_t first, size_t last, double *at_s,
                          double *sd_s, double *stray, jl_phase *out)
{
    for (size_t i = 0; i < n; i++) {
        at_s[i] = 0.5 * (b[i].lo_s + b[i].hi_s);
        sd_s[i] = (b[i].hi_s - b[i].lo_s) / sqrt(12);
        stray[i] = 0;
    }
    double w1 = b[first].hi_s - b[first].lo_s, w2 = b[last].hi_s - b[last].lo_s;
    double x = fmax(w1, w2), y = fmin(w1, w2);
    /* The difference of two uniforms is a trapezoid with flanks of width y: its quantile lies on
     * the flank, or on the flat part when y is small beside x. */
    double half = y >= 0.05 * x ? 0.5 * (x + y) - sqrt(0.05 * x * y) : 0.475 * x;
    *out = (jl_phase){.span_s = at_s[last] - at_s[first],
                      .span_sd_s = hypot(sd_s[first], sd_s[last]),
                      .jitter_s = NAN};
    out->span_low_s = out->span_s - half;
    out->span_high_s = out->span_s + half;
}

/* One Metropolis step: the line, the jitter, or both in turn. */
static bool move(const problem *p, jl_rng *r, int turn, double step, line *at, double *here)
{
    line to = *at;
    if (turn != 2) {
        to.begin_s += step * jl_rng_normal(r);
        to.end_s += step * jl_rng_normal(r);
    }
    if (turn != 1) to.log_jitter += 0.7 * jl_rng_normal(r);
    double there = log_likelihood(p, &to);
    if (there < *here && jl_rng_uniform(r) >= exp(there - *here)) return false;
    *at = to;
    *here = there;
    return true;
}

typedef struct sums {
    double mean[JL_PHASE_MOST], square[JL_PHASE_MOST], stray[JL_PHASE_MOST], jitter, span[DRAWS];
    size_t draws;
} sums;

static void draw_ticks(const problem *p, jl_rng *r, const line *at, size_t first, size_t last,
                       sums *sum)
{
    double s = exp(at->log_jitter), t[JL_PHASE_MOST];
    sum->draws++;
    for (size_t k = 0; k < p->n; k++) {
        double m = line_at(p, at, k), lo = p->b[k].lo_s, hi = p->b[k].hi_s;
        double on_line = (1 - STRAY) * normal_between((lo - m) / s, (hi - m) / s);
        double strays = stray_mass(p, k, m);
        double share = strays / (strays + on_line);
        t[k] = share > 0.5 ? lo + (hi - lo) * jl_rng_uniform(r) : truncated(r, m, s, lo, hi);
        sum->stray[k] += share;
        double off = t[k] - sum->mean[k]; /* Welford */
        sum->mean[k] += off / (double)sum->draws;
        sum->square[k] += off * (t[k] - sum->mean[k]);
    }
    sum->span[sum->draws - 1] = t[last] - t[first];
    sum->jitter += s;
}

/* False when the brackets are such as no nearly regular sensor could give. */
static bool sample(const problem *p, size_t first, size_t last, double *at_s, double *sd_s,
                   double *stray, jl_phase *out)
{
    jl_rng r = {UINT64_C(0x5EED)};
    line at = start_line(p);
    double here = log_likelihood(p, &at);
    if (isinf(here)) return false;
    sums sum = {.draws = 0};
    double step = 0.3 * (p->b[0].hi_s - p->b[0].lo_s);
    int accepted = 0;
    for (int i = 0; i < BURN_IN + DRAWS * EVERY; i++) {
        bool moved = move(p, &r, i % 3, step, &at, &here);
        if (i % 3 == 1) accepted += moved;
        if (i < BURN_IN && i % 60 == 59) { /* 20 moves of the line: aim at 30 % */
            step *= accepted > 8 ? 1.6 : accepted < 4 ? 0.6 : 1;
            accepted = 0;
        }
        if (i >= BURN_IN && i % EVERY == 0) draw_ticks(p, &r, &at, first, last, &sum);
    }
    for (size_t k = 0; k < p->n; k++) {
        at_s[k] = sum.mean[k];
        sd_s[k] = sqrt(sum.square[k] / DRAWS);
        stray[k] = sum.stray[k] / DRAWS;
    }
    double square = 0;
    out->span_s = at_s[last] - at_s[first];
    for (size_t i = 0; i < DRAWS; i++)
        square += (sum.span[i] - out->span_s) * (sum.span[i] - out->span_s);
    qsort(sum.span, DRAWS, sizeof sum.span[0], by_value);
    out->span_sd_s = sqrt(square / DRAWS);
    out->span_low_s = sum.span[DRAWS / 40];
    out->span_high_s = sum.span[DRAWS - 1 - DRAWS / 40];
    out->jitter_s = sum.jitter / DRAWS;
    return true;
}

/* A long window: sensors drift, so each stretch of ticks has a line of its own. */
static void place_stretches(const jl_bracket *b, size_t n, size_t first, size_t last, double *at_s,
                            double *sd_s, double *stray, jl_phase *out)
{
    size_t stretches = (n + JL_PHASE_MOST - 1) / JL_PHASE_MOST;
    double jitter = 0, counted = 0;
    for (size_t k = 0; k < stretches; k++) {
        size_t from = n * k / stretches, to = n * (k + 1) / stretches;
        jl_phase one;
        jl_phase_place(b + from, to - from, 0, to - from - 1, true, at_s + from, sd_s + from,
                       stray + from, &one);
        if (isnan(one.jitter_s)) continue;
        jitter += one.jitter_s;
        counted++;
    }
    out->span_s = at_s[last] - at_s[first];
    out->span_sd_s = hypot(sd_s[first], sd_s[last]);
    out->span_low_s = out->span_s - 1.96 * out->span_sd_s;
    out->span_high_s = out->span_s + 1.96 * out->span_sd_s;
    out->jitter_s = counted > 0 ? jitter / counted : NAN;
}

void jl_phase_place(const jl_bracket *b, size_t n, size_t first, size_t last, bool regular,
                    double *at_s, double *sd_s, double *stray, jl_phase *out)
{
    if (regular && n > JL_PHASE_MOST) {
        place_stretches(b, n, first, last, at_s, sd_s, stray, out);
        return;
    }
    if (regular && n >= 4) {
        problem p = {.b = b, .n = n};
        number_ticks(&p);
        if (p.period_s > 0 && sample(&p, first, last, at_s, sd_s, stray, out)) return;
    }
    uniform_place(b, n, first, last, at_s, sd_s, stray, out);
}
