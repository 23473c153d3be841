/* A dense host tensor, row major, named. The owner of `data` is whoever filled it in. */
#ifndef JOULELINE_TENSOR_H
#define JOULELINE_TENSOR_H

#include "jouleline/dtype.h"
#include "jouleline/error.h"

#define JL_MAX_RANK         16
#define JL_TENSOR_ALIGNMENT 64 /* bytes; of the data that this library allocates */

typedef struct jl_tensor {
    const char *name;
    jl_dtype dtype;
    int rank;                  /* 0 for a scalar */
    int64_t dims[JL_MAX_RANK]; /* each >= 0 */
    void *data;                /* strings: an array of const char *, each ending with NUL */
    size_t size_bytes;
} jl_tensor;

/* Elements, or -1 when a dimension is negative or the product overflows int64. */
int64_t jl_tensor_elements(const jl_tensor *t);
/* All elements as floats (`to` holds jl_tensor_elements of them), from any type of 8 bits or
 * more but the 8-bit floats: JL_ERR_UNSUPPORTED for the rest. */
int jl_tensor_floats(const jl_tensor *t, float *to, jl_error *err);
/* A copy in another floating-point type (float, double, float16, bfloat16), or in the same type
 * whatever it is. to->data is the caller's to free; to->name is from's. */
int jl_tensor_cast(jl_tensor *to, const jl_tensor *from, jl_dtype dtype, jl_error *err);

#endif
