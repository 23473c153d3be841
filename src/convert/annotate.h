/* value_info entries from inference. Private to src/convert.
 *
 * ONNX Runtime 1.31 and 1.32 die of signal 11 when they infer the shape of a FusedMatMul with a
 * transposed batch axis whose inputs have no known rank, which half-precision attention on the
 * CPU leads to; with the ranks written in the file the same graph loads. */
#ifndef JL_CONVERT_ANNOTATE_H
#define JL_CONVERT_ANNOTATE_H

#include "convert/half.h"
#include "model/shapes.h"

/* Replaces the main graph's value_infos by what `shapes` knows of each value that still exists,
 * with the element types that the conversion gave; entries of values that inference knows nothing
 * of stay as they were. */
int jl_annotate(const jl_half *h, const jl_shapes *shapes, jl_error *err);

#endif
