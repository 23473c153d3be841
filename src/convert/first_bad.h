/* The first value of a model that is NaN or infinite. Private to src/convert. */
#ifndef JL_CONVERT_FIRST_BAD_H
#define JL_CONVERT_FIRST_BAD_H

#include "jouleline/check.h"

/* Runs the model once more with every inner value as an output and writes "'value' of node" into
 * check->first_bad, or the reason into check->no_place where it cannot be told: the search may
 * fail where the model itself ran. */
void jl_find_first_bad(const jl_check_side *side, const jl_tensor *inputs, size_t input_count,
                       const char *scratch, jl_check *check);

#endif
