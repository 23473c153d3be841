#include "study/record.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/statistics.h"

static double percentile(const double *x, size_t n, double q)
{
    jl_percentile p;
    return jl_percentile_of(x, n, q, 0.95, &p, NULL) || p.value.why ? NAN : p.value.value;
}

static void fill_latency(const jl_bench_result *r, int64_t batch, jl_run_record *to)
{
    size_t n = r->pair_count;
    JL_OWNED double *d = calloc(n + 1, sizeof *d);
    if (!n || !d) return;
    to->calls = (int64_t)n;
    to->latency_min_ns = INT64_MAX;
    to->latency_max_ns = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t t = r->pairs[2 * i + 1] - r->pairs[2 * i];
        d[i] = (double)t;
        sum += d[i];
        if (t < to->latency_min_ns) to->latency_min_ns = t;
        if (t > to->latency_max_ns) to->latency_max_ns = t;
    }
    jl_batch_median m;
    if (jl_batch_median_of(d, n, 0.95, &m, NULL) == 0) {
        to->latency_ns = m.median;
        if (!m.interval.why) {
            to->latency_low_ns = m.interval.low;
            to->latency_high_ns = m.interval.high;
        }
    }
    to->latency_mean_ns = sum / (double)n;
    to->latency_p90_ns = percentile(d, n, 0.90);
    to->latency_p95_ns = percentile(d, n, 0.95);
    to->latency_p99_ns = percentile(d, n, 0.99);
    double items = (double)n * (double)batch;
    double span_s = (double)(r->pairs[2 * n - 1] - r->pairs[0]) * 1e-9;
    if (span_s > 0) to->throughput_items_per_s = items / span_s;
    if (r->cpu_ns >= 0) to->cpu_ns_per_item = (double)r->cpu_ns / items;
}

static void fill_figure(const jl_energy_figure *f, double *j, double *se_j)
{
    if (!f->valid) return;
    *j = f->j;
    *se_j = f->se_j;
}

static void fill_energy(const jl_scope_energy *s, const jl_id *meters, const jl_metering *m,
                        jl_energy_record *to)
{
    const jl_window *w = &s->window;
    *to = jl_energy_record_empty();
    to->scope = s->scope;
    to->headline = s->headline;
    to->meter = s->domain >= 0 && meters ? meters[s->domain] : 0;
    to->reason = w->reason;
    if (s->domain >= 0) {
        const jl_meter_domain *d = jl_meter_set_domain(jl_metering_set(m), (size_t)s->domain);
        to->simulated = d->simulated;
        to->modelled = d->modelled;
    }
    if (!w->valid || !w->gross.valid) {
        if (!*w->reason) to->reason = "the meter gave no figure";
        return;
    }
    to->reason = NULL;
    to->method = jl_energy_method_name(w->method);
    to->gross_j = w->gross.j;
    to->gross_se_j = w->gross.se_j;
    to->gross_low_j = w->gross.low_j;
    to->gross_high_j = w->gross.high_j;
    fill_figure(&w->net_sleeping, &to->net_sleeping_j, &to->net_sleeping_se_j);
    fill_figure(&w->net_waking, &to->net_waking_j, &to->net_waking_se_j);
    to->systematic_rel = w->systematic_rel;
    to->power_w = w->power_w;
    to->window_j = w->energy_j;
    to->window_items = w->items;
    to->window_s = (double)(w->last_ns - w->first_ns) * 1e-9;
    to->ticks = (int64_t)w->ticks;
    to->sensor_se_j = w->sensor_se_j;
    to->drift_rel = w->drift_rel;
    to->drift_se_rel = w->drift_se_rel;
    to->slope_check_rel = w->check_rel;
    to->power_check_rel = w->power_check_rel;
    to->power_check_se_rel = w->power_check_se_rel;
}

void jl_record_fill(const jl_bench_result *r, int64_t batch, const jl_id *meters,
                    const jl_metering *metering, const char *no_energy, jl_energy_record *energy,
                    jl_ticks_record *ticks, jl_run_record *to)
{
    to->outcome = r->outcome;
    to->stage = r->stage;
    to->message = *r->message ? r->message : NULL;
    to->stderr_tail = r->log;
    to->signal = r->signal ? r->signal : JL_ABSENT;
    to->start_method = *r->start_method ? r->start_method : NULL;
    to->stopped = *r->stopped ? r->stopped : NULL;
    to->simulated = r->simulated;
    to->start_ns = r->start_ns;
    to->load_ns = r->load_ns;
    to->warm_ns = r->warm_ns;
    to->measure_ns = r->measure_ns;
    to->check_ns = r->check_ns;
    to->total_ns = r->total_ns;
    to->first_call_ns = r->first_call_ns;
    to->peak_rss_bytes = r->peak_rss_bytes;
    to->device_memory_bytes = r->device_memory_bytes;
    to->facts = r->facts;
    to->energy = energy;
    if (!r->pair_count) return;
    to->pairs = r->pairs;
    to->pair_count = r->pair_count;
    to->settled = r->settled;
    fill_latency(r, batch, to);
    for (size_t i = 0; i < r->metered.count; i++)
        fill_energy(&r->metered.scopes[i], meters, metering, &energy[to->energy_count++]);
    to->ticks = ticks;
    for (size_t i = 0; i < r->metered.kept_count && meters; i++) {
        const jl_kept_ticks *k = &r->metered.kept[i];
        ticks[to->ticks_count++] = (jl_ticks_record){meters[k->domain], k->ticks, k->count};
    }
    if (!r->metered.count) {
        energy[0] = jl_energy_record_empty();
        energy[0].scope = "host";
        energy[0].headline = true;
        energy[0].reason = no_energy && *no_energy ? no_energy : "no meter was asked for";
        to->energy_count = 1;
    }
    if (!r->metered.has_condition) return;
    const jl_condition *c = &r->metered.condition;
    to->power_capped = c->power_capped;
    to->temperature_c = c->temperature_c;
    to->sm_clock_mhz = c->sm_clock_mhz;
    to->mem_clock_mhz = c->mem_clock_mhz;
    to->power_limit_w = c->power_limit_w;
}
