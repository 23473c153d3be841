/* Finds the ticks of one domain: says when to read next, and turns readings into ticks. A state
 * machine without threads or clocks of its own, so that it runs in virtual time too. */
#ifndef JL_METER_TRACK_H
#define JL_METER_TRACK_H

#include "base/rng.h"
#include "jouleline/window.h"

typedef enum jl_track_mode {
    JL_TRACK_SEARCH, /* period unknown or phase lost: poll */
    JL_TRACK_FOLLOW, /* read around the predicted tick */
    JL_TRACK_STEADY, /* read at dithered moments: the counter ticks too fast to follow, or the
                        domain has power only, whose updates may repeat a value */
} jl_track_mode;

typedef struct jl_track {
    jl_track_mode mode;
    bool counter;
    double period_s;         /* of the ticks; a guess while searching */
    double spread_s;         /* how far from the prediction the tick may come */
    double step_s;           /* how far the prediction moves at a tick */
    double call_s;           /* a read usually takes this long */
    bool later;              /* the last tick came after its prediction */
    int64_t next_ns;         /* read then; a time that has passed means now */
    jl_meter_reading before; /* the last reading with the old value */
    bool has_before;
    int64_t tick_ns;    /* estimate of the last tick's time; 0 when none was seen */
    int64_t changed_ns; /* when the value last changed */
    unsigned seen;      /* ticks since the search began */
    jl_rng rng;         /* dither */
} jl_track;

void jl_track_init(jl_track *t, const jl_meter_domain *domain, int64_t now_ns, uint64_t seed);
/* Takes in a reading; true when `out` holds a new tick. */
bool jl_track_feed(jl_track *t, const jl_meter_reading *reading, jl_tick *out);
/* Seconds since the counter last moved, as of t_ns. */
double jl_track_stuck_s(const jl_track *t, int64_t t_ns);

#endif
