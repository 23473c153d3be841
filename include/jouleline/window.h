/* Energy of a window of inferences, from the ticks of a meter and the completion stamps of a
 * worker on the same clock.
 *
 * A sensor's counter moves in ticks (100 ms apart on current GPUs), so that reading it at the
 * begin and the end of a short window is wrong by up to a tick. The sampler therefore finds the
 * ticks by reading around the predicted ones; the estimator counts the items finished between
 * the first and the last tick inside the window, the fraction in flight included, and divides
 * the energy between the two ticks by it. doc/methodology.md has the derivation and the errors
 * on simulated sensors; the sensor's own gain error comes on top and is reported apart. */
#ifndef JOULELINE_WINDOW_H
#define JOULELINE_WINDOW_H

#include "jouleline/meter.h"

/* One update of a sensor: it happened between lo_ns and hi_ns, and `at` was read just after. */
typedef struct jl_tick {
    int64_t lo_ns, hi_ns;
    jl_meter_reading at; /* energy or power as the domain offers, and the device's state */
} jl_tick;

/* ---- sampling -------------------------------------------------------------------------- */

/* Reads domains in threads of this process, one a domain. The measured process is another one. */
typedef struct jl_sampler jl_sampler;

/* `domains` are numbers in the set, which must outlive the sampler. Start it a second or more
 * before the load so that it knows the ticks by then. */
int jl_sampler_start(jl_meter_set *set, const size_t *domains, size_t count, const jl_clock *clock,
                     jl_sampler **out, jl_error *err);
/* The ticks of the i-th domain given to start whose hi_ns is at least since_ns, in order; a
 * copy for free(). Any thread, any time before stop. *ticks is NULL when there are none. */
int jl_sampler_ticks(jl_sampler *s, size_t i, int64_t since_ns, jl_tick **ticks, size_t *count,
                     jl_error *err);
/* The most recent reading of the i-th domain (for a live display); false when there is none. */
bool jl_sampler_latest(jl_sampler *s, size_t i, jl_meter_reading *out);
/* Why the i-th domain stopped giving readings; "" while it works. Lives until stop. */
const char *jl_sampler_trouble(jl_sampler *s, size_t i);
/* Waits until the domain has ticked after t_ns, for ever only if `timeout_ns` < 0; true when it
 * has. Use it to let the load run past the last tick. */
bool jl_sampler_wait_tick(jl_sampler *s, size_t i, int64_t t_ns, int64_t timeout_ns);
void jl_sampler_stop(jl_sampler *s); /* joins the threads and frees; NULL is fine */

/* ---- estimating ------------------------------------------------------------------------ */

typedef enum jl_energy_method {
    JL_METHOD_NONE,
    JL_METHOD_COUNTER_TICKS,  /* counter, aligned to its ticks */
    JL_METHOD_COUNTER_WINDOW, /* counter whose ticks are too short to need aligning */
    JL_METHOD_POWER_INTEGRAL, /* power readings integrated */
    JL_METHOD_MODELLED,       /* an assumed power */
} jl_energy_method;
const char *jl_energy_method_name(jl_energy_method m); /* "counter-ticks", ...; "none" */

/* Mean power of a device without work, from ticks of a quiet span. */
typedef struct jl_idle {
    bool valid;
    double power_w, power_se_w; /* mean and its random standard error */
    double sm_clock_mhz;        /* median over the span; NAN when not read */
    double temperature_c;       /* last; NAN when not read */
    int64_t from_ns, to_ns;
    char reason[160]; /* why it is not valid */
} jl_idle;
/* Of the ticks between from_ns and to_ns; invalid with a reason where they are too few. */
void jl_idle_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t from_ns, int64_t to_ns, jl_idle *out);

/* Calls as the worker's ring holds them: start and end pairs in nanoseconds of CLOCK_MONOTONIC,
 * in the order of completion (ends never decrease). */
typedef struct jl_calls {
    const int64_t *pairs; /* 2 * count */
    size_t count;
    double items_per_call; /* batch */
} jl_calls;
/* Items finished by t_ns, a call in flight counted by the share of its time that has passed. */
double jl_calls_items(const jl_calls *calls, int64_t t_ns);

/* What happened to the device in a window. */
typedef struct jl_condition {
    bool disturbed;         /* repeat the run */
    char why[160];          /* the reasons, "" when not disturbed */
    bool power_capped;      /* a software power cap held the clocks down: a label */
    double power_cap_share; /* share of the window's ticks under it; NAN when not read */
    double temperature_c;   /* highest; NAN when not read */
    double sm_clock_mhz, mem_clock_mhz; /* medians; NAN when not read */
    double power_limit_w;               /* NAN when not read */
    bool has_link;                      /* the PCIe link as it was read last */
    int link_generation, link_width, link_most_generation, link_most_width;
} jl_condition;
/* From the ticks between from_ns and to_ns. */
void jl_condition_of(const jl_tick *ticks, size_t count, int64_t from_ns, int64_t to_ns,
                     jl_condition *out);

typedef struct jl_energy_figure { /* joules per item */
    bool valid;
    double j;
    double se_j;          /* random standard error of this window's figure */
    double low_j, high_j; /* 95 % interval of the random error */
    bool indistinct;      /* net figures: within two standard errors of zero */
} jl_energy_figure;

typedef struct jl_window {
    bool valid;
    char reason[256]; /* why there is no figure; "" when there is */
    jl_energy_method method;
    bool simulated, modelled;
    jl_energy_figure gross;
    jl_energy_figure net_sleeping, net_waking; /* valid only when that idle power was given */
    double sensor_se_j; /* the part of gross.se_j that comes from the ticks' times and from
                           the resolution; NAN when not told apart */
    double drift_rel, drift_se_rel; /* change of power over the window by a straight line, relative
                                       to the mean, and its standard error; NAN with few ticks */
    double systematic_rel;          /* gain uncertainty of the sensor, not in the intervals */
    double power_w;                 /* mean power between the ticks used */
    double items;                   /* items between the ticks used, fractions included */
    double energy_j;                /* joules between the ticks used */
    int64_t first_ns, last_ns;      /* the ticks used */
    size_t ticks;                   /* how many */
    double tick_jitter_s;           /* how far ticks stray from regular; NAN when not estimated */
    double all_items;               /* items of the whole window, first start to last end */
    double all_energy_j;            /* gross.j * all_items: an extrapolation to the window's ends */
    double check_rel; /* a second estimate over the first, minus 1: the slope of energy
                         against items; NAN when there is none */
    /* the sensor's power readings against its counter, minus 1, and the random standard error; NAN
     * when it offers only one of them or the window holds too few readings */
    double power_check_rel, power_check_se_rel;
    bool unsettled; /* power changes by over 2 % in the window, beyond two standard
                       errors, or the first tick's stands out so */
} jl_window;

/* Energy per item of the calls. `sleeping` and `waking` may be NULL. Never fails: what cannot be
 * known is not valid and says why. The ticks may reach beyond the calls on both sides; ticks from
 * before the window help to place those inside it. */
void jl_window_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t tick_count,
                        const jl_calls *calls, const jl_idle *sleeping, const jl_idle *waking,
                        jl_window *out);

/* Energy of a stretch of time whose ends are not ticks: a command, the loading of a model. */
typedef struct jl_span {
    bool valid;
    char reason[200]; /* why it is not valid */
    jl_energy_method method;
    double energy_j, se_j;  /* and the random standard error */
    double net_j, net_se_j; /* above idle; NAN when no idle power was given */
    bool indistinct;        /* net: within two standard errors of zero */
    double power_w;         /* mean */
} jl_span;

/* With an idle power the machine is taken to idle just outside the span, which makes the energy
 * between the ticks around it that of the span; without, the ticks next to its ends are cut in
 * proportion, which costs up to a quarter of a tick's difference in power at either end. Ticks
 * must reach beyond both ends (for sensors that average, by their averaging time at the end). */
void jl_span_estimate(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t from_ns, int64_t to_ns, const jl_idle *idle, jl_span *out);

/* A sensor's power readings against its own counter: of a sensor that offers both, at every update
 * the power shown and the mean power that the counter gives for the time which that reading
 * averages over. The load need not be steady. Readings that average less than half a tick are not
 * compared. */
typedef struct jl_power_check {
    bool valid; /* three readings or more */
    size_t readings;
    double span_s;             /* from the first averaging time's begin to the last reading */
    double counter_w, power_w; /* means over the readings */
    double rel, se_rel;        /* power over counter, minus 1, and its random standard error */
    double low_rel, high_rel;  /* 95 % interval of rel */
} jl_power_check;
void jl_power_check_of(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                       int64_t from_ns, int64_t to_ns, jl_power_check *out);

/* The settle rule, on the powers of the tick intervals that lie after since_ns: the last two differ
 * by at most `tolerance_rel` (0.02), and the last and the third last by at most 1.5 times that,
 * since two ticks of a slow approach agree long before it ends. */
bool jl_ticks_settled(const jl_meter_domain *domain, const jl_tick *ticks, size_t count,
                      int64_t since_ns, double tolerance_rel);

/* Adds the figures of domains that do not overlap (packages and DRAM): all must be valid. */
void jl_window_add(jl_window *sum, const jl_window *part);

#endif
