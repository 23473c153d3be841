#include "store/stamps.h"

#include <inttypes.h>
#include <stdlib.h>

static void put(jl_buf *out, int64_t value)
{
    uint64_t u = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (unsigned char)((u & 0x7f) | (u > 0x7f ? 0x80 : 0));
        u >>= 7;
        n++;
    } while (u);
    jl_buf_append(out, bytes, n);
}

void jl_stamps_encode(const int64_t *pairs, size_t count, jl_buf *out)
{
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        put(out, pairs[2 * i] - last);
        put(out, pairs[2 * i + 1] - pairs[2 * i]);
        last = pairs[2 * i + 1];
    }
}

static bool get(const unsigned char **p, const unsigned char *end, int64_t *value)
{
    uint64_t u = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        unsigned char b = *(*p)++;
        u |= (uint64_t)(b & 0x7f) << shift;
        if (b & 0x80) continue;
        *value = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
        return true;
    }
    return false;
}

int jl_stamps_decode(const void *bytes, size_t size, int64_t coding, int64_t count, int64_t **pairs,
                     jl_error *err)
{
    *pairs = NULL;
    if (coding != JL_STAMPS_CODING)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "calls are stored in the unknown coding %" PRId64,
                       coding);
    if (count < 0 || (uint64_t)count > size / 2) /* two bytes a call at least */
        return jl_fail(err, JL_ERR_FORMAT, "%" PRId64 " calls cannot lie in %zu bytes", count,
                       size);
    int64_t *all = malloc((size_t)count * 2 * sizeof *all + 1);
    if (!all) return jl_fail(err, JL_ERR_MEMORY, "no memory for %" PRId64 " calls", count);
    const unsigned char *p = bytes, *end = p + size;
    uint64_t last = 0;
    for (size_t i = 0; i < (size_t)count; i++) {
        int64_t gap, duration;
        if (!get(&p, end, &gap) || !get(&p, end, &duration)) {
            free(all);
            return jl_fail(err, JL_ERR_FORMAT, "the stored calls end after %zu of %" PRId64, i,
                           count);
        }
        all[2 * i] = (int64_t)(last + (uint64_t)gap);
        last += (uint64_t)gap + (uint64_t)duration;
        all[2 * i + 1] = (int64_t)last;
    }
    *pairs = all;
    return 0;
}
