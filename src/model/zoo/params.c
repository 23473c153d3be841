#include "model/zoo/params.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

uint64_t zoo_stream(const char *model, const char *name)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325); /* FNV-1a over "model/name" */
    for (const char *s = model; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001B3);
    h = (h ^ '/') * UINT64_C(0x100000001B3);
    for (const char *s = name; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001B3);
    return jl_mix64(h);
}

/* One mixed word (jl_mix64) gives one value: the sum of its four 16-bit pieces is bell-shaped
 * (Irwin and Hall), reaches 3.46 deviations, and is an exact integer, so the result is rounded only
 * by the last multiply and add. Eight at a time, in vectors of whatever width the processor has:
 * the same results everywhere. */
typedef uint64_t words __attribute__((vector_size(64)));
typedef int32_t sums __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(32)));
enum { LANES = 8 };

static inline __attribute__((always_inline)) void random_lanes(const zoo_param *p, uint64_t first,
                                                               uint64_t stride, size_t n, float *to)
{
    const double deviation = 37837.227; /* sqrt((2^32 - 1) / 3) */
    const float scale = (float)((double)p->spread / deviation), center = p->center;
    const words lane = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < n; i += LANES) {
        words x = (lane + i) * stride + (p->stream + first + UINT64_C(0x9E3779B97F4A7C15));
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        x = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48);
        floats product =
            __builtin_convertvector(__builtin_convertvector(x, sums) - 131070, floats) * scale;
        product += center;
        if (n - i < LANES)
            memcpy(to + i, &product, (n - i) * sizeof *to);
        else
            memcpy(to + i, &product, sizeof product);
    }
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,avx512vl"))) static void
random_avx512(const zoo_param *p, uint64_t first, uint64_t stride, size_t n, float *to)
{
    random_lanes(p, first, stride, n, to);
}

__attribute__((target("avx2"))) static void random_avx2(const zoo_param *p, uint64_t first,
                                                        uint64_t stride, size_t n, float *to)
{
    random_lanes(p, first, stride, n, to);
}
#endif

static void random_floats(const zoo_param *p, uint64_t first, uint64_t stride, size_t n, float *to)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        random_avx512(p, first, stride, n, to);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        random_avx2(p, first, stride, n, to);
        return;
    }
#endif
    random_lanes(p, first, stride, n, to);
}

static void given_floats(const zoo_param *p, uint64_t first, uint64_t stride, size_t n, float *to)
{
    const char *bytes = p->given;
    if (p->given_type == JL_FLOAT && stride == 1) {
        memcpy(to, bytes + first * 4, n * 4);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t at = first + i * stride;
        uint16_t half;
        double wide;
        switch (p->given_type) {
        case JL_FLOAT16:
            memcpy(&half, bytes + at * 2, 2);
            to[i] = jl_float_from_half(half);
            break;
        case JL_BFLOAT16:
            memcpy(&half, bytes + at * 2, 2);
            to[i] = jl_float_from_bf16(half);
            break;
        case JL_DOUBLE:
            memcpy(&wide, bytes + at * 8, 8);
            to[i] = (float)wide;
            break;
        default:
            memcpy(&to[i], bytes + at * 4, 4);
        }
    }
}

void zoo_param_read(const zoo_param *p, uint64_t first, uint64_t stride, size_t n, float *to)
{
    if (p->given)
        given_floats(p, first, stride, n, to);
    else if (p->kind == ZOO_RANDOM)
        random_floats(p, first, stride, n, to);
    else
        for (size_t i = 0; i < n; i++)
            to[i] = jl_float_from_half(p->half[first + i * stride]);
}

static double element(const zoo_param *p, uint64_t at)
{
    float f;
    zoo_param_read(p, at, 1, 1, &f);
    return f;
}

static double norm_scale(const zoo_norm *norm, uint64_t channel)
{
    return element(norm->gamma, channel) / sqrt(element(norm->variance, channel) + norm->epsilon);
}

static void transposed(const zoo_param *p, uint64_t first, size_t n, float *to)
{
    uint64_t out = (uint64_t)p->dims[0], in = (uint64_t)p->dims[1];
    while (n) {
        uint64_t row = first / out, column = first % out;
        size_t run = out - column < n ? (size_t)(out - column) : n;
        zoo_param_read(p, column * in + row, in, run, to);
        first += run;
        to += run;
        n -= run;
    }
}

static void folded_weight(const zoo_view *v, uint64_t first, size_t n, float *to)
{
    uint64_t per_channel = (uint64_t)(v->of->elements / v->of->dims[0]);
    while (n) {
        uint64_t channel = first / per_channel, left = per_channel - first % per_channel;
        size_t run = left < n ? (size_t)left : n;
        float scale = (float)norm_scale(&v->norm, channel);
        zoo_param_read(v->of, first, 1, run, to);
        for (size_t i = 0; i < run; i++)
            to[i] *= scale;
        first += run;
        to += run;
        n -= run;
    }
}

static void folded_bias(const zoo_norm *norm, uint64_t first, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t c = first + i;
        to[i] = (float)(element(norm->beta, c) - element(norm->mean, c) * norm_scale(norm, c));
    }
}

static void position_bias(const zoo_view *v, uint64_t first, size_t n, float *to)
{
    uint64_t m = (uint64_t)v->window, tokens = m * m, heads = (uint64_t)v->of->dims[1];
    for (size_t i = 0; i < n; i++) {
        uint64_t at = first + i, head = at / (tokens * tokens);
        uint64_t q = at / tokens % tokens, k = at % tokens;
        uint64_t row = (q / m + m - 1 - k / m) * (2 * m - 1) + (q % m + m - 1 - k % m);
        zoo_param_read(v->of, row * heads + head, 1, 1, &to[i]);
    }
}

void zoo_view_read(const zoo_view *v, uint64_t first, size_t n, float *to)
{
    switch (v->kind) {
    case ZOO_VIEW_NONE:
        break;
    case ZOO_VIEW_PLAIN:
        zoo_param_read(v->of, first, 1, n, to);
        break;
    case ZOO_VIEW_TRANSPOSED:
        transposed(v->of, first, n, to);
        break;
    case ZOO_VIEW_FOLDED_WEIGHT:
        folded_weight(v, first, n, to);
        break;
    case ZOO_VIEW_FOLDED_BIAS:
        folded_bias(&v->norm, first, n, to);
        break;
    case ZOO_VIEW_POSITION_BIAS:
        position_bias(v, first, n, to);
        break;
    }
}
