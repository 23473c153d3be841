/* A model whose inner values come out. Private to src/convert. */
#ifndef JL_CONVERT_OBSERVE_H
#define JL_CONVERT_OBSERVE_H

#include "convert/edit.h"

/* Writes the model of `e` to `path` with the named values as further outputs (those that are
 * inputs or outputs already are left alone); `types` may be NULL: all are FP32. The model in
 * memory stays as it was. */
int jl_observe(jl_edit *e, const jl_str *names, const jl_dtype *types, size_t count,
               const char *path, jl_error *err);

#endif
