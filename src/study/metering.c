#include "study/metering.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* Ticks from before the window help to place those inside it. */
static const int64_t LEAD_NS = 2 * JL_NS_PER_S;
/* A sensor that ticks faster than this is noisy from tick to tick: no settling by power. */
static const double SLOW_TICK_S = 0.01;

/* A board sleeps when its clock is below this share of that under load. */
static const double ASLEEP_REL = 0.6;

struct jl_metering {
    jl_meter_set *set;
    jl_sampler *sampler;
    size_t count, host_count;
    size_t host[JL_HOST_DOMAINS];
    jl_idle *sleeping; /* count of them, or NULL */
};

int jl_metering_start(jl_meter_set *set, const jl_clock *clock, jl_metering **out, jl_error *err)
{
    *out = NULL;
    jl_metering *m = calloc(1, sizeof *m);
    if (!m) return jl_fail(err, JL_ERR_MEMORY, "no memory for the meters");
    m->set = set;
    m->count = jl_meter_set_count(set);
    m->host_count = jl_meter_set_host(set, m->host, JL_HOST_DOMAINS);
    if (m->host_count > JL_HOST_DOMAINS) m->host_count = JL_HOST_DOMAINS;
    JL_OWNED size_t *all = calloc(m->count + 1, sizeof *all);
    for (size_t i = 0; all && i < m->count; i++)
        all[i] = i;
    int rc = all ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for the meters");
    if (!rc && m->count) rc = jl_sampler_start(set, all, m->count, clock, &m->sampler, err);
    if (rc) {
        free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void jl_metering_stop(jl_metering *m)
{
    if (!m) return;
    jl_sampler_stop(m->sampler);
    free(m->sleeping);
    free(m);
}

jl_meter_set *jl_metering_set(const jl_metering *m)
{
    return m->set;
}

int jl_metering_gpu(const jl_metering *m, const char *uuid)
{
    return uuid && *uuid ? jl_meter_set_gpu(m->set, uuid) : -1;
}

/* The domain whose ticks decide: the board, else the host's first. */
static int leading(const jl_metering *m, const char *uuid)
{
    int gpu = jl_metering_gpu(m, uuid);
    if (gpu >= 0) return gpu;
    return m->host_count ? (int)m->host[0] : -1;
}

static jl_tick *ticks_of(jl_metering *m, int domain, int64_t since_ns, size_t *count)
{
    jl_tick *ticks = NULL;
    *count = 0;
    if (!m->sampler || jl_sampler_ticks(m->sampler, (size_t)domain, since_ns, &ticks, count, NULL))
        *count = 0;
    return ticks;
}

size_t jl_metering_ticks(jl_metering *m, const char *uuid, int64_t since_ns)
{
    int domain = leading(m, uuid);
    size_t n = 0;
    if (domain < 0 || *jl_sampler_trouble(m->sampler, (size_t)domain)) return SIZE_MAX;
    free(ticks_of(m, domain, since_ns, &n));
    return n;
}

bool jl_metering_settled(jl_metering *m, const char *uuid, int64_t since_ns)
{
    int domain = jl_metering_gpu(m, uuid);
    if (domain < 0 || *jl_sampler_trouble(m->sampler, (size_t)domain)) return true;
    const jl_meter_domain *d = jl_meter_set_domain(m->set, (size_t)domain);
    if (d->tick_s < SLOW_TICK_S) return true;
    size_t n;
    JL_OWNED jl_tick *ticks = ticks_of(m, domain, since_ns, &n);
    return jl_ticks_settled(d, ticks, n, since_ns, 0.02);
}

void jl_metering_idle(jl_metering *m, int64_t from_ns, int64_t to_ns, jl_idle *idle)
{
    for (size_t i = 0; i < m->count; i++) {
        size_t n;
        JL_OWNED jl_tick *ticks = ticks_of(m, (int)i, from_ns - LEAD_NS, &n);
        jl_idle_estimate(jl_meter_set_domain(m->set, i), ticks, n, from_ns, to_ns, &idle[i]);
    }
}

void jl_metering_set_sleeping(jl_metering *m, const jl_idle *idle)
{
    jl_idle *before = m->sleeping;
    m->sleeping = idle ? calloc(m->count + 1, sizeof *idle) : NULL;
    for (size_t i = 0; m->sleeping && i < m->count; i++)
        m->sleeping[i] = idle[i].valid || !before ? idle[i] : before[i];
    free(before);
}

bool jl_metering_asleep(jl_metering *m, const char *uuid, double loaded_mhz)
{
    int domain = jl_metering_gpu(m, uuid);
    if (domain < 0) return true;
    int64_t now_ns = jl_now_ns(), since_ns = now_ns - JL_NS_PER_S / 2;
    size_t n;
    JL_OWNED jl_tick *ticks = ticks_of(m, domain, since_ns, &n);
    jl_idle now;
    jl_idle_estimate(jl_meter_set_domain(m->set, (size_t)domain), ticks, n, since_ns, now_ns, &now);
    return !(now.sm_clock_mhz > ASLEEP_REL * loaded_mhz);
}

static void estimate_domain(jl_metering *m, size_t domain, const jl_calls *calls,
                            const jl_idle *waking, jl_window *window, jl_condition *condition,
                            jl_kept_ticks *kept)
{
    const jl_meter_domain *d = jl_meter_set_domain(m->set, domain);
    int64_t from_ns = calls->pairs[0], to_ns = calls->pairs[2 * calls->count - 1];
    size_t n;
    jl_tick *ticks = ticks_of(m, (int)domain, from_ns - LEAD_NS, &n);
    *kept = (jl_kept_ticks){domain, ticks, n};
    const jl_idle *sleeping = m->sleeping ? &m->sleeping[domain] : NULL;
    if (sleeping && !sleeping->valid) sleeping = NULL;
    waking = waking && waking[domain].valid ? &waking[domain] : NULL;
    jl_window_estimate(d, ticks, n, calls, sleeping, waking, window);
    const char *trouble = jl_sampler_trouble(m->sampler, domain);
    if (!window->valid && *trouble)
        snprintf(window->reason, sizeof window->reason, "%s: %s", d->label, trouble);
    if (condition) jl_condition_of(ticks, n, from_ns, to_ns, condition);
}

static jl_scope_energy *add_scope(jl_metered *out, const char *name, int domain)
{
    jl_scope_energy *e = &out->scopes[out->count++];
    *e = (jl_scope_energy){.domain = domain};
    snprintf(e->scope, sizeof e->scope, "%s", name);
    return e;
}

void jl_metering_estimate(jl_metering *m, const char *uuid, const jl_calls *calls,
                          const jl_idle *waking, jl_metered *out)
{
    *out = (jl_metered){0};
    int gpu = jl_metering_gpu(m, uuid);
    if (uuid && *uuid) {
        jl_scope_energy *e = add_scope(out, "gpu", gpu);
        e->headline = true;
        out->has_condition = gpu >= 0;
        if (gpu >= 0)
            estimate_domain(m, (size_t)gpu, calls, waking, &e->window, &out->condition,
                            &out->kept[out->kept_count++]);
        else
            snprintf(e->window.reason, sizeof e->window.reason, "no meter of this board: %s",
                     jl_meter_set_absent(m->set));
    }
    jl_scope_energy *e = add_scope(out, "host", m->host_count ? (int)m->host[0] : -1);
    e->headline = out->count == 1;
    if (!m->host_count)
        snprintf(e->window.reason, sizeof e->window.reason, "no meter of the host: %s",
                 jl_meter_set_absent(m->set));
    for (size_t i = 0; i < m->host_count; i++) {
        jl_window part;
        estimate_domain(m, m->host[i], calls, waking, &part, NULL, &out->kept[out->kept_count++]);
        if (i == 0)
            e->window = part;
        else
            jl_window_add(&e->window, &part);
    }
}

void jl_metered_free(jl_metered *m)
{
    for (size_t i = 0; i < m->kept_count; i++)
        free(m->kept[i].ticks);
    m->kept_count = 0;
}

void jl_metering_words(jl_metering *m, const char *uuid, char *text, size_t size)
{
    *text = '\0';
    int domain = leading(m, uuid);
    jl_meter_reading r;
    if (domain < 0 || !jl_sampler_latest(m->sampler, (size_t)domain, &r)) return;
    int n = 0;
    if (r.valid & JL_READ_POWER) n += snprintf(text + n, size - (size_t)n, " %.0f W", r.power_w);
    if ((r.valid & JL_READ_SM_CLOCK) && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " %.0f MHz", r.sm_clock_mhz);
    if ((r.valid & JL_READ_TEMPERATURE) && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " %.0f C", r.temperature_c);
}
