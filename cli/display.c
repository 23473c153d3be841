#include "display.h"

#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    if (interrupted) _exit(128 + number); /* the second time */
    interrupted = 1;
}

const volatile sig_atomic_t *jl_catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    return &interrupted;
}

static void say(void *ctx, const char *line)
{
    jl_progress_say(&((jl_display *)ctx)->progress, line);
}

static void progress(void *ctx, size_t done, size_t total, const char *now)
{
    jl_display *d = ctx;
    if (!total) return;
    d->progress.total = total;
    d->done = done;
    snprintf(d->now, sizeof d->now, "%s", now);
    jl_progress_update(&d->progress, done, now);
}

static void watch_line(void *ctx, const char *line)
{
    jl_display *d = ctx;
    char both[512];
    snprintf(both, sizeof both, "%s |%s", d->now, line);
    jl_progress_update(&d->progress, d->done, both);
}

jl_study_events jl_display_start(jl_display *d, bool watch, bool quiet)
{
    *d = (jl_display){.done = 0};
    jl_progress_start(&d->progress, stderr, &jl_clock_real, 1, quiet);
    return (jl_study_events){
        .say = say, .progress = progress, .watch = watch ? watch_line : NULL, .ctx = d};
}

void jl_display_end(jl_display *d)
{
    jl_progress_end(&d->progress);
}
