#include "meter/track.h"

#include "meter/window_private.h"

#include <math.h>

/* Below this period a reading is as good as a tick. */
static const double FAST_S = 0.005;
static const double GUESS_S = 0.1;
static const double STEADY_S = 0.05;

static int64_t ns(double s)
{
    return (int64_t)(s * 1e9);
}

static int64_t middle_ns(const jl_meter_reading *r)
{
    return r->t_before_ns + (r->t_after_ns - r->t_before_ns) / 2;
}

/* A call looks at the sensor somewhere in its middle. When it took longer than usual, it was held
 * up before or after that, and the moment is that much less known. */
static int64_t held_up_ns(const jl_track *t, const jl_meter_reading *r)
{
    int64_t extra_ns = r->t_after_ns - r->t_before_ns - ns(t->call_s);
    return extra_ns > 0 ? extra_ns / 2 : 0;
}

void jl_track_init(jl_track *t, const jl_meter_domain *domain, int64_t now_ns, uint64_t seed)
{
    *t = (jl_track){.mode = JL_TRACK_SEARCH,
                    .counter = domain->has_counter,
                    .period_s = domain->tick_s > 0 ? domain->tick_s : GUESS_S,
                    .next_ns = now_ns,
                    .changed_ns = now_ns,
                    .rng = {seed}};
    if (!domain->has_counter || jl_domain_is_fast(domain)) t->mode = JL_TRACK_STEADY;
}

double jl_track_stuck_s(const jl_track *t, int64_t t_ns)
{
    return t->counter ? (double)(t_ns - t->changed_ns) * 1e-9 : 0;
}

/* Readings at dithered moments, half a period apart at most; each is a tick of its own. */
static bool feed_steady(jl_track *t, const jl_meter_reading *r, jl_tick *out)
{
    bool stamped = r->valid & JL_READ_STAMPED;
    double pause_s = t->counter || stamped ? STEADY_S : fmin(fmax(0.5 * t->period_s, 0.01), 1.0);
    t->next_ns = r->t_after_ns + ns(pause_s * (0.5 + jl_rng_uniform(&t->rng)));
    if (t->counter && t->has_before && r->energy_j != t->before.energy_j)
        t->changed_ns = r->t_after_ns;
    t->before = *r;
    t->has_before = true;
    int64_t middle = middle_ns(r);
    out->lo_ns = middle - ns(t->period_s);
    out->hi_ns = middle;
    out->at = *r;
    if (!stamped) return true;
    bool fresh = !t->tick_ns || middle > t->tick_ns;
    t->tick_ns = middle;
    out->lo_ns = r->t_before_ns;
    out->hi_ns = r->t_after_ns > r->t_before_ns ? r->t_after_ns : r->t_before_ns + 1;
    return fresh;
}

/* The next read starts so that, reading without pause, the middle of one read falls on the
 * predicted tick: whether the tick came before or after it is the most telling answer. The reads
 * before that one catch ticks that come early. */
static void aim(jl_track *t)
{
    double call_s = fmax(t->call_s, 1e-4);
    double ahead = ceil((t->spread_s + t->step_s) / call_s) + 0.5;
    double dither_s = t->step_s * (jl_rng_uniform(&t->rng) - 0.5);
    t->next_ns = t->tick_ns + ns(fmax(t->period_s + dither_s - ahead * call_s, 0));
}

/* The bracket of a followed tick moves the prediction by a step to its side; steps grow while they
 * keep their direction and shrink when they turn, down to the sensor's own jitter. */
static void correct(jl_track *t, int64_t lo_ns, int64_t hi_ns)
{
    double gap_s = 0.5e-9 * (double)(lo_ns + hi_ns - 2 * t->tick_ns);
    double steps = fmax(1, round(gap_s / t->period_s));
    int64_t predicted_ns = t->tick_ns + ns(steps * t->period_s);
    bool later = gap_s > steps * t->period_s;
    double move_s = t->step_s, least_s = 0;
    if (predicted_ns < lo_ns) least_s = (double)(lo_ns - predicted_ns) * 1e-9;
    if (predicted_ns > hi_ns) least_s = (double)(predicted_ns - hi_ns) * 1e-9;
    t->spread_s = fmin(fmax(0.98 * t->spread_s, 1.5 * least_s), 0.3 * t->period_s);
    if (least_s > move_s) move_s = 0.7 * least_s;
    t->step_s =
        fmin(t->step_s * (later == t->later ? 1.5 : 0.6), 0.5 * (double)(hi_ns - lo_ns) * 1e-9);
    t->step_s = fmax(t->step_s, 1e-5);
    t->later = later;
    if (!later) move_s = -move_s;
    t->period_s += 0.1 * move_s / steps;
    t->tick_ns = predicted_ns + ns(move_s);
}

static void take_tick(jl_track *t, int64_t lo_ns, int64_t hi_ns)
{
    double width_s = (double)(hi_ns - lo_ns) * 1e-9;
    int64_t middle = lo_ns + (hi_ns - lo_ns) / 2;
    if (t->mode == JL_TRACK_FOLLOW) {
        if (width_s < 0.3 * t->period_s) {
            correct(t, lo_ns, hi_ns);
        } else { /* it came before the first read: look earlier next time */
            t->spread_s = fmin(2 * t->spread_s + 1e-3, 0.3 * t->period_s);
            t->tick_ns =
                middle > t->tick_ns + ns(t->period_s) ? middle : t->tick_ns + ns(t->period_s);
            if (t->tick_ns > hi_ns) t->tick_ns = hi_ns;
        }
    } else {
        double gap_s = (double)(middle - t->tick_ns) * 1e-9;
        /* the first gap teaches the period; a later, shorter one corrects a missed tick */
        if (t->seen == 1) t->period_s = gap_s;
        if (t->seen > 1) t->period_s = fmin(t->period_s, 1.2 * gap_s);
        t->tick_ns = middle;
        if (t->seen >= 2) {
            t->mode = t->period_s <= FAST_S ? JL_TRACK_STEADY : JL_TRACK_FOLLOW;
            t->spread_s = fmin(0.02 * t->period_s + width_s, 0.3 * t->period_s);
            t->step_s = 0.25 * width_s;
        }
    }
    t->seen++;
    if (t->mode == JL_TRACK_FOLLOW) aim(t);
}

bool jl_track_feed(jl_track *t, const jl_meter_reading *r, jl_tick *out)
{
    if (r->valid & JL_READ_STAMPED) t->mode = JL_TRACK_STEADY;
    if (t->mode == JL_TRACK_STEADY) return feed_steady(t, r, out);
    double call_s = (double)(r->t_after_ns - r->t_before_ns) * 1e-9;
    /* the usual time: follows the quick ones */
    t->call_s = t->call_s > 0 && call_s > t->call_s ? 0.98 * t->call_s + 0.02 * call_s : call_s;
    bool changed = t->has_before && r->energy_j != t->before.energy_j;
    /* while searching, 20 reads a period; around the tick, one after the other */
    double pause_s = t->mode == JL_TRACK_SEARCH ? fmin(t->period_s / 20, 0.005) : 0;
    t->next_ns = r->t_after_ns + ns(pause_s);
    if (changed) {
        out->lo_ns = middle_ns(&t->before) - held_up_ns(t, &t->before);
        out->hi_ns = middle_ns(r) + held_up_ns(t, r);
        out->at = *r;
        t->changed_ns = r->t_after_ns;
        take_tick(t, out->lo_ns, out->hi_ns);
    } else if (t->mode == JL_TRACK_FOLLOW &&
               (double)(r->t_after_ns - t->tick_ns) * 1e-9 > 3 * t->period_s) {
        t->mode = JL_TRACK_SEARCH; /* phase lost */
        t->seen = 0;
    }
    t->before = *r;
    t->has_before = true;
    return changed;
}
