/* What ticks say besides energy: idle power, disturbances, settling. */
#include "jouleline/window.h"
#include "meter/window_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double CLOCK_CHANGE_REL = 0.05;

static const struct {
    uint32_t bit;
    const char *words;
} throttles[] = {
    {JL_THROTTLE_POWER_CAP, "power cap"},
    {JL_THROTTLE_HW_SLOWDOWN, "hardware slowdown"},
    {JL_THROTTLE_SW_THERMAL, "thermal slowdown"},
    {JL_THROTTLE_HW_THERMAL, "hardware thermal slowdown"},
    {JL_THROTTLE_POWER_BRAKE, "power brake"},
};

const char *jl_throttle_words(uint32_t reasons, char *out, size_t n)
{
    size_t used = 0;
    snprintf(out, n, "none");
    for (size_t i = 0; i < sizeof throttles / sizeof throttles[0]; i++) {
        if (!(reasons & throttles[i].bit) || used >= n) continue;
        int more = snprintf(out + used, n - used, "%s%s", used ? ", " : "", throttles[i].words);
        used += more > 0 ? (size_t)more : 0;
    }
    return out;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef double (*field)(const jl_meter_reading *r);
static double sm_clock(const jl_meter_reading *r)
{
    return r->sm_clock_mhz;
}
static double mem_clock(const jl_meter_reading *r)
{
    return r->mem_clock_mhz;
}

typedef struct spread {
    double median, low, high; /* NAN without readings */
} spread;

/* Median and extremes of a quantity over the ticks in a span. */
static spread spread_of(const jl_tick *ticks, size_t n, int64_t from_ns, int64_t to_ns,
                        uint32_t bit, field get)
{
    spread s = {NAN, NAN, NAN};
    double *v = malloc((n + 1) * sizeof *v);
    size_t count = 0;
    if (!v) return s;
    for (size_t i = 0; i < n; i++)
        if ((ticks[i].at.valid & bit) && ticks[i].lo_ns >= from_ns && ticks[i].hi_ns <= to_ns)
            v[count++] = get(&ticks[i].at);
    qsort(v, count, sizeof *v, by_value);
    if (count) s = (spread){v[count / 2], v[0], v[count - 1]};
    free(v);
    return s;
}

static void say(jl_condition *c, const char *what)
{
    char before[sizeof c->why];
    snprintf(before, sizeof before, "%s", c->why);
    snprintf(c->why, sizeof c->why, "%.60s%s%.90s", before, before[0] ? "; " : "", what);
    c->disturbed = true;
}

void jl_condition_of(const jl_tick *ticks, size_t count, int64_t from_ns, int64_t to_ns,
                     jl_condition *out)
{
    *out = (jl_condition){.power_cap_share = NAN, .temperature_c = NAN, .power_limit_w = NAN};
    uint32_t reasons = 0;
    double read = 0, capped = 0;
    int64_t first_ns = -1, last_ns = -1;
    for (size_t i = 0; i < count; i++) {
        const jl_meter_reading *r = &ticks[i].at;
        if (ticks[i].lo_ns < from_ns || ticks[i].hi_ns > to_ns) continue;
        if (r->valid & JL_READ_THROTTLE) {
            read++;
            capped += (r->throttle & JL_THROTTLE_POWER_CAP) != 0;
            reasons |= r->throttle;
        }
        if (r->valid & JL_READ_THROTTLE_NS) {
            if (first_ns < 0) first_ns = r->throttle_disturb_ns;
            last_ns = r->throttle_disturb_ns;
        }
        if (r->valid & JL_READ_TEMPERATURE)
            out->temperature_c = fmax(out->temperature_c, r->temperature_c);
        if (r->valid & JL_READ_POWER_LIMIT) out->power_limit_w = r->power_limit_w;
        if (r->valid & JL_READ_LINK) {
            out->has_link = true;
            out->link_generation = r->link_generation;
            out->link_width = r->link_width;
            out->link_most_generation = r->link_most_generation;
            out->link_most_width = r->link_most_width;
        }
    }
    if (read > 0) out->power_cap_share = capped / read;
    out->power_capped = capped > 0;
    char words[120];
    if (reasons & JL_THROTTLE_DISTURBS)
        say(out, jl_throttle_words(reasons & JL_THROTTLE_DISTURBS, words, sizeof words));
    else if (last_ns > first_ns) {
        snprintf(words, sizeof words, "slowed down for %.3f s",
                 (double)(last_ns - first_ns) * 1e-9);
        say(out, words);
    }
    spread sm = spread_of(ticks, count, from_ns, to_ns, JL_READ_SM_CLOCK, sm_clock);
    spread mem = spread_of(ticks, count, from_ns, to_ns, JL_READ_MEM_CLOCK, mem_clock);
    out->sm_clock_mhz = sm.median;
    out->mem_clock_mhz = mem.median;
    /* under a steady power cap the clock moves all the time; that is the operating point */
    bool steady_cap = read > 0 && capped == read;
    if (!steady_cap && sm.high - sm.low > CLOCK_CHANGE_REL * sm.median) {
        snprintf(words, sizeof words, "clock changed from %.0f to %.0f MHz", sm.low, sm.high);
        say(out, words);
    }
    if (mem.high - mem.low > CLOCK_CHANGE_REL * mem.median) {
        snprintf(words, sizeof words, "memory clock changed from %.0f to %.0f MHz", mem.low,
                 mem.high);
        say(out, words);
    }
}

/* Mean power of a span by its counter, with the error of the ticks' times. */
static bool idle_by_counter(const jl_tick *ticks, size_t n, int64_t from_ns, int64_t to_ns,
                            double quantum_j, jl_idle *out)
{
    const jl_tick *a = NULL, *b = NULL;
    size_t inside = 0;
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        const jl_tick *t = &ticks[i];
        if (!(t->at.valid & JL_READ_ENERGY) || t->lo_ns < from_ns || t->hi_ns > to_ns) continue;
        if (b) {
            double dt = 0.5e-9 * (double)(t->lo_ns + t->hi_ns - b->lo_ns - b->hi_ns);
            double p = (t->at.energy_j - b->at.energy_j) / dt, off = p - mean;
            inside++;
            mean += off / (double)inside;
            square += off * (p - mean);
        }
        if (!a) a = t;
        b = t;
    }
    if (!inside || b->at.energy_j < a->at.energy_j) return false;
    double span = 0.5e-9 * (double)(b->lo_ns + b->hi_ns - a->lo_ns - a->hi_ns);
    double wa = (double)(a->hi_ns - a->lo_ns) * 1e-9, wb = (double)(b->hi_ns - b->lo_ns) * 1e-9;
    out->power_w = (b->at.energy_j - a->at.energy_j) / span;
    double timing = out->power_w / span * sqrt((wa * wa + wb * wb) / 12);
    double noise = inside > 1 ? sqrt(square / (double)(inside - 1) / (double)inside) : 0;
    out->power_se_w = hypot(fmax(timing, noise), quantum_j / sqrt(6) / span);
    return true;
}

static bool idle_by_power(const jl_meter_domain *d, const jl_tick *ticks, size_t n, int64_t from_ns,
                          int64_t to_ns, jl_idle *out)
{
    double average_s = d->power_average_s >= 0 ? d->power_average_s : 1;
    double count = 0, mean = 0, square = 0;
    int64_t first_ns = 0, last_ns = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(ticks[i].at.valid & JL_READ_POWER) || ticks[i].hi_ns > to_ns) continue;
        if (ticks[i].lo_ns - (int64_t)(average_s * 1e9) < from_ns) continue;
        double off = ticks[i].at.power_w - mean;
        if (count < 1) first_ns = ticks[i].hi_ns;
        last_ns = ticks[i].hi_ns;
        count++;
        mean += off / count;
        square += off * (ticks[i].at.power_w - mean);
    }
    if (count < 2) return false;
    double span_s = (double)(last_ns - first_ns) * 1e-9;
    double independent = fmin(count, 1 + span_s / fmax(average_s, 0.02));
    out->power_w = mean;
    out->power_se_w =
        hypot(sqrt(square / (count - 1) / independent), d->quantum_w / sqrt(12 * count));
    return true;
}

void jl_idle_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t from_ns, int64_t to_ns, jl_idle *out)
{
    *out = (jl_idle){.from_ns = from_ns, .to_ns = to_ns, .temperature_c = NAN};
    out->sm_clock_mhz = spread_of(ticks, count, from_ns, to_ns, JL_READ_SM_CLOCK, sm_clock).median;
    for (size_t i = 0; i < count; i++)
        if ((ticks[i].at.valid & JL_READ_TEMPERATURE) && ticks[i].lo_ns >= from_ns &&
            ticks[i].hi_ns <= to_ns)
            out->temperature_c = ticks[i].at.temperature_c;
    if (domain->has_counter)
        out->valid = idle_by_counter(ticks, count, from_ns, to_ns, domain->quantum_j, out);
    if (!out->valid && domain->has_power)
        out->valid = idle_by_power(domain, ticks, count, from_ns, to_ns, out);
    if (!out->valid)
        snprintf(out->reason, sizeof out->reason, "%.90s: too few ticks in %.2f s of idle",
                 domain->id, (double)(to_ns - from_ns) * 1e-9);
}

/* Median time between neighbouring ticks; 0 when there are not two. */
static double usual_gap_s(const jl_tick *ticks, size_t n)
{
    double gap[16];
    size_t count = 0;
    for (size_t i = n; i-- > 1 && count < 16;)
        gap[count++] = 0.5e-9 * (double)(ticks[i].lo_ns + ticks[i].hi_ns - ticks[i - 1].lo_ns -
                                         ticks[i - 1].hi_ns);
    qsort(gap, count, sizeof *gap, by_value);
    return count ? gap[count / 2] : 0;
}

/* The last powers after since_ns, the newest first; fewer than `most` when there are no more. */
static int last_powers(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                       int64_t since_ns, int most, double *p)
{
    double usual_s = usual_gap_s(ticks, count);
    int have = 0;
    for (size_t i = count; i-- > 0 && have < most;) {
        const jl_tick *t = &ticks[i];
        if (t->lo_ns < since_ns) break;
        if (!domain->has_counter) {
            if (t->at.valid & JL_READ_POWER) p[have++] = t->at.power_w;
            continue;
        }
        if (!i || ticks[i - 1].lo_ns < since_ns) break;
        const jl_tick *u = &ticks[i - 1];
        if (!(t->at.valid & u->at.valid & JL_READ_ENERGY)) break;
        double dt = 0.5e-9 * (double)(t->lo_ns + t->hi_ns - u->lo_ns - u->hi_ns);
        /* a bracket is coarse beside 2 % of a tick, and sensors tick more regularly than that */
        if (!jl_domain_is_fast(domain) && usual_s > 0) dt = usual_s * fmax(1, round(dt / usual_s));
        p[have++] = dt > 0 ? (t->at.energy_j - u->at.energy_j) / dt : NAN;
    }
    return have;
}

bool jl_ticks_settled(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t since_ns, double tolerance_rel)
{
    double p[3];
    if (last_powers(domain, ticks, count, since_ns, 3, p) < 3) return false;
    return fabs(p[0] - p[1]) <= tolerance_rel * 0.5 * (p[0] + p[1]) &&
           fabs(p[0] - p[2]) <= 1.5 * tolerance_rel * 0.5 * (p[0] + p[2]);
}
