/* Means of activations. Private to src/convert. */
#ifndef JL_CONVERT_MEANS_H
#define JL_CONVERT_MEANS_H

#include "jouleline/tensor.h"

/* Adds the mean over an FP32 tensor for each index of the axis to means[index]. */
void jl_add_means(const jl_tensor *t, size_t axis, double *means);

#endif
