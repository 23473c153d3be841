/* The two ways from ticks to a figure; both fill `out`, which holds the domain's labels. */
#ifndef JL_METER_WINDOW_PRIVATE_H
#define JL_METER_WINDOW_PRIVATE_H

#include "jouleline/window.h"

typedef struct jl_window_job {
    const jl_meter_domain *domain;
    const jl_tick *ticks;
    size_t tick_count;
    const jl_calls *calls;
    int64_t start_ns, end_ns; /* of the calls */
} jl_window_job;

/* Ticks so fast that they need not be followed: any reading is a tick of this width. */
static inline bool jl_domain_is_fast(const jl_meter_domain *d)
{
    return d->tick_s > 0 && d->tick_s <= 0.005;
}

/* False and out->reason when the ticks give no figure. */
bool jl_window_by_counter(const jl_window_job *job, jl_window *out);
bool jl_window_by_power(const jl_window_job *job, jl_window *out);

/* Between two ticks that are used. */
typedef struct jl_tick_gap {
    double middle_s, busy_s, idle_s; /* time with and without calls */
    double items, energy_j;
    double ticks;     /* how many it holds: ticks that strayed are passed over */
    double timing_s2; /* variance of its length, by the errors of its ends */
} jl_tick_gap;

typedef struct jl_tick_noise {
    double se_j;    /* standard error of the energy of all gaps; 0 when no noise shows */
    double freedom; /* of it */
    double drift_rel, drift_se_rel; /* change of power over the window, and its error; or NAN */
} jl_tick_noise;

/* g: n gaps; quantum_j: resolution of the counter; mean_w: power over all gaps. */
void jl_tick_noise_of(const jl_tick_gap *g, size_t n, double quantum_j, double mean_w,
                      jl_tick_noise *out);

/* Says why there is no figure; always false. */
bool jl_window_none(jl_window *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Time during which at least one call ran, between a and b. */
double jl_calls_busy_s(const jl_calls *calls, int64_t a_ns, int64_t b_ns);
/* 97.5 % quantile of Student's t. */
double jl_t_quantile_975(double freedom);

#endif
