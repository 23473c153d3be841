/* Element types. Values and names are those of ONNX's TensorProto.DataType (onnx.proto). */
#ifndef JOULELINE_DTYPE_H
#define JOULELINE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum jl_dtype {
    JL_UNDEFINED = 0,
    JL_FLOAT = 1,
    JL_UINT8 = 2,
    JL_INT8 = 3,
    JL_UINT16 = 4,
    JL_INT16 = 5,
    JL_INT32 = 6,
    JL_INT64 = 7,
    JL_STRING = 8,
    JL_BOOL = 9,
    JL_FLOAT16 = 10,
    JL_DOUBLE = 11,
    JL_UINT32 = 12,
    JL_UINT64 = 13,
    JL_COMPLEX64 = 14,
    JL_COMPLEX128 = 15,
    JL_BFLOAT16 = 16,
    JL_FLOAT8E4M3FN = 17,
    JL_FLOAT8E4M3FNUZ = 18,
    JL_FLOAT8E5M2 = 19,
    JL_FLOAT8E5M2FNUZ = 20,
    JL_UINT4 = 21,
    JL_INT4 = 22,
    JL_FLOAT4E2M1 = 23,
    JL_FLOAT8E8M0 = 24,
    JL_UINT2 = 25,
    JL_INT2 = 26,
    JL_DTYPE_COUNT = 27,
} jl_dtype;

/* Bits of one element; 0 for undefined and string. Types under 8 bits are packed, low bits first.
 */
unsigned jl_dtype_bits(jl_dtype t);
/* "float", "float16", "int64"...; "undefined" for a value outside the enum. */
const char *jl_dtype_name(jl_dtype t);
/* The inverse, also taking fp32, fp16, bf16, f32...; JL_UNDEFINED when the name is unknown. */
jl_dtype jl_dtype_parse(const char *name);
/* float, float16, bfloat16, double and the 8- and 4-bit floats. */
bool jl_dtype_is_float(jl_dtype t);
/* Bytes of n packed elements, rounded up to whole bytes. */
uint64_t jl_dtype_bytes(jl_dtype t, uint64_t n);

/* Conversions of one element, IEEE 754 round to nearest even; they keep NaN and infinities. */
uint16_t jl_half_from_float(float f);
float jl_float_from_half(uint16_t h);
uint16_t jl_bf16_from_float(float f);
float jl_float_from_bf16(uint16_t b);

/* Conversions of n elements; the fastest that the processor offers, same results. Return the
 * count of finite inputs that became infinite. */
size_t jl_half_from_floats(uint16_t *to, const float *from, size_t n);
void jl_floats_from_half(float *to, const uint16_t *from, size_t n);

#endif
