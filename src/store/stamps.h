/* The coding of a run's calls in the store: for each call, the gap from the end before it (from
 * 0 for the first) and the duration, each a zigzag LEB128 number of nanoseconds. */
#ifndef JL_STORE_STAMPS_H
#define JL_STORE_STAMPS_H

#include "base/str.h"
#include "jouleline/error.h"

#define JL_STAMPS_CODING 1

/* `count` pairs of start and end. out->failed tells that memory ran out. */
void jl_stamps_encode(const int64_t *pairs, size_t count, jl_buf *out);
/* Exactly `count` pairs; JL_ERR_FORMAT when the bytes are damaged. free(*pairs). */
int jl_stamps_decode(const void *bytes, size_t size, int64_t coding, int64_t count, int64_t **pairs,
                     jl_error *err);

#endif
