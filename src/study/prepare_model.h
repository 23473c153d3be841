/* What the runs of one model need on disk. Private to src/study. */
#ifndef JL_STUDY_PREPARE_MODEL_H
#define JL_STUDY_PREPARE_MODEL_H

#include "base/str.h"
#include "study/plan.h"

typedef struct jl_prepare_arg {
    const jl_plan *plan;
    const jl_plan_model *model;
    const char *scratch; /* folder for inputs */
    const char *cache;   /* folder for exports and conversions */
} jl_prepare_arg;

/* Exports and converts the model into the cache, writes inputs into the scratch folder, counts
 * costs. Runs in a helper child, since a file may crash a parser; `arg` is a jl_prepare_arg. The
 * answer is a JSON object of paths, keys and reasons. */
int jl_prepare_model(void *arg, jl_buf *out, jl_error *err);

#endif
