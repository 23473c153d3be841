#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/rng.h"
#include "runtime/inputs.h"

/* Two numbers with `between` between them, and nothing after. */
static bool two_numbers(const char *text, const char *between, double *a, double *b)
{
    char *end;
    *a = strtod(text, &end);
    /* strtod takes the first dot of "0..9" for a decimal point */
    if (!strcmp(between, "..")) {
        *a = (double)strtoll(text, &end, 10);
        if (end == text || strncmp(end, "..", 2) != 0) return false;
        const char *second = end + 2;
        *b = (double)strtoll(second, &end, 10);
        return end != second && !*end && *a <= *b;
    }
    if (end == text || *end != *between) return false;
    const char *second = end + 1;
    *b = strtod(second, &end);
    return end != second && !*end && isfinite(*a) && isfinite(*b);
}

int jl_fill_parse(const char *text, jl_fill *f, jl_error *err)
{
    *f = (jl_fill){.kind = JL_FILL_CONST};
    char *end;
    if (!strcmp(text, "ones")) {
        f->a = 1;
    } else if (!strcmp(text, "zeros")) {
        f->a = 0;
    } else if (!strcmp(text, "arange")) {
        f->kind = JL_FILL_ARANGE;
    } else if (!strcmp(text, "normal")) {
        *f = (jl_fill){JL_FILL_NORMAL, 0, 1};
    } else if (!strncmp(text, "const:", 6) && text[6]) {
        f->a = strtod(text + 6, &end);
        if (*end) goto bad;
    } else if (!strncmp(text, "int:", 4)) {
        f->kind = JL_FILL_INT;
        if (!two_numbers(text + 4, "..", &f->a, &f->b)) goto bad;
    } else if (!strncmp(text, "uniform:", 8)) {
        f->kind = JL_FILL_UNIFORM;
        if (!two_numbers(text + 8, ",", &f->a, &f->b) || f->a > f->b) goto bad;
    } else if (!strncmp(text, "normal:", 7)) {
        f->kind = JL_FILL_NORMAL;
        if (!two_numbers(text + 7, ",", &f->a, &f->b) || f->b < 0) goto bad;
    } else {
        goto bad;
    }
    return 0;
bad:
    return jl_fail(err, JL_ERR_USAGE,
                   "'%s' is no fill; write ones, zeros, arange, const:2, int:0..99, uniform:0,1 or "
                   "normal:0,1",
                   text);
}

void jl_fill_format(const jl_fill *f, char *text, size_t size)
{
    switch (f->kind) {
    case JL_FILL_CONST:
        snprintf(text, size, "const:%g", f->a);
        break;
    case JL_FILL_ARANGE:
        snprintf(text, size, "arange");
        break;
    case JL_FILL_INT:
        snprintf(text, size, "int:%.0f..%.0f", f->a, f->b);
        break;
    case JL_FILL_UNIFORM:
        snprintf(text, size, "uniform:%g,%g", f->a, f->b);
        break;
    case JL_FILL_NORMAL:
        snprintf(text, size, "normal:%g,%g", f->a, f->b);
        break;
    }
}

static bool is_integer(jl_dtype t)
{
    return t == JL_INT8 || t == JL_UINT8 || t == JL_INT16 || t == JL_UINT16 || t == JL_INT32 ||
           t == JL_UINT32 || t == JL_INT64 || t == JL_UINT64;
}

jl_fill jl_fill_guess(const jl_input_spec *s, const char **reason)
{
    if (is_integer(s->dtype) || s->dtype == JL_BOOL) {
        if (s->dtype == JL_BOOL || (s->rank == 2 && strcasestr(s->name, "mask"))) {
            *reason = s->dtype == JL_BOOL ? "it is boolean" : "it is named like a mask";
            return (jl_fill){JL_FILL_CONST, 1, 0};
        }
        if (s->bound > 0) {
            *reason = "it indexes a table of that size";
            return (jl_fill){JL_FILL_INT, 0, (double)(s->bound - 1)};
        }
        if (strcasestr(s->name, "position")) {
            *reason = "it is named like positions";
            return (jl_fill){JL_FILL_ARANGE, 0, 0};
        }
        if (s->dtype == JL_UINT8) {
            *reason = "it is uint8, as pictures are";
            return (jl_fill){JL_FILL_INT, 0, 255};
        }
        *reason = "nothing is known of these integers";
        return (jl_fill){JL_FILL_CONST, 1, 0};
    }
    *reason = NULL; /* the usual case, not worth a sentence */
    return (jl_fill){JL_FILL_NORMAL, 0, 1};
}

/* 64 random bits of element i. */
static uint64_t bits_of(uint64_t key, uint64_t i)
{
    return jl_mix64(key + i * UINT64_C(0x9E3779B97F4A7C15));
}

/* Sum of four uniform 16-bit parts, shifted and scaled to mean 0 and variance 1: exact integers
 * and one division, so the same on every machine. */
static double normal_of(uint64_t bits)
{
    int64_t sum =
        (int64_t)((bits & 65535) + (bits >> 16 & 65535) + (bits >> 32 & 65535) + (bits >> 48));
    return (double)(sum - 2 * 65535) / 37837.227062026; /* sqrt(4 (65536^2 - 1) / 12) */
}

static double value_of(const jl_fill *f, uint64_t key, uint64_t i)
{
    uint64_t bits = f->kind == JL_FILL_CONST || f->kind == JL_FILL_ARANGE ? 0 : bits_of(key, i);
    double unit = (double)(bits >> 11) * 0x1p-53;
    switch (f->kind) {
    case JL_FILL_ARANGE:
        return (double)i;
    case JL_FILL_INT:
        return f->a + floor(unit * (f->b - f->a + 1));
    case JL_FILL_UNIFORM:
        return f->a + unit * (f->b - f->a);
    case JL_FILL_NORMAL:
        return f->a + f->b * normal_of(bits);
    default:
        return f->a;
    }
}

/* 8- and 4-bit floats and packed integers take seeded bits: every pattern is a number, once what
 * would be NaN or large is cleared. */
static bool fill_bits(jl_tensor *t, uint64_t key)
{
    unsigned char *p = t->data;
    for (size_t i = 0; i < t->size_bytes; i++) {
        unsigned char b = (unsigned char)bits_of(key, i);
        switch (t->dtype) {
        case JL_FLOAT8E4M3FN:
        case JL_FLOAT8E5M2:
            p[i] = b & 0xBF;
            break; /* |x| below 2 */
        case JL_FLOAT8E4M3FNUZ:
        case JL_FLOAT8E5M2FNUZ:
            p[i] = (b & 0xBF) == 0x80 ? 0 : b & 0xBF;
            break;
        case JL_FLOAT8E8M0:
            p[i] = (unsigned char)(120 + b % 8);
            break;
        case JL_UINT4:
        case JL_INT4:
        case JL_UINT2:
        case JL_INT2:
        case JL_FLOAT4E2M1:
            p[i] = b;
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Whole numbers as C converts them, held inside the type. */
static double within(double x, double low, double high)
{
    x = trunc(x);
    return x < low ? low : x > high ? high : x;
}

static int fill_strings(jl_tensor *t, size_t n, jl_arena *arena, jl_error *err)
{
    char **strings = t->data;
    for (size_t i = 0; i < n; i++) {
        strings[i] = jl_arena_printf(arena, "text %zu", i);
        if (!strings[i]) return jl_fail(err, JL_ERR_MEMORY, "no memory for strings");
    }
    return 0;
}

static void fill_number(jl_tensor *t, size_t i, double x)
{
    void *p = t->data;
    switch (t->dtype) {
    case JL_FLOAT:
        ((float *)p)[i] = (float)x;
        break;
    case JL_DOUBLE:
        ((double *)p)[i] = x;
        break;
    case JL_FLOAT16:
        ((uint16_t *)p)[i] = jl_half_from_float((float)x);
        break;
    case JL_BFLOAT16:
        ((uint16_t *)p)[i] = jl_bf16_from_float((float)x);
        break;
    case JL_COMPLEX64:
        ((float *)p)[i] = (float)x;
        break;
    case JL_COMPLEX128:
        ((double *)p)[i] = x;
        break;
    case JL_BOOL:
        ((uint8_t *)p)[i] = x != 0;
        break;
    case JL_INT8:
        ((int8_t *)p)[i] = (int8_t)within(x, INT8_MIN, INT8_MAX);
        break;
    case JL_UINT8:
        ((uint8_t *)p)[i] = (uint8_t)within(x, 0, UINT8_MAX);
        break;
    case JL_INT16:
        ((int16_t *)p)[i] = (int16_t)within(x, INT16_MIN, INT16_MAX);
        break;
    case JL_UINT16:
        ((uint16_t *)p)[i] = (uint16_t)within(x, 0, UINT16_MAX);
        break;
    case JL_INT32:
        ((int32_t *)p)[i] = (int32_t)within(x, INT32_MIN, INT32_MAX);
        break;
    case JL_UINT32:
        ((uint32_t *)p)[i] = (uint32_t)within(x, 0, UINT32_MAX);
        break;
    case JL_INT64:
        ((int64_t *)p)[i] = (int64_t)within(x, -0x1p62, 0x1p62);
        break;
    case JL_UINT64:
        ((uint64_t *)p)[i] = (uint64_t)within(x, 0, 0x1p62);
        break;
    default:
        break;
    }
}

int jl_fill_tensor(jl_tensor *t, const jl_fill *f, uint64_t seed, uint64_t stream, jl_arena *arena,
                   jl_error *err)
{
    uint64_t key = jl_mix64(jl_mix64(seed) + stream);
    int64_t elements = jl_tensor_elements(t);
    if (elements < 0) return jl_fail(err, JL_ERR_LIMIT, "the input '%s' is too big", t->name);
    size_t n = (size_t)elements;
    if (t->dtype == JL_STRING) return fill_strings(t, n, arena, err);
    if (jl_dtype_bits(t->dtype) < 8 ||
        (t->dtype >= JL_FLOAT8E4M3FN && t->dtype <= JL_FLOAT8E5M2FNUZ) ||
        t->dtype == JL_FLOAT8E8M0) {
        if (fill_bits(t, key)) return 0;
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the input '%s' has element type %s", t->name,
                       jl_dtype_name(t->dtype));
    }
    if (t->dtype == JL_COMPLEX64 || t->dtype == JL_COMPLEX128) n *= 2;
    for (size_t i = 0; i < n; i++)
        fill_number(t, i, value_of(f, key, i));
    return 0;
}
