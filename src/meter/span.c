/* Energy of a stretch of time by the ticks around it. */
#include "jouleline/window.h"
#include "meter/window_private.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void none(jl_span *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void none(jl_span *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
    out->valid = false;
    out->method = JL_METHOD_NONE;
}

static double middle_s(const jl_tick *t, int64_t origin_ns)
{
    return 0.5e-9 * (double)(t->lo_ns - origin_ns + (t->hi_ns - origin_ns));
}

static double bracket_sd_s(const jl_tick *t)
{
    return (double)(t->hi_ns - t->lo_ns) * 1e-9 / sqrt(12);
}

/* The last tick surely before from and the first surely after to; false with a reason. */
static bool surround(const jl_meter_domain *d, const jl_tick *ticks, size_t n, int64_t from_ns,
                     int64_t to_ns, size_t *first, size_t *last, jl_span *out)
{
    bool has_first = false, has_last = false;
    double previous_j = -INFINITY;
    for (size_t i = 0; i < n && !has_last; i++) {
        if (!(ticks[i].at.valid & JL_READ_ENERGY)) continue;
        if (ticks[i].at.energy_j < previous_j) {
            none(out, "the energy counter of %.80s went backwards", d->id);
            return false;
        }
        previous_j = ticks[i].at.energy_j;
        if (ticks[i].hi_ns <= from_ns) {
            has_first = true;
            *first = i;
        }
        if (ticks[i].lo_ns >= to_ns) {
            has_last = true;
            *last = i;
        }
    }
    if (!has_first || !has_last)
        none(out, "%.80s did not tick before the begin and after the end", d->id);
    return has_first && has_last;
}

/* Energy at a moment, on the straight line between the ticks around it, and the tick length. */
static double energy_at(const jl_tick *ticks, size_t first, size_t last, int64_t t_ns,
                        double *tick_j)
{
    size_t i = first;
    while (i + 1 < last &&
           0.5 * (double)(ticks[i + 1].lo_ns - t_ns + (ticks[i + 1].hi_ns - t_ns)) < 0)
        i++;
    double a = middle_s(&ticks[i], t_ns), b = middle_s(&ticks[i + 1], t_ns);
    *tick_j = ticks[i + 1].at.energy_j - ticks[i].at.energy_j;
    double share = b > a ? fmin(fmax(-a / (b - a), 0), 1) : 0;
    return ticks[i].at.energy_j + share * *tick_j;
}

static void by_counter(const jl_meter_domain *d, const jl_tick *ticks, size_t n, int64_t from_ns,
                       int64_t to_ns, const jl_idle *idle, jl_span *out)
{
    size_t first, last;
    if (!surround(d, ticks, n, from_ns, to_ns, &first, &last, out)) return;
    double span_s = (double)(to_ns - from_ns) * 1e-9, q = d->quantum_j / sqrt(6);
    if (idle && idle->valid) {
        double outside_s = -middle_s(&ticks[first], from_ns) + middle_s(&ticks[last], to_ns);
        double timing =
            idle->power_w * hypot(bracket_sd_s(&ticks[first]), bracket_sd_s(&ticks[last]));
        out->energy_j =
            ticks[last].at.energy_j - ticks[first].at.energy_j - idle->power_w * outside_s;
        out->se_j = hypot(hypot(timing, idle->power_se_w * outside_s), q);
        out->net_j = out->energy_j - idle->power_w * span_s;
        out->net_se_j = hypot(hypot(timing, idle->power_se_w * (span_s + outside_s)), q);
    } else {
        double begin_tick_j, end_tick_j;
        double begin = energy_at(ticks, first, last, from_ns, &begin_tick_j);
        double end = energy_at(ticks, first, last, to_ns, &end_tick_j);
        out->energy_j = end - begin;
        out->se_j = hypot(hypot(begin_tick_j, end_tick_j) / sqrt(12) / 2, q);
    }
    if (!(out->energy_j > 0) || out->energy_j < out->se_j) {
        none(out, "%.3f s are too short for %.80s", span_s, d->id);
        return;
    }
    out->method = jl_domain_is_fast(d) ? JL_METHOD_COUNTER_WINDOW : JL_METHOD_COUNTER_TICKS;
    out->valid = true;
}

static void by_power(const jl_meter_domain *d, const jl_tick *ticks, size_t n, int64_t from_ns,
                     int64_t to_ns, const jl_idle *idle, jl_span *out)
{
    double average_s = d->modelled ? 0 : d->power_average_s >= 0 ? d->power_average_s : 1;
    double tick_s = d->tick_s > 0 ? d->tick_s : 0.1, span_s = (double)(to_ns - from_ns) * 1e-9;
    bool above_idle = idle && idle->valid && !d->modelled;
    /* above idle, what the sensor still shows of the span after its end belongs to it */
    int64_t tail_ns = above_idle ? (int64_t)((average_s + tick_s) * 1e9) : 0;
    double area_j = 0, covered_s = 0, square = 0, mean = 0, count = 0,
           base = above_idle ? idle->power_w : 0;
    const jl_tick *previous = NULL;
    for (size_t i = 0; i < n; i++) {
        const jl_tick *t = &ticks[i];
        if (!(t->at.valid & JL_READ_POWER) || t->hi_ns < from_ns) continue;
        int64_t since_ns = previous ? previous->hi_ns : from_ns;
        int64_t until_ns = t->hi_ns < to_ns + tail_ns ? t->hi_ns : to_ns + tail_ns;
        if (until_ns > since_ns) {
            double dt = (double)(until_ns - since_ns) * 1e-9;
            area_j += (t->at.power_w - base) * dt;
            covered_s += dt;
            if (t->hi_ns <= to_ns) {
                double off = t->at.power_w - mean;
                mean += off / ++count;
                square += off * (t->at.power_w - mean);
            }
        }
        previous = t;
    }
    double want_s = span_s + (double)tail_ns * 1e-9;
    if (covered_s < want_s - 2 * tick_s - 0.05 || (!d->modelled && span_s < 2 * tick_s)) {
        none(out, "%.3f s are too short for the power readings of %.80s", span_s, d->id);
        return;
    }
    out->energy_j = area_j * want_s / covered_s + base * span_s;
    double independent = fmax(1, span_s / fmax(average_s, tick_s));
    double sd = count > 1 ? sqrt(square / (count - 1)) : 0;
    out->se_j = hypot(sd * span_s / sqrt(independent), sd * tick_s);
    if (idle && idle->valid) {
        out->net_j = out->energy_j - idle->power_w * span_s;
        out->net_se_j = hypot(out->se_j, idle->power_se_w * want_s);
    }
    if (!(out->energy_j > 0)) {
        none(out, "%.80s showed no power", d->id);
        return;
    }
    out->method = d->modelled ? JL_METHOD_MODELLED : JL_METHOD_POWER_INTEGRAL;
    out->valid = true;
}

void jl_span_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t from_ns, int64_t to_ns, const jl_idle *idle, jl_span *out)
{
    *out = (jl_span){.net_j = NAN, .net_se_j = NAN};
    if (to_ns <= from_ns) {
        none(out, "it took no time");
        return;
    }
    if (domain->has_counter) by_counter(domain, ticks, count, from_ns, to_ns, idle, out);
    if (!out->valid && domain->has_power && !domain->has_counter)
        by_power(domain, ticks, count, from_ns, to_ns, idle, out);
    if (!out->valid) {
        out->energy_j = out->se_j = out->net_j = out->net_se_j = NAN;
        return;
    }
    out->power_w = out->energy_j / ((double)(to_ns - from_ns) * 1e-9);
    out->indistinct = !(out->net_j > 2 * out->net_se_j);
}
