/* NumPy's .npy files, versions 1 to 3, either byte order, C order; read only.
 * Source: numpy.lib.format (NEP 1). */
#ifndef JL_BASE_NPY_H
#define JL_BASE_NPY_H

#include "jouleline/tensor.h"

typedef struct jl_npy {
    jl_tensor tensor; /* name is NULL; data is a view of the mapping, or `copy` */
    void *mapping;
    size_t mapping_bytes;
    void *copy; /* where the file has the other byte order, or its numbers lie unaligned */
} jl_npy;

/* JL_ERR_IO, JL_ERR_FORMAT (no .npy, truncated), JL_ERR_UNSUPPORTED (an element type that ONNX
 * lacks, Fortran order): the message names the file and the remedy. */
int jl_npy_open(const char *path, jl_npy *npy, jl_error *err);
/* The bytes were read and can leave memory; looking again reads the file again. */
void jl_npy_release(const jl_npy *npy, const void *bytes, size_t n);
void jl_npy_close(jl_npy *npy); /* a zeroed struct is fine */

#endif
