/* Energy per item from a counter's ticks. */
#include "meter/phase.h"
#include "meter/window_private.h"

#include <math.h>
#include <stdlib.h>

static const double CONTEXT_S = 3;
/* Ticks that stray more probably than this are no ends. */
static const double STRAY_END = 0.1;
/* A window whose power changes by more is not settled. */
static const double UNSETTLED_REL = 0.02;

/* The ticks in use, times in seconds from `origin_ns`. */
typedef struct series {
    jl_bracket *b;
    double *energy_j, *at_s, *sd_s, *stray;
    double *space; /* one allocation for all of the above */
    size_t n, first, last;
    int64_t origin_ns;
} series;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double width(const series *s, size_t i)
{
    return s->b[i].hi_s - s->b[i].lo_s;
}

/* All usable ticks near the window; false with a reason when fewer than two lie inside. */
static bool collect(const jl_window_job *job, series *s, jl_window *out)
{
    int64_t from = job->start_ns - (int64_t)(CONTEXT_S * 1e9);
    int64_t to = job->end_ns + (int64_t)(CONTEXT_S * 1e9);
    size_t inside = 0;
    s->origin_ns = job->start_ns;
    s->space = calloc(job->tick_count + 1, 7 * sizeof *s->space);
    if (!s->space) return jl_window_none(out, "out of memory");
    s->b = (jl_bracket *)(void *)s->space;
    s->energy_j = s->space + 2 * job->tick_count;
    s->at_s = s->energy_j + job->tick_count;
    s->sd_s = s->at_s + job->tick_count;
    s->stray = s->sd_s + job->tick_count;
    for (size_t i = 0; i < job->tick_count; i++) {
        const jl_tick *t = &job->ticks[i];
        if (!(t->at.valid & JL_READ_ENERGY) || t->lo_ns < from || t->hi_ns > to) continue;
        if (s->n && t->at.energy_j < s->energy_j[s->n - 1])
            return jl_window_none(out, "the energy counter of %s went backwards", job->domain->id);
        if (t->lo_ns >= job->start_ns && t->hi_ns <= job->end_ns) {
            if (!inside++) s->first = s->n;
            s->last = s->n;
        }
        s->b[s->n].lo_s = (double)(t->lo_ns - s->origin_ns) * 1e-9;
        s->b[s->n].hi_s = (double)(t->hi_ns - s->origin_ns) * 1e-9;
        s->energy_j[s->n++] = t->at.energy_j;
    }
    if (inside < 2)
        return jl_window_none(out,
                              "%zu ticks of %s in %.3f s of load; 2 are needed: run longer "
                              "(--min-time)",
                              inside, job->domain->id,
                              (double)(job->end_ns - job->start_ns) * 1e-9);
    return true;
}

/* Ends whose tick was caught badly are dropped while better ones remain; then context beyond what
 * the placing takes. */
static void trim(series *s)
{
    double *w = s->at_s; /* free until the ticks are placed */
    size_t count = s->last - s->first + 1;
    for (size_t i = 0; i < count; i++)
        w[i] = width(s, s->first + i);
    qsort(w, count, sizeof *w, by_value);
    double limit = 3 * w[count / 2];
    while (s->last - s->first > 2 && width(s, s->first) > limit)
        s->first++;
    while (s->last - s->first > 2 && width(s, s->last) > limit)
        s->last--;
    size_t before = s->first, after = s->n - 1 - s->last, used = s->last - s->first + 1;
    size_t room = used < JL_PHASE_MOST ? JL_PHASE_MOST - used : 0;
    if (before > room) before = room;
    if (after > room - before) after = room - before;
    size_t drop = s->first - before;
    s->b += drop;
    s->energy_j += drop;
    s->first -= drop;
    s->last -= drop;
    s->n = s->last + after + 1;
}

/* Places the ticks. Those that strayed are no ends of the window: their energy may be that of
 * another moment. */
static void place(series *s, bool regular, jl_phase *phase)
{
    jl_phase_place(s->b, s->n, s->first, s->last, regular, s->at_s, s->sd_s, s->stray, phase);
    size_t first = s->first, last = s->last;
    while (last - first > 2 && s->stray[first] > STRAY_END)
        first++;
    while (last - first > 2 && s->stray[last] > STRAY_END)
        last--;
    if (first == s->first && last == s->last) return;
    s->first = first;
    s->last = last;
    jl_phase_place(s->b, s->n, first, last, regular, s->at_s, s->sd_s, s->stray, phase);
}

static int64_t to_ns(const series *s, double t_s)
{
    return s->origin_ns + (int64_t)llround(t_s * 1e9);
}

/* The gaps between the ticks in use, ticks that stray passed over; free(). */
static jl_tick_gap *gaps_of(const jl_window_job *job, const series *s, size_t *count)
{
    jl_tick_gap *g = calloc(s->last - s->first + 1, sizeof *g);
    double usual_s = (s->at_s[s->last] - s->at_s[s->first]) / (double)(s->last - s->first);
    size_t from = s->first;
    *count = 0;
    for (size_t k = from + 1; g && k <= s->last; k++) {
        if (s->stray[k] > 0.5 && k < s->last) continue;
        double a = s->at_s[from], b = s->at_s[k];
        int64_t a_ns = to_ns(s, a), b_ns = to_ns(s, b);
        g[*count] = (jl_tick_gap){
            .middle_s = 0.5 * (a + b),
            .busy_s = jl_calls_busy_s(job->calls, a_ns, b_ns),
            .items = jl_calls_items(job->calls, b_ns) - jl_calls_items(job->calls, a_ns),
            .energy_j = s->energy_j[k] - s->energy_j[from],
            .ticks = fmax(1, round((b - a) / usual_s)),
            .timing_s2 = s->sd_s[k] * s->sd_s[k] + s->sd_s[from] * s->sd_s[from]};
        g[*count].idle_s = b - a - g[*count].busy_s;
        ++*count;
        from = k;
    }
    return g;
}

/* Energy against items by least squares over the ticks: the second estimate. */
static double slope_j(const jl_window_job *job, const series *s)
{
    double n = 0, si = 0, se = 0, sii = 0, sie = 0;
    double i0 = jl_calls_items(job->calls, to_ns(s, s->at_s[s->first])), e0 = s->energy_j[s->first];
    for (size_t k = s->first; k <= s->last; k++) {
        if (s->stray[k] > 0.5) continue;
        double i = jl_calls_items(job->calls, to_ns(s, s->at_s[k])) - i0, e = s->energy_j[k] - e0;
        n++;
        si += i;
        se += e;
        sii += i * i;
        sie += i * e;
    }
    return (n * sie - si * se) / (n * sii - si * si);
}

static void power_check(const jl_window_job *job, jl_window *out)
{
    jl_power_check c;
    if (!job->domain->has_power) return;
    jl_power_check_of(job->domain, job->ticks, job->tick_count, job->start_ns, job->end_ns, &c);
    out->power_check_rel = c.rel;
    out->power_check_se_rel = c.se_rel;
}

static bool first_stands_out(const jl_tick_gap *g, size_t count)
{
    if (count < 4) return false;
    double first = g[0].energy_j / (g[0].busy_s + g[0].idle_s), sum = 0, sq = 0,
           n = (double)(count - 1);
    for (size_t k = 1; k < count; k++) {
        double p = g[k].energy_j / (g[k].busy_s + g[k].idle_s);
        sum += p;
        sq += p * p;
    }
    double mean = sum / n, sd = sqrt(fmax(sq / n - mean * mean, 0) * n / (n - 1));
    double off = fabs(first - mean);
    return off > UNSETTLED_REL * mean && off > 4 * sd;
}

/* What the gaps say of noise and drift. */
static bool look_at_gaps(const jl_window_job *job, const series *s, jl_window *out,
                         jl_tick_noise *noise)
{
    size_t count;
    jl_tick_gap *gaps = gaps_of(job, s, &count);
    if (!gaps) return jl_window_none(out, "out of memory");
    jl_tick_noise_of(gaps, count, job->domain->quantum_j, out->power_w, noise);
    out->drift_rel = noise->drift_rel;
    out->drift_se_rel = noise->drift_se_rel;
    out->unsettled =
        first_stands_out(gaps, count) ||
        (fabs(out->drift_rel) > UNSETTLED_REL && fabs(out->drift_rel) > 2 * out->drift_se_rel);
    free(gaps);
    return true;
}

static bool figure(const jl_window_job *job, const series *s, const jl_phase *phase, jl_window *out)
{
    out->first_ns = to_ns(s, s->at_s[s->first]);
    out->last_ns = to_ns(s, s->at_s[s->last]);
    out->ticks = s->last - s->first + 1;
    out->energy_j = s->energy_j[s->last] - s->energy_j[s->first];
    out->items =
        jl_calls_items(job->calls, out->last_ns) - jl_calls_items(job->calls, out->first_ns);
    if (!(out->energy_j > 0))
        return jl_window_none(out, "the energy counter of %s did not move under load",
                              job->domain->id);
    if (!(out->items > 0)) return jl_window_none(out, "no call ran between the ticks");
    double j = out->energy_j / out->items, rate = out->items / phase->span_s;
    out->power_w = out->energy_j / phase->span_s;
    jl_tick_noise seen;
    if (!look_at_gaps(job, s, out, &seen)) return false;
    double noise = seen.se_j / out->items;
    double q = job->domain->quantum_j / sqrt(6) / out->items;
    double span_s = phase->span_s;
    /* with pauses between calls, the power at a tick is not the mean power but that of a call or
       of a pause: what an error of the tick's time costs grows accordingly */
    double busy = jl_calls_busy_s(job->calls, out->first_ns, out->last_ns) / span_s;
    rate /= sqrt(fmax(busy, 0.01));
    double timing = j * rate * phase->span_sd_s / out->items;
    double t = noise > 0 ? jl_t_quantile_975(seen.freedom) : 1.96;
    double fewer = out->items - rate * (span_s - phase->span_low_s);
    double more = out->items + rate * (phase->span_high_s - span_s);
    out->sensor_se_j = hypot(timing, q);
    out->gross = (jl_energy_figure){.valid = true, .j = j, .se_j = hypot(out->sensor_se_j, noise)};
    double up = fewer > 0 ? out->energy_j / fewer - j : INFINITY, down = j - out->energy_j / more;
    out->gross.low_j = j - hypot(hypot(down, t * noise), 1.96 * q);
    out->gross.high_j = j + hypot(hypot(up, t * noise), 1.96 * q);
    if (!isfinite(up) || out->gross.low_j <= 0)
        return jl_window_none(out,
                              "the ticks of %s are too coarse for %.3f s of load: run longer "
                              "(--min-time)",
                              job->domain->id, (double)(job->end_ns - job->start_ns) * 1e-9);
    out->valid = true;
    return true;
}

bool jl_window_by_counter(const jl_window_job *job, jl_window *out)
{
    series s = {0};
    jl_phase phase;
    bool fast = jl_domain_is_fast(job->domain), ok = false;
    if (collect(job, &s, out)) {
        trim(&s);
        place(&s, !fast, &phase);
        ok = figure(job, &s, &phase, out);
    }
    if (ok) {
        out->method = fast ? JL_METHOD_COUNTER_WINDOW : JL_METHOD_COUNTER_TICKS;
        out->tick_jitter_s = phase.jitter_s;
        out->check_rel = slope_j(job, &s) / out->gross.j - 1;
        power_check(job, out);
    }
    free(s.space);
    return ok;
}
