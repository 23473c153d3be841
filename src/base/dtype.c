#include "jouleline/dtype.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const struct {
    const char *name, *alias;
    unsigned bits;
    bool is_float;
} types[JL_DTYPE_COUNT] = {
    [JL_UNDEFINED] = {"undefined", "", 0, false},
    [JL_FLOAT] = {"float", "fp32", 32, true},
    [JL_UINT8] = {"uint8", "u8", 8, false},
    [JL_INT8] = {"int8", "i8", 8, false},
    [JL_UINT16] = {"uint16", "u16", 16, false},
    [JL_INT16] = {"int16", "i16", 16, false},
    [JL_INT32] = {"int32", "i32", 32, false},
    [JL_INT64] = {"int64", "i64", 64, false},
    [JL_STRING] = {"string", "str", 0, false},
    [JL_BOOL] = {"bool", "boolean", 8, false},
    [JL_FLOAT16] = {"float16", "fp16", 16, true},
    [JL_DOUBLE] = {"double", "fp64", 64, true},
    [JL_UINT32] = {"uint32", "u32", 32, false},
    [JL_UINT64] = {"uint64", "u64", 64, false},
    [JL_COMPLEX64] = {"complex64", "c64", 64, false},
    [JL_COMPLEX128] = {"complex128", "c128", 128, false},
    [JL_BFLOAT16] = {"bfloat16", "bf16", 16, true},
    [JL_FLOAT8E4M3FN] = {"float8e4m3fn", "f8e4m3fn", 8, true},
    [JL_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", "f8e4m3fnuz", 8, true},
    [JL_FLOAT8E5M2] = {"float8e5m2", "f8e5m2", 8, true},
    [JL_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", "f8e5m2fnuz", 8, true},
    [JL_UINT4] = {"uint4", "u4", 4, false},
    [JL_INT4] = {"int4", "i4", 4, false},
    [JL_FLOAT4E2M1] = {"float4e2m1", "f4e2m1", 4, true},
    [JL_FLOAT8E8M0] = {"float8e8m0", "f8e8m0", 8, true},
    [JL_UINT2] = {"uint2", "u2", 2, false},
    [JL_INT2] = {"int2", "i2", 2, false},
};

static bool known(jl_dtype t)
{
    return (unsigned)t < JL_DTYPE_COUNT;
}

unsigned jl_dtype_bits(jl_dtype t)
{
    return known(t) ? types[t].bits : 0;
}

const char *jl_dtype_name(jl_dtype t)
{
    return types[known(t) ? t : JL_UNDEFINED].name;
}

jl_dtype jl_dtype_parse(const char *name)
{
    for (int t = 1; t < JL_DTYPE_COUNT; t++)
        if (!strcmp(name, types[t].name) || !strcmp(name, types[t].alias)) return (jl_dtype)t;
    if (!strcmp(name, "float32")) return JL_FLOAT;
    if (!strcmp(name, "float64")) return JL_DOUBLE;
    return JL_UNDEFINED;
}

bool jl_dtype_is_float(jl_dtype t)
{
    return known(t) && types[t].is_float;
}

uint64_t jl_dtype_bytes(jl_dtype t, uint64_t n)
{
    unsigned bits = jl_dtype_bits(t);
    return bits >= 8 ? n * (bits / 8) : (n * bits + 7) / 8;
}

uint16_t jl_half_from_float(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = (u >> 16) & 0x8000u, magnitude = u & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return (uint16_t)(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
    if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u); /* 65520 and above */
    if (magnitude < 0x33000001u) return (uint16_t)sign;              /* 2^-25 and below */
    uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7FFFFFu) | 0x800000u;
    unsigned shift = exponent < 113 ? 126 - exponent : 13; /* subnormal halves lose more bits */
    uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1),
             tie = 1u << (shift - 1);
    if (rest > tie || (rest == tie && (kept & 1))) kept++;
    uint32_t h = exponent < 113 ? kept : ((exponent - 113) << 10) + kept;
    return (uint16_t)(sign | h);
}

float jl_float_from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u,
             mantissa = h & 0x3FFu;
    uint32_t u;
    if (exponent == 31) {
        u = sign | 0x7F800000u | (mantissa << 13) | (mantissa ? 0x400000u : 0);
    } else if (exponent) {
        u = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else {
        float tiny = (float)mantissa * 0x1p-24f;
        memcpy(&u, &tiny, sizeof u);
        u |= sign;
    }
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

uint16_t jl_bf16_from_float(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

float jl_float_from_bf16(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static bool finite_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (u & 0x7F800000u) != 0x7F800000u;
}

static size_t half_from_floats_plain(uint16_t *to, const float *from, size_t n)
{
    size_t saturated = 0;
    for (size_t i = 0; i < n; i++) {
        float f; /* bytes of a file may lie anywhere */
        memcpy(&f, (const unsigned char *)from + i * sizeof f, sizeof f);
        to[i] = jl_half_from_float(f);
        saturated += (to[i] & 0x7FFFu) == 0x7C00u && finite_bits(f);
    }
    return saturated;
}

static void floats_from_half_plain(float *to, const uint16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const unsigned char *)from + i * sizeof h, sizeof h);
        to[i] = jl_float_from_half(h);
    }
}

#if defined(__x86_64__)
__attribute__((target("avx,f16c"))) static size_t half_from_floats_f16c(uint16_t *to,
                                                                        const float *from, size_t n)
{
    size_t saturated = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 f = _mm256_loadu_ps(from + i);
        __m128i h = _mm256_cvtps_ph(f, _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(void *)(to + i), h);
        __m128i infinite =
            _mm_cmpeq_epi16(_mm_and_si128(h, _mm_set1_epi16(0x7FFF)), _mm_set1_epi16(0x7C00));
        if (_mm_movemask_epi8(infinite)) saturated += half_from_floats_plain(to + i, from + i, 8);
    }
    return saturated + half_from_floats_plain(to + i, from + i, n - i);
}

__attribute__((target("avx,f16c"))) static void
floats_from_half_f16c(float *to, const uint16_t *from, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(
            to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
    floats_from_half_plain(to + i, from + i, n - i);
}
#endif

#if defined(__x86_64__)
/* By cpuid: clang's __builtin_cpu_supports does not know "f16c". "avx" says that the system
 * saves the wide registers. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

size_t jl_half_from_floats(uint16_t *to, const float *from, size_t n)
{
#if defined(__x86_64__)
    if (has_f16c()) return half_from_floats_f16c(to, from, n);
#endif
    return half_from_floats_plain(to, from, n);
}

void jl_floats_from_half(float *to, const uint16_t *from, size_t n)
{
#if defined(__x86_64__)
    if (has_f16c()) {
        floats_from_half_f16c(to, from, n);
        return;
    }
#endif
    floats_from_half_plain(to, from, n);
}
