/* The two sides of `compare`: read from stores, or measured. */
#ifndef JL_COMPARE_SIDES_H
#define JL_COMPARE_SIDES_H

#include "base/option.h"
#include "jouleline/store.h"
#include "report/compare.h"

typedef struct jl_compare_settings {
    const char *base, *new_side, *db, *python;
    double margin_latency, margin_energy;
    jl_words models, configurations, meters, plugins;
    jl_ints batches;
    int64_t rounds, seed, warmup_ns, min_time_ns, max_time_ns, idle_ns;
    int io, output;
    bool trust, allow_different_host, quiet;
} jl_compare_settings;

typedef struct jl_sides {
    jl_study_data *base, *new_data; /* the same when measured */
    jl_match *matches;
    size_t count;
    bool inconclusive; /* on error: the sides cannot be compared, rather than cannot be read */
} jl_sides;

int jl_sides_make(const jl_compare_settings *s, jl_sides *sides, jl_error *err);
void jl_sides_free(jl_sides *sides);

#endif
