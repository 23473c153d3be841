/* Inputs to run a model on, made one call at a time. */
#ifndef JOULELINE_SAMPLES_H
#define JOULELINE_SAMPLES_H

#include <stddef.h>

#include "jouleline/error.h"
#include "jouleline/tensor.h"

/* Inputs of `count` calls, each of `inputs` tensors. All calls have the same names, types and
 * shapes. */
typedef struct jl_samples {
    size_t count, inputs;
    /* Fills in the tensors of call i; their data stays valid until the next get. */
    int (*get)(void *ctx, size_t i, jl_tensor *tensors, jl_error *err);
    void *ctx;
} jl_samples;

#endif
