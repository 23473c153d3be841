/* The safetensors format: eight bytes of header length, a JSON header {name: {dtype, shape,
 * data_offsets}}, and the tensors' bytes without gaps.
 * Source: https://github.com/huggingface/safetensors (README, "Format"). */
#ifndef JL_MODEL_SAFETENSORS_H
#define JL_MODEL_SAFETENSORS_H

#include "base/str.h"
#include "jouleline/dtype.h"
#include "jouleline/error.h"

enum { JL_SAFETENSORS_MAX_RANK = 8 };

typedef struct jl_safetensor {
    jl_str name;
    jl_dtype dtype;
    int rank; /* 0 for a scalar */
    int64_t dims[JL_SAFETENSORS_MAX_RANK];
    const void *data; /* little endian, any alignment; of a file that was opened */
    size_t size_bytes;
} jl_safetensor;

typedef struct jl_safetensors jl_safetensors;

/* Maps the file and checks every offset and size against it. JL_ERR_IO, or JL_ERR_FORMAT with the
 * tensor's name. On failure *file is NULL. */
int jl_safetensors_open(const char *path, jl_safetensors **file, jl_error *err);
void jl_safetensors_close(jl_safetensors *file); /* NULL is fine */
size_t jl_safetensors_count(const jl_safetensors *file);
const jl_safetensor *jl_safetensors_at(const jl_safetensors *file, size_t i);
/* NULL when there is none. */
const jl_safetensor *jl_safetensors_find(const jl_safetensors *file, jl_str name);

/* Bytes of tensor i from offset, n of them, made while writing. */
typedef struct jl_safetensors_source {
    int (*fill)(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err);
    void *ctx;
} jl_safetensors_source;

/* Writes name, dtype, rank and dims of the list with the source's bytes; the wider types come
 * first in the file, so that every tensor is aligned, and the header keeps the list's order.
 * An existing file is replaced only on success. */
int jl_safetensors_save(const char *path, const jl_safetensor *list, size_t count,
                        jl_safetensors_source source, jl_error *err);

#endif
