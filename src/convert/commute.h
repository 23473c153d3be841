/* MatMul before Transpose instead of after. Private to src/convert.
 *
 * ONNX Runtime 1.31 and 1.32 on the CPU die of signal 11 while they optimise a half-precision
 * Transpose that moves the first axis to the last but one (perm 1, ..., n-2, 0, n-1) and feeds a
 * MatMul with a two-dimensional constant: the pair is fused into FusedMatMul with transBatchA,
 * for which there is no half kernel (smallest model: those two nodes). torch's exporter writes
 * that pair in every ViT. Such a MatMul works on the last axis only, so
 * T(x) W = T(x W): the same products and sums, in a form that nothing fuses. */
#ifndef JL_CONVERT_COMMUTE_H
#define JL_CONVERT_COMMUTE_H

#include "convert/edit.h"

/* Swaps every such pair of the main graph; the names of the new values are added to `types` as
 * JL_FLOAT. A Transpose without readers is dropped. Returns the count, or a negative error. */
int jl_commute_transposes(jl_edit *e, jl_map *types, jl_error *err);

#endif
