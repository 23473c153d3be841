#include "jouleline/tensor.h"

#include <stdlib.h>
#include <string.h>

int64_t jl_tensor_elements(const jl_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 || __builtin_mul_overflow(n, t->dims[i], &n)) return -1;
    return n;
}

/* Data mapped from a file may lie at any address. */
#define AT(type)                                                                                   \
    ({                                                                                             \
        type v_;                                                                                   \
        memcpy(&v_, p + i * sizeof v_, sizeof v_);                                                 \
        v_;                                                                                        \
    })

/* The element at index i as a double, for the types that jl_tensor_cast knows. */
static bool read_element(const jl_tensor *t, size_t i, double *x)
{
    const unsigned char *p = t->data;
    switch (t->dtype) {
    case JL_FLOAT:
        *x = (double)AT(float);
        return true;
    case JL_DOUBLE:
        *x = AT(double);
        return true;
    case JL_FLOAT16:
        *x = (double)jl_float_from_half(AT(uint16_t));
        return true;
    case JL_BFLOAT16:
        *x = (double)jl_float_from_bf16(AT(uint16_t));
        return true;
    case JL_INT8:
        *x = AT(int8_t);
        return true;
    case JL_UINT8:
    case JL_BOOL:
        *x = AT(uint8_t);
        return true;
    case JL_INT16:
        *x = AT(int16_t);
        return true;
    case JL_UINT16:
        *x = AT(uint16_t);
        return true;
    case JL_INT32:
        *x = AT(int32_t);
        return true;
    case JL_UINT32:
        *x = AT(uint32_t);
        return true;
    case JL_INT64:
        *x = (double)AT(int64_t);
        return true;
    case JL_UINT64:
        *x = (double)AT(uint64_t);
        return true;
    default:
        return false;
    }
}
#undef AT

static int cannot(const jl_tensor *t, jl_dtype to, jl_error *err)
{
    return jl_fail(err, JL_ERR_UNSUPPORTED, "the tensor '%s' is %s and cannot become %s",
                   t->name ? t->name : "", jl_dtype_name(t->dtype), jl_dtype_name(to));
}

int jl_tensor_floats(const jl_tensor *t, float *to, jl_error *err)
{
    int64_t n = jl_tensor_elements(t);
    double x;
    if (n < 0 || jl_dtype_bytes(t->dtype, (uint64_t)n) > t->size_bytes)
        return jl_fail(err, JL_ERR_FORMAT, "the tensor '%s' holds fewer bytes than its shape says",
                       t->name ? t->name : "");
    if (t->dtype == JL_FLOAT) {
        if (n) memcpy(to, t->data, (size_t)n * sizeof *to);
        return 0;
    }
    if (t->dtype == JL_FLOAT16) {
        jl_floats_from_half(to, t->data, (size_t)n);
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!read_element(t, (size_t)i, &x)) return cannot(t, JL_FLOAT, err);
        to[i] = (float)x;
    }
    return 0;
}

int jl_tensor_cast(jl_tensor *to, const jl_tensor *from, jl_dtype dtype, jl_error *err)
{
    int64_t n = jl_tensor_elements(from);
    double x = 0;
    if (n < 0 || jl_dtype_bytes(from->dtype, (uint64_t)n) > from->size_bytes)
        return jl_fail(err, JL_ERR_FORMAT, "the tensor '%s' holds fewer bytes than its shape says",
                       from->name ? from->name : "");
    jl_tensor made = *from;
    made.dtype = dtype;
    made.size_bytes = jl_dtype_bytes(dtype, (uint64_t)n);
    size_t padded = (made.size_bytes + JL_TENSOR_ALIGNMENT) & ~(size_t)(JL_TENSOR_ALIGNMENT - 1);
    made.data = aligned_alloc(JL_TENSOR_ALIGNMENT, padded);
    if (!made.data)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for %zu bytes of the tensor '%s'",
                       made.size_bytes, from->name ? from->name : "");
    bool good = true;
    if (dtype == from->dtype) {
        if (n) memcpy(made.data, from->data, made.size_bytes);
    } else if (dtype == JL_FLOAT16 && from->dtype == JL_FLOAT) {
        jl_half_from_floats(made.data, from->data, (size_t)n);
    } else {
        for (int64_t i = 0; i < n && good; i++) {
            good = read_element(from, (size_t)i, &x);
            switch (dtype) {
            case JL_FLOAT:
                ((float *)made.data)[i] = (float)x;
                break;
            case JL_DOUBLE:
                ((double *)made.data)[i] = x;
                break;
            case JL_FLOAT16:
                ((uint16_t *)made.data)[i] = jl_half_from_float((float)x);
                break;
            case JL_BFLOAT16:
                ((uint16_t *)made.data)[i] = jl_bf16_from_float((float)x);
                break;
            default:
                good = false;
            }
        }
    }
    if (!good) {
        free(made.data);
        return cannot(from, dtype, err);
    }
    *to = made;
    return 0;
}
