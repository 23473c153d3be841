#include "meter/phase.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

enum { BURN_IN = 1200, DRAWS = 1500, EVERY = 3 };
static const double MIN_JITTER_S = 1e-6;
/* The prior of the jitter s is s^-(1 + PRIOR_POWER), chosen by simulation (bench_energy_virtual) so
 * that 95 % intervals hold for perfectly regular ticks as for ticks that stray by 10 ms. */
static const double PRIOR_POWER = 1.3;

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

static double log_likelihood(const problem *p, const line *l)
{
    double s = exp(l->log_jitter), sum = -PRIOR_POWER * l->log_jitter;
    if (s < MIN_JITTER_S || s > 0.3 * p->period_s || l->end_s <= l->begin_s) return -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        double m = line_at(p, l, i);
        double q = normal_between((p->b[i].lo_s - m) / s, (p->b[i].hi_s - m) / s);
        if (!(q > 1e-290)) return -INFINITY;
        sum += log(q);
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

/* Least squares through the middles, and a jitter wide enough for the likelihood to be positive. */
static line start_line(const problem *p)
{
    double n = (double)p->n, sk = 0, st = 0, skk = 0, skt = 0, worst = 0;
    for (size_t i = 0; i < p->n; i++) {
        double k = (double)p->index[i], t = 0.5 * (p->b[i].lo_s + p->b[i].hi_s);
        sk += k;
        st += t;
        skk += k * k;
        skt += k * t;
    }
    double b = (n * skt - sk * st) / (n * skk - sk * sk), a = (st - b * sk) / n;
    line l = {.begin_s = a, .end_s = a + b * p->span};
    for (size_t i = 0; i < p->n; i++) {
        double t = 0.5 * (p->b[i].lo_s + p->b[i].hi_s);
        worst = fmax(worst, fabs(t - line_at(p, &l, i)));
    }
    l.log_jitter = log(fmin(fmax(0.5 * worst, 2 * MIN_JITTER_S), 0.29 * p->period_s));
    return l;
}

static void uniform_place(const jl_bracket *b, size_t n, size_t first, size_t last, double *at_s,
                          double *sd_s, jl_phase *out)
{
    for (size_t i = 0; i < n; i++) {
        at_s[i] = 0.5 * (b[i].lo_s + b[i].hi_s);
        sd_s[i] = (b[i].hi_s - b[i].lo_s) / sqrt(12);
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
    double mean[JL_PHASE_MOST], square[JL_PHASE_MOST], jitter, span[DRAWS];
    size_t draws;
} sums;

static void draw_ticks(const problem *p, jl_rng *r, const line *at, size_t first, size_t last,
                       sums *sum)
{
    double s = exp(at->log_jitter), t[JL_PHASE_MOST];
    sum->draws++;
    for (size_t k = 0; k < p->n; k++) {
        t[k] = truncated(r, line_at(p, at, k), s, p->b[k].lo_s, p->b[k].hi_s);
        double off = t[k] - sum->mean[k]; /* Welford */
        sum->mean[k] += off / (double)sum->draws;
        sum->square[k] += off * (t[k] - sum->mean[k]);
    }
    sum->span[sum->draws - 1] = t[last] - t[first];
    sum->jitter += s;
}

/* False when the brackets are such as no nearly regular sensor could give. */
static bool sample(const problem *p, size_t first, size_t last, double *at_s, double *sd_s,
                   jl_phase *out)
{
    jl_rng r = {UINT64_C(0x5EED)};
    line at = start_line(p);
    double here = log_likelihood(p, &at);
    for (int widen = 0; widen < 12 && isinf(here); widen++) {
        at.log_jitter = fmin(at.log_jitter + 0.5, log(0.299 * p->period_s));
        here = log_likelihood(p, &at);
    }
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
                            double *sd_s, jl_phase *out)
{
    size_t stretches = (n + JL_PHASE_MOST - 1) / JL_PHASE_MOST;
    double jitter = 0, counted = 0;
    for (size_t k = 0; k < stretches; k++) {
        size_t from = n * k / stretches, to = n * (k + 1) / stretches;
        jl_phase one;
        jl_phase_place(b + from, to - from, 0, to - from - 1, true, at_s + from, sd_s + from, &one);
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
                    double *at_s, double *sd_s, jl_phase *out)
{
    if (regular && n > JL_PHASE_MOST) {
        place_stretches(b, n, first, last, at_s, sd_s, out);
        return;
    }
    if (regular && n >= 4) {
        problem p = {.b = b, .n = n};
        number_ticks(&p);
        if (p.period_s > 0 && sample(&p, first, last, at_s, sd_s, out)) return;
    }
    uniform_place(b, n, first, last, at_s, sd_s, out);
}
