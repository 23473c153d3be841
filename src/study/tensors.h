/* Tensors of one call in a safetensors file, and back. */
#ifndef JL_STUDY_TENSORS_H
#define JL_STUDY_TENSORS_H

#include <stddef.h>

#include "base/arena.h"
#include "jouleline/error.h"
#include "jouleline/tensor.h"

/* Reads all tensors, names and aligned data in the arena. */
int jl_tensors_read(const char *path, jl_arena *arena, jl_tensor **tensors, size_t *count,
                    jl_error *err);
/* JL_ERR_UNSUPPORTED for an element type that safetensors lacks (strings, complex). */
int jl_tensors_write(const char *path, const jl_tensor *tensors, size_t count, jl_error *err);

#endif
