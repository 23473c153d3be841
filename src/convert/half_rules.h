/* What ONNX says of each operator and 16-bit floats. Private to src/convert.
 * Source: the type constraints of the operator schemas, ONNX 1.20 (onnx/defs). */
#ifndef JL_CONVERT_HALF_RULES_H
#define JL_CONVERT_HALF_RULES_H

#include "model/onnx/onnx.h"

/* Whether the operator is defined for this type at this opset of its domain. */
bool jl_half_defined(jl_str op_type, jl_dtype type, int64_t opset);
/* Whether an operator of com.microsoft is known to take 16-bit floats. */
bool jl_half_microsoft(jl_str op_type);
/* Inputs that stay FP32 whatever the node computes in (Resize's scales). */
bool jl_half_fixed_input(jl_str op_type, size_t input);
/* Operators whose output holds elements of input 0 only; the other inputs say which or how many. */
bool jl_half_follows_first(jl_str op_type);
/* Operators that look at the shape of their one input only. */
bool jl_half_any_type(jl_str op_type);
/* Operators with an attribute that names the element type of the output; NULL for the others. */
const char *jl_half_type_attribute(jl_str op_type);

#endif
