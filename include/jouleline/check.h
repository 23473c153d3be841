/* Two models (or one model on two configurations) on the same inputs: do they agree? */
#ifndef JOULELINE_CHECK_H
#define JOULELINE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/quantize.h"

/* A share of `n` with its 95 % Wilson score interval. */
typedef struct jl_share {
    size_t count, n;
    double low, high;
} jl_share;

typedef struct jl_check_side {
    const char *configuration; /* "ort-cpu/fp32" */
    const char *model;         /* path */
    const char *label;         /* what messages call it; NULL: the path */
} jl_check_side;

typedef struct jl_check {
    size_t items;
    bool classes;        /* one float output [1, N] with N > 1: the shares below hold */
    jl_share top1, top5; /* same first answer; same set of the five first answers */
    bool labelled;
    jl_share base_right, new_right; /* first answer equal to the label */
    size_t compared; /* items that are finite on both sides: the values below are of them, NAN where
                        there is none */
    double cosine_mean, cosine_least; /* over items; all outputs of an item joined */
    double centred_cosine_mean;       /* after subtracting each side's mean output over the items;
                                         NAN where outputs are too many to keep or change in size */
    double error_mean, error_most;    /* absolute difference of elements */
    uint64_t base_bad, new_bad;       /* NaN and infinite elements of the outputs, of all items */
    char base_emulated[160], new_emulated[160]; /* the fact of that name (runtime.h), or empty */
    char first_bad[192]; /* the first value of the new model that is NaN or infinite, with
                            the node that makes it; empty where the outputs are finite or
                            the place was not found */
    char no_place[256];  /* why it was not found; empty otherwise */
} jl_check;

/* Runs both sides, item by item, in the calling process: call it in a child. `labels` (may be
 * NULL) holds one class a sample, negative for none. `scratch` is a folder for the model that
 * searches for the first bad value. JL_ERR_FORMAT when the outputs of the sides differ in number
 * or size; JL_ERR_USAGE when there are labels and the outputs are no classes, or a label is none of
 * them. */
int jl_check_run(const jl_check_side *base, const jl_check_side *other, const jl_samples *samples,
                 const int64_t *labels, const char *scratch, jl_check *check, jl_error *err);

#endif
