/* Energy per item from power readings, for sensors without a counter.
 *
 * A reading shown at t is the mean power over the sensor's averaging time before its last update.
 * Only readings whose averaging time lies inside the load are used: the steady mean after the
 * sensor's rise. A window too short for that gives no figure. */
#include "meter/window_private.h"

#include <math.h>

enum { READINGS_MIN = 3 };

typedef struct mean {
    double n, sum, square, first_half, second_half;
    int64_t from_ns, to_ns; /* span that the readings speak of */
    int64_t shown_first_ns, shown_last_ns;
} mean;

static void gather(const jl_window_job *job, int64_t lag_ns, mean *m)
{
    for (int pass = 0; pass < 2; pass++) {
        double split = m->n / 2, seen = 0;
        for (size_t i = 0; i < job->tick_count; i++) {
            const jl_meter_reading *r = &job->ticks[i].at;
            int64_t at_ns = r->t_before_ns + (r->t_after_ns - r->t_before_ns) / 2;
            int64_t from_ns = job->ticks[i].lo_ns - lag_ns;
            if (!(r->valid & JL_READ_POWER) || from_ns < job->start_ns || at_ns > job->end_ns)
                continue;
            if (pass) {
                *(seen++ < split ? &m->first_half : &m->second_half) += r->power_w;
                continue;
            }
            if (m->n < 1) {
                m->from_ns = from_ns;
                m->shown_first_ns = at_ns;
            }
            m->to_ns = m->shown_last_ns = at_ns;
            m->n++;
            m->sum += r->power_w;
            m->square += r->power_w * r->power_w;
        }
    }
    if (m->n >= 2) {
        m->first_half /= ceil(m->n / 2);
        m->second_half /= floor(m->n / 2);
    }
}

bool jl_window_by_power(const jl_window_job *job, jl_window *out)
{
    const jl_meter_domain *d = job->domain;
    double average_s = d->power_average_s >= 0 ? d->power_average_s : 1;
    double tick_s = d->tick_s > 0 ? d->tick_s : 0.1;
    double load_s = (double)(job->end_ns - job->start_ns) * 1e-9;
    mean m = {0};
    gather(job, (int64_t)(average_s * 1e9), &m);
    double shown_s = (double)(m.shown_last_ns - m.shown_first_ns) * 1e-9;
    if (m.n < READINGS_MIN || shown_s < 2 * tick_s)
        return jl_window_none(
            out,
            "%s offers power only, as a mean over %.2g s%s: %.2f s of load are too "
            "short, %.2g s are needed (--min-time)",
            d->id, average_s, d->power_average_s < 0 ? " (assumed)" : "", load_s,
            average_s + 6 * tick_s);
    double power = m.sum / m.n;
    if (!(power > 0)) return jl_window_none(out, "%s shows no power under load", d->id);
    out->first_ns = m.from_ns;
    out->last_ns = m.to_ns;
    out->ticks = (size_t)m.n;
    out->power_w = power;
    out->items = jl_calls_items(job->calls, m.to_ns) - jl_calls_items(job->calls, m.from_ns);
    if (!(out->items > 0)) return jl_window_none(out, "no call ran while power was read");
    double span_s = (double)(m.to_ns - m.from_ns) * 1e-9;
    out->energy_j = power * span_s;
    double j = out->energy_j / out->items;
    /* readings that share averaging time repeat each other: only so many are independent */
    double apart = fmax(average_s, tick_s), independent = fmax(shown_s / apart, 1) + 1;
    if (independent > m.n) independent = m.n;
    double variance = fmax(m.square - m.sum * power, 0) / (m.n - 1);
    double se_w = sqrt(variance / independent), q = d->quantum_w / sqrt(12 * m.n);
    /* which calls the readings speak of is known to about a tick at either end */
    double rate = out->items / span_s;
    double busy = jl_calls_busy_s(job->calls, m.from_ns, m.to_ns) / span_s;
    double ends = (1 - busy) * rate * tick_s / sqrt(6) / out->items;
    double t = jl_t_quantile_975(independent - 1);
    double rel = hypot(se_w / power, ends), small = hypot(q / power, 1 / (rate * span_s) / 12);
    out->gross = (jl_energy_figure){.valid = true, .j = j, .se_j = j * hypot(rel, small)};
    double half = j * hypot(t * rel, 1.96 * small);
    out->gross.low_j = fmax(j - half, 0);
    out->gross.high_j = j + half;
    out->unsettled = fabs(m.second_half - m.first_half) > 0.02 * power && m.n >= 6;
    out->method = JL_METHOD_POWER_INTEGRAL;
    out->valid = true;
    return true;
}
