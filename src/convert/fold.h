/* Folding batch normalisation into the convolution before it. Private to src/convert.
 *
 * y = gamma (conv(x) - mean) / sqrt(var + eps) + beta becomes a convolution with the weights of
 * output channel c times s_c = gamma_c / sqrt(var_c + eps) and the bias
 * beta_c + (bias_c - mean_c) s_c. The products are computed in FP32. */
#ifndef JL_CONVERT_FOLD_H
#define JL_CONVERT_FOLD_H

#include "convert/edit.h"

/* Folds every BatchNormalization that directly follows a Conv whose output nobody else reads and
 * whose weights are initialisers. Returns the count folded, or a negative error. */
int jl_fold_batch_norms(jl_edit *e, jl_error *err);

#endif
