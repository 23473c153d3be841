/* One thread a domain: sleep until the tracker wants a reading, read, keep the ticks. */
#include "base/rng.h"
#include "jouleline/window.h"
#include "meter/track.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A counter that has not moved for this many ticks is stuck. */
static const double STUCK_TICKS = 30;
static const double STUCK_LEAST_S = 3;
/* Errors in a row before a sensor is given up: some drivers fail for a moment. */
enum { PATIENCE = 5 };
/* The state costs several calls; it may take this share of the time. */
static const double STATE_SHARE = 0.1;

typedef struct watch {
    struct jl_sampler *owner;
    size_t domain;
    const jl_meter_domain *about;
    pthread_t thread;
    bool started;
    jl_track track;
    int64_t state_after_ns; /* no state reading before this */
    /* shared with the callers, under the sampler's lock */
    jl_tick *ticks;
    size_t count, capacity;
    jl_meter_reading latest;
    bool has_latest, ended;
    char trouble[320];
} watch;

struct jl_sampler {
    jl_meter_set *set;
    const jl_clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a tick, an end or a stop */
    atomic_bool stop;
    size_t count;
    watch watches[];
};

static void keep(watch *w, const jl_tick *tick)
{
    if (w->count == w->capacity) {
        size_t more = w->capacity ? 2 * w->capacity : 256;
        jl_tick *grown = realloc(w->ticks, more * sizeof *grown);
        if (!grown) return; /* a lost tick widens an interval, no more */
        w->ticks = grown;
        w->capacity = more;
    }
    w->ticks[w->count++] = *tick;
}

/* Adds the state of the device to a tick, when there is time for it. */
static void add_state(watch *w, jl_tick *tick)
{
    const jl_clock *clock = w->owner->clock;
    int64_t begin_ns = clock->now_ns(clock->ctx);
    if (begin_ns < w->state_after_ns) return;
    jl_meter_reading state;
    uint32_t want = JL_READ_STATE | (w->about->has_counter ? JL_READ_POWER : 0u);
    if (jl_meter_set_read(w->owner->set, w->domain, want, &state, NULL)) return;
    int64_t end_ns = clock->now_ns(clock->ctx);
    w->state_after_ns = end_ns + (int64_t)((double)(end_ns - begin_ns) / STATE_SHARE);
    jl_meter_reading *at = &tick->at;
    state.t_before_ns = at->t_before_ns;
    state.t_after_ns = at->t_after_ns;
    state.energy_j = at->energy_j;
    if (!(state.valid & JL_READ_POWER)) state.power_w = at->power_w;
    state.valid |= at->valid;
    *at = state;
}

static void give_up(watch *w, const char *why)
{
    pthread_mutex_lock(&w->owner->lock);
    snprintf(w->trouble, sizeof w->trouble, "%.90s: %.220s", w->about->id, why);
    w->ended = true;
    pthread_cond_broadcast(&w->owner->moved);
    pthread_mutex_unlock(&w->owner->lock);
}

static void publish(watch *w, const jl_meter_reading *reading, const jl_tick *tick)
{
    jl_sampler *s = w->owner;
    pthread_mutex_lock(&s->lock);
    if (tick) keep(w, tick);
    w->latest = tick ? tick->at : *reading;
    w->has_latest = true;
    if (tick) pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static void *watch_domain(void *arg)
{
    watch *w = arg;
    jl_sampler *s = w->owner;
    const jl_clock *clock = s->clock;
    uint32_t want = w->about->has_counter ? JL_READ_ENERGY : JL_READ_POWER;
    int failures = 0;
    double energy_j = -1;
    while (!atomic_load(&s->stop)) {
        int64_t now_ns = clock->now_ns(clock->ctx);
        if (w->track.next_ns > now_ns + JL_NS_PER_S / 10) { /* stay ready to stop */
            clock->sleep_until_ns(clock->ctx, now_ns + JL_NS_PER_S / 10);
            continue;
        }
        clock->sleep_until_ns(clock->ctx, w->track.next_ns);
        jl_meter_reading reading;
        jl_error err = {0};
        int rc = jl_meter_set_read(s->set, w->domain, want, &reading, &err);
        if (!rc && !(reading.valid & want)) rc = jl_fail(&err, JL_ERR_IO, "gave no reading");
        if (!rc && (want & JL_READ_ENERGY) && reading.energy_j < energy_j) {
            give_up(w, "its energy counter went backwards");
            return NULL;
        }
        if (rc) {
            if (rc == JL_ERR_MISSING || ++failures >= PATIENCE) {
                give_up(w, err.msg);
                return NULL;
            }
            w->track.next_ns = clock->now_ns(clock->ctx) + JL_NS_PER_S / 50;
            continue;
        }
        failures = 0;
        energy_j = reading.energy_j;
        jl_tick tick;
        bool ticked = jl_track_feed(&w->track, &reading, &tick);
        if (ticked) add_state(w, &tick);
        publish(w, &reading, ticked ? &tick : NULL);
        double stuck_s = jl_track_stuck_s(&w->track, reading.t_after_ns);
        if (stuck_s > STUCK_LEAST_S && stuck_s > STUCK_TICKS * w->track.period_s) {
            char why[80];
            snprintf(why, sizeof why, "its energy counter has not moved for %.1f s", stuck_s);
            give_up(w, why);
            return NULL;
        }
    }
    return NULL;
}

int jl_sampler_start(jl_meter_set *set, const size_t *domains, size_t count, const jl_clock *clock,
                     jl_sampler **out, jl_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < count; i++)
        if (!jl_meter_set_domain(set, domains[i]))
            return jl_fail(err, JL_ERR_USAGE, "there is no meter domain %zu", domains[i]);
    jl_sampler *s = calloc(1, sizeof *s + count * sizeof s->watches[0]);
    if (!s) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the sampler");
    s->set = set;
    s->clock = clock ? clock : &jl_clock_real;
    s->count = count;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int64_t now_ns = s->clock->now_ns(s->clock->ctx);
    for (size_t i = 0; i < count; i++) {
        watch *w = &s->watches[i];
        *w = (watch){
            .owner = s, .domain = domains[i], .about = jl_meter_set_domain(set, domains[i])};
        jl_track_init(&w->track, w->about, now_ns, jl_mix64((uint64_t)now_ns + i));
        int rc = pthread_create(&w->thread, NULL, watch_domain, w);
        if (rc) {
            errno = rc;
            jl_sampler_stop(s);
            return jl_fail_errno(err, JL_ERR, "cannot start a sampling thread");
        }
        w->started = true;
    }
    *out = s;
    return 0;
}

int jl_sampler_ticks(jl_sampler *s, size_t i, int64_t since_ns, jl_tick **ticks, size_t *count,
                     jl_error *err)
{
    *ticks = NULL;
    *count = 0;
    if (i >= s->count) return jl_fail(err, JL_ERR_USAGE, "the sampler has no domain %zu", i);
    watch *w = &s->watches[i];
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    size_t first = w->count;
    while (first > 0 && w->ticks[first - 1].hi_ns >= since_ns)
        first--;
    size_t n = w->count - first;
    if (n) {
        *ticks = malloc(n * sizeof **ticks);
        if (*ticks) {
            memcpy(*ticks, w->ticks + first, n * sizeof **ticks);
            *count = n;
        } else {
            rc = jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu ticks", n);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

bool jl_sampler_latest(jl_sampler *s, size_t i, jl_meter_reading *out)
{
    if (i >= s->count) return false;
    pthread_mutex_lock(&s->lock);
    bool has = s->watches[i].has_latest;
    if (has) *out = s->watches[i].latest;
    pthread_mutex_unlock(&s->lock);
    return has;
}

const char *jl_sampler_trouble(jl_sampler *s, size_t i)
{
    if (i >= s->count) return "";
    pthread_mutex_lock(&s->lock);
    const char *words = s->watches[i].ended ? s->watches[i].trouble : "";
    pthread_mutex_unlock(&s->lock);
    return words;
}

bool jl_sampler_wait_tick(jl_sampler *s, size_t i, int64_t t_ns, int64_t timeout_ns)
{
    if (i >= s->count) return false;
    watch *w = &s->watches[i];
    int64_t until_ns = jl_now_ns() + (timeout_ns > 0 ? timeout_ns : 0);
    struct timespec until = {until_ns / JL_NS_PER_S, until_ns % JL_NS_PER_S};
    bool ticked;
    pthread_mutex_lock(&s->lock);
    while (!(ticked = w->count && w->ticks[w->count - 1].lo_ns >= t_ns) && !w->ended) {
        int rc = timeout_ns < 0 ? pthread_cond_wait(&s->moved, &s->lock)
                                : pthread_cond_timedwait(&s->moved, &s->lock, &until);
        if (rc) break;
    }
    pthread_mutex_unlock(&s->lock);
    return ticked;
}

void jl_sampler_stop(jl_sampler *s)
{
    if (!s) return;
    atomic_store(&s->stop, true);
    for (size_t i = 0; i < s->count; i++) {
        if (s->watches[i].started) pthread_join(s->watches[i].thread, NULL);
        free(s->watches[i].ticks);
    }
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
