#include "jouleline/window.h"
#include "meter/window_private.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

const char *jl_energy_method_name(jl_energy_method m)
{
    static const char *const names[] = {"none", "counter-ticks", "counter-window", "power-integral",
                                        "modelled"};
    return m <= JL_METHOD_MODELLED ? names[m] : names[0];
}

/* Number of calls that ended at or before t. */
static size_t ended(const jl_calls *c, int64_t t_ns)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->pairs[2 * mid + 1] <= t_ns)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

double jl_calls_items(const jl_calls *c, int64_t t_ns)
{
    size_t done = ended(c, t_ns);
    double share = 0;
    /* Calls in flight end after t; with several in flight a later one may end before an earlier
     * one, so look on until calls have begun after t twice as often as they could overlap. */
    unsigned later = 0;
    for (size_t i = done; i < c->count && later < 64; i++) {
        int64_t start = c->pairs[2 * i], end = c->pairs[2 * i + 1];
        if (start >= t_ns)
            later++;
        else if (end > start)
            share += (double)(t_ns - start) / (double)(end - start);
    }
    return ((double)done + share) * c->items_per_call;
}

double jl_calls_busy_s(const jl_calls *c, int64_t a_ns, int64_t b_ns)
{
    int64_t busy = 0, until = a_ns;
    for (size_t i = ended(c, a_ns); i < c->count && until < b_ns; i++) {
        int64_t start = c->pairs[2 * i], end = c->pairs[2 * i + 1];
        if (start < until) start = until;
        if (end > b_ns) end = b_ns;
        if (end > start) {
            busy += end - start;
            until = end;
        }
    }
    return (double)busy * 1e-9;
}

double jl_t_quantile_975(double f)
{
    /* Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5), good to 1 % from f = 3 on. */
    double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z;
    if (f < 1.5) return 12.7062;
    if (f < 2.5) return 4.3027;
    return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f) +
           (3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) / (384 * f * f * f);
}

bool jl_window_none(jl_window *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
    out->valid = false;
    out->method = JL_METHOD_NONE;
    return false;
}

static void by_assumption(const jl_window_job *job, jl_window *out)
{
    const jl_meter_reading *r = NULL;
    for (size_t i = 0; i < job->tick_count; i++)
        if (job->ticks[i].at.valid & JL_READ_POWER) r = &job->ticks[i].at;
    if (!r) {
        jl_window_none(out, "no assumed power was given");
        return;
    }
    out->valid = true;
    out->method = JL_METHOD_MODELLED;
    out->power_w = r->power_w;
    out->first_ns = job->start_ns;
    out->last_ns = job->end_ns;
    out->items = jl_calls_items(job->calls, job->end_ns);
    out->energy_j = r->power_w * (double)(job->end_ns - job->start_ns) * 1e-9;
    out->gross.valid = true;
    out->gross.j = out->gross.low_j = out->gross.high_j = out->energy_j / out->items;
}

/* What remains of the gross figure when an idle power would have been drawn anyway. */
static jl_energy_figure net(const jl_window *w, const jl_idle *idle)
{
    jl_energy_figure f = {0};
    if (!idle || !idle->valid) return f;
    double s_per_item = (double)(w->last_ns - w->first_ns) * 1e-9 / w->items;
    double se_idle = idle->power_se_w * s_per_item, base = idle->power_w * s_per_item;
    f.valid = true;
    f.j = w->gross.j - base;
    f.se_j = hypot(w->gross.se_j, se_idle);
    f.low_j = f.j - hypot(w->gross.j - w->gross.low_j, 1.96 * se_idle);
    f.high_j = f.j + hypot(w->gross.high_j - w->gross.j, 1.96 * se_idle);
    f.indistinct = f.j <= 2 * f.se_j;
    return f;
}

static bool calls_make_sense(const jl_calls *c, jl_window *out)
{
    if (!c->count || !(c->items_per_call > 0)) return jl_window_none(out, "no call was completed");
    for (size_t i = 0; i < c->count; i++)
        if (c->pairs[2 * i + 1] < c->pairs[2 * i] ||
            (i && c->pairs[2 * i + 1] < c->pairs[2 * i - 1]))
            return jl_window_none(out, "the time stamps of the calls go backwards at call %zu", i);
    return true;
}

void jl_window_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t tick_count,
                        const jl_calls *calls, const jl_idle *sleeping, const jl_idle *waking,
                        jl_window *out)
{
    *out = (jl_window){.simulated = domain->simulated,
                       .modelled = domain->modelled,
                       .systematic_rel = domain->gain_rel,
                       .tick_jitter_s = NAN,
                       .sensor_se_j = NAN,
                       .drift_rel = NAN,
                       .drift_se_rel = NAN,
                       .check_rel = NAN,
                       .power_check_rel = NAN,
                       .power_check_se_rel = NAN};
    if (!calls_make_sense(calls, out)) return;
    jl_window_job job = {domain, ticks,           tick_count,
                         calls,  calls->pairs[0], calls->pairs[2 * calls->count - 1]};
    for (size_t i = 1; i < calls->count; i++)
        if (calls->pairs[2 * i] < job.start_ns) job.start_ns = calls->pairs[2 * i];
    if (job.end_ns <= job.start_ns) {
        jl_window_none(out, "the calls took no time");
        return;
    }
    if (domain->modelled)
        by_assumption(&job, out);
    else if (!(domain->has_counter && jl_window_by_counter(&job, out)) && domain->has_power) {
        char first[sizeof out->reason];
        snprintf(first, sizeof first, "%s", out->reason);
        if (!jl_window_by_power(&job, out) && first[0])
            jl_window_none(out, "%.120s; %.120s", first, out->reason);
    }
    if (!out->valid) {
        if (!out->reason[0]) jl_window_none(out, "%s offers neither energy nor power", domain->id);
        return;
    }
    out->reason[0] = 0;
    out->all_items = (double)calls->count * calls->items_per_call;
    out->all_energy_j = out->gross.j * out->all_items;
    out->net_sleeping = net(out, sleeping);
    out->net_waking = net(out, waking);
}

static void add_figure(jl_energy_figure *sum, const jl_energy_figure *part)
{
    sum->valid = sum->valid && part->valid;
    double low = hypot(sum->j - sum->low_j, part->j - part->low_j);
    double high = hypot(sum->high_j - sum->j, part->high_j - part->j);
    sum->j += part->j;
    sum->se_j = hypot(sum->se_j, part->se_j);
    sum->low_j = sum->j - low;
    sum->high_j = sum->j + high;
    sum->indistinct = sum->j <= 2 * sum->se_j;
}

void jl_window_add(jl_window *sum, const jl_window *part)
{
    if (!sum->valid) return;
    if (!part->valid) {
        jl_window_none(sum, "%s", part->reason);
        return;
    }
    double a = sum->gross.j, b = part->gross.j;
    /* gains of different sensors are not known to be independent: the worst case adds up */
    sum->systematic_rel = (a * sum->systematic_rel + b * part->systematic_rel) / (a + b);
    add_figure(&sum->gross, &part->gross);
    sum->gross.indistinct = false;
    add_figure(&sum->net_sleeping, &part->net_sleeping);
    add_figure(&sum->net_waking, &part->net_waking);
    sum->simulated = sum->simulated || part->simulated;
    sum->modelled = sum->modelled || part->modelled;
    sum->unsettled = sum->unsettled || part->unsettled;
    sum->sensor_se_j = hypot(sum->sensor_se_j, part->sensor_se_j);
    double whole_w = sum->power_w + part->power_w, a_rel = sum->power_w / whole_w;
    sum->drift_rel = a_rel * sum->drift_rel + (1 - a_rel) * part->drift_rel;
    sum->drift_se_rel = hypot(a_rel * sum->drift_se_rel, (1 - a_rel) * part->drift_se_rel);
    sum->power_w = whole_w;
    sum->energy_j = sum->gross.j * sum->items;
    sum->all_energy_j = sum->gross.j * sum->all_items;
    sum->tick_jitter_s = sum->check_rel = NAN;
    sum->power_check_rel = sum->power_check_se_rel = NAN;
}
