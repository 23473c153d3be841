/* The meters of a machine while a study runs: sampled all the time, asked for the window of one
 * run, for idle powers, and for how far the ticks have come. */
#ifndef JL_STUDY_METERING_H
#define JL_STUDY_METERING_H

#include "jouleline/window.h"

enum { JL_METERED_SCOPES = 12, JL_HOST_DOMAINS = 16 };

/* Joules of one scope: a board, or the host (the sum of domains that do not overlap). */
typedef struct jl_scope_energy {
    char scope[24]; /* gpu, host */
    int domain;     /* in the set, the first one of a sum; -1: there is no meter */
    bool headline;
    jl_window window;
} jl_scope_energy;

/* The ticks that a figure rests on, from two seconds before the calls on. */
typedef struct jl_kept_ticks {
    size_t domain;
    jl_tick *ticks;
    size_t count;
} jl_kept_ticks;

typedef struct jl_metered {
    jl_scope_energy scopes[JL_METERED_SCOPES];
    size_t count;
    jl_kept_ticks kept[JL_HOST_DOMAINS + 1];
    size_t kept_count;
    jl_condition condition; /* of the board, when there is one */
    bool has_condition;
} jl_metered;

typedef struct jl_metering jl_metering;

/* `set` must outlive it. JL_ERR_MISSING never: a set without domains samples nothing. */
int jl_metering_start(jl_meter_set *set, const jl_clock *clock, jl_metering **out, jl_error *err);
void jl_metering_stop(jl_metering *m); /* NULL is fine */
jl_meter_set *jl_metering_set(const jl_metering *m);
/* The domain of the board with that UUID, or -1. */
int jl_metering_gpu(const jl_metering *m, const char *uuid);

/* Ticks of the headline domain since then; SIZE_MAX when there is no meter for it. */
size_t jl_metering_ticks(jl_metering *m, const char *uuid, int64_t since_ns);
/* A board's last tick powers since then agree (jl_ticks_settled, 2 %); true without a board. */
bool jl_metering_settled(jl_metering *m, const char *uuid, int64_t since_ns);

/* Mean powers of the span, one for each domain of the set (idle[i].valid says whether). */
void jl_metering_idle(jl_metering *m, int64_t from_ns, int64_t to_ns, jl_idle *idle);
/* Whether the board's clock has come down from what it was under load; true where it is not told.
 */
bool jl_metering_asleep(jl_metering *m, const char *uuid, double loaded_mhz);
/* What net figures subtract from now on: one for each domain, or NULL. Copied; where one is not
 * valid, the one before stays. */
void jl_metering_set_sleeping(jl_metering *m, const jl_idle *idle);

/* Joules per item of the calls, for the board and for the host. `waking`: one a domain, or
 * NULL. jl_metered_free() what it gives. */
void jl_metering_estimate(jl_metering *m, const char *uuid, const jl_calls *calls,
                          const jl_idle *waking, jl_metered *out);
void jl_metered_free(jl_metered *m);

/* One line on power, clock and temperature now, for a live display. */
void jl_metering_words(jl_metering *m, const char *uuid, char *text, size_t size);

#endif
