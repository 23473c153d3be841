/* What a command shows while a study runs, and how it is interrupted. */
#ifndef JL_DISPLAY_H
#define JL_DISPLAY_H

#include <signal.h>

#include "jouleline/study.h"
#include "terminal.h"

typedef struct jl_display {
    jl_progress progress;
    size_t done;
    char now[256];
} jl_display;

/* The events print on stderr through `d`; with `watch` also power, clocks and temperature. */
jl_study_events jl_display_start(jl_display *d, bool watch, bool quiet);
void jl_display_end(jl_display *d);

/* From now on SIGINT, SIGTERM and SIGHUP set the flag returned; the second one ends at once. */
const volatile sig_atomic_t *jl_catch_signals(void);

#endif
