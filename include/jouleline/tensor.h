/* A dense host tensor, row major, named. The owner of `data` is whoever filled it in. */
#ifndef JOULELINE_TENSOR_H
#define JOULELINE_TENSOR_H

#include "jouleline/dtype.h"

#define JL_MAX_RANK 16

typedef struct jl_tensor {
    const char *name;
    jl_dtype dtype;
    int rank;                  /* 0 for a scalar */
    int64_t dims[JL_MAX_RANK]; /* each >= 0 */
    void *data;
    size_t size_bytes;
} jl_tensor;

/* Elements, or -1 when the product overflows int64. */
int64_t jl_tensor_elements(const jl_tensor *t);

#endif
