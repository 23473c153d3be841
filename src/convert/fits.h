/* A runtime that computes in the types of the file runs another precision than the one asked for
 * when the file holds another: nobody shall read such a number under that name. */
#ifndef JL_CONVERT_FITS_H
#define JL_CONVERT_FITS_H

#include "jouleline/configuration.h"
#include "jouleline/model.h"

/* Whether `path`, of that arithmetic (jl_model_arithmetic), is what the configuration names;
 * *convert: no, but it would be once it is converted from FP32. JL_ERR_UNSUPPORTED names both
 * precisions and the configurations that the file fits. */
int jl_file_fits(const jl_configuration *c, jl_dtype arithmetic, const char *path, bool *convert,
                 jl_error *err);
/* The precision that a file of this arithmetic fits. */
jl_precision jl_file_precision(jl_dtype arithmetic);

#endif
