#include "convert/fits.h"

#include <string.h>

jl_precision jl_file_precision(jl_dtype arithmetic)
{
    switch (arithmetic) {
    case JL_INT8:
        return JL_PRECISION_INT8;
    case JL_FLOAT16:
        return JL_PRECISION_FP16;
    case JL_BFLOAT16:
        return JL_PRECISION_BF16;
    default:
        return JL_PRECISION_FP32;
    }
}

/* Whether the runtime itself turns the floats of a file into the precision asked for. */
static bool casts_floats(const jl_configuration *c)
{
    return strcmp(c->runtime, "ort") != 0;
}

int jl_file_fits(const jl_configuration *c, jl_dtype arithmetic, const char *path, bool *convert,
                 jl_error *err)
{
    jl_precision holds = jl_file_precision(arithmetic), wants = c->precision;
    if (wants == JL_PRECISION_TF32) wants = JL_PRECISION_FP32;
    *convert = false;
    if (wants == JL_PRECISION_NATIVE || wants == holds) return 0;
    bool floats = wants != JL_PRECISION_INT8 && holds != JL_PRECISION_INT8;
    if (floats && casts_floats(c)) return 0;
    *convert = holds == JL_PRECISION_FP32;
    return *convert ? 0
                    : jl_fail(err, JL_ERR_UNSUPPORTED,
                              "%s is a file in %s, which %s-%s would run as it is and not in %s: "
                              "ask for %s-%s/%s, or native, or give the FP32 file",
                              path, jl_precision_name(holds), c->runtime, c->provider,
                              jl_precision_name(c->precision), c->runtime, c->provider,
                              jl_precision_name(holds));
}
