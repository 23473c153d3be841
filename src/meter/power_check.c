/* A sensor's power readings against its energy counter. */
#include "jouleline/window.h"
#include "meter/window_private.h"

#include <math.h>
#include <stdlib.h>

/* One update with both. */
typedef struct moment {
    double t_s, energy_j, power_w; /* power NAN: not read at this one */
} moment;

/* Energy at t on the straight line between the updates around it; NAN outside of them. */
static double energy_at(const moment *m, size_t n, double t_s)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m[mid].t_s <= t_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (!low) return NAN;
    const moment *a = &m[low - 1];
    if (low == n) return a->t_s >= t_s ? a->energy_j : NAN;
    return a->energy_j + (m[low].energy_j - a->energy_j) * (t_s - a->t_s) / (m[low].t_s - a->t_s);
}

static size_t moments_of(const jl_tick *ticks, size_t count, int64_t from_ns, moment *m)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const jl_meter_reading *r = &ticks[i].at;
        double t_s = 0.5e-9 * (double)(ticks[i].lo_ns - from_ns + ticks[i].hi_ns - from_ns);
        if (!(r->valid & JL_READ_ENERGY) || (n && t_s <= m[n - 1].t_s)) continue;
        m[n++] = (moment){t_s, r->energy_j, r->valid & JL_READ_POWER ? r->power_w : NAN};
    }
    return n;
}

/* What the counter says the i-th reading should show: mean power over what it averages. */
static double expected_w(const moment *m, size_t n, size_t i, double average_s)
{
    double since_s = m[i].t_s - average_s;
    if (!(since_s >= 0)) return NAN;
    return (m[i].energy_j - energy_at(m, n, since_s)) / (m[i].t_s - since_s);
}

void jl_power_check_of(const jl_meter_domain *d, const jl_tick *ticks, size_t count,
                       int64_t from_ns, int64_t to_ns, jl_power_check *out)
{
    *out = (jl_power_check){.counter_w = NAN, .power_w = NAN, .rel = NAN, .se_rel = NAN};
    double average_s = d->power_average_s >= 0 ? d->power_average_s : 1, end_s = 0;
    double sum_p = 0, sum_e = 0, sum_pp = 0, sum_pe = 0, sum_ee = 0, first_s = 0, k = 0;
    if (average_s < 0.5 * d->tick_s)
        return; /* it shows a moment, not what lies between two ticks */
    moment *m = calloc(count + 1, sizeof *m);
    if (!m) return;
    size_t n = moments_of(ticks, count, from_ns, m);
    for (size_t i = 0; i < n; i++) {
        double e = expected_w(m, n, i, average_s), p = m[i].power_w;
        if (!isfinite(e) || !isfinite(p) || m[i].t_s > (double)(to_ns - from_ns) * 1e-9) continue;
        if (k < 1) first_s = m[i].t_s - average_s;
        end_s = m[i].t_s;
        k++;
        sum_p += p;
        sum_e += e;
        sum_pp += p * p;
        sum_pe += p * e;
        sum_ee += e * e;
    }
    free(m);
    out->readings = (size_t)k;
    if (k < 3 || !(sum_e > 0)) return;
    out->span_s = end_s - first_s;
    out->power_w = sum_p / k;
    out->counter_w = sum_e / k;
    double ratio = sum_p / sum_e;
    /* readings that share averaging time repeat each other: only so many are independent */
    double independent = fmin(k, 1 + out->span_s / fmax(average_s, d->tick_s));
    double left = fmax(sum_pp - 2 * ratio * sum_pe + ratio * ratio * sum_ee, 0) / (k - 1);
    double se_w = hypot(sqrt(left / independent), d->quantum_w / sqrt(12 * k));
    out->rel = ratio - 1;
    out->se_rel = se_w / out->counter_w;
    double half = jl_t_quantile_975(independent - 1) * out->se_rel;
    out->low_rel = out->rel - half;
    out->high_rel = out->rel + half;
    out->valid = true;
}
