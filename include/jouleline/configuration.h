/* Configurations: RUNTIME-PROVIDER/PRECISION[@DEVICE][+key=value...], for example
 * pytorch-cuda/fp16, ort-cuda/fp32@1, ort-cpu/int8+threads=4,
 * ort-cpu/fp32+lib=/opt/libonnxruntime.so */
#ifndef JOULELINE_CONFIGURATION_H
#define JOULELINE_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "jouleline/error.h"

/* Named precisions run in the `matched` regime; native leaves every library default alone. */
typedef enum jl_precision {
    JL_PRECISION_FP32,
    JL_PRECISION_TF32,
    JL_PRECISION_FP16,
    JL_PRECISION_BF16,
    JL_PRECISION_INT8,
    JL_PRECISION_NATIVE,
    JL_PRECISION_COUNT,
} jl_precision;
const char *jl_precision_name(jl_precision p);
/* JL_ERR_USAGE lists the names and says which is nearest. */
int jl_precision_parse(const char *name, jl_precision *p, jl_error *err);

enum { JL_MAX_SETTINGS = 24, JL_SETTING_KEY_SIZE = 48, JL_SETTING_VALUE_SIZE = 256 };

typedef struct jl_setting {
    char key[JL_SETTING_KEY_SIZE], value[JL_SETTING_VALUE_SIZE];
} jl_setting;

typedef struct jl_configuration {
    char runtime[24];  /* ort, pytorch, libtorch, openvino, fake, or a plugin's name */
    char provider[24]; /* cpu, cuda, tensorrt, ... */
    jl_precision precision;
    int device; /* index as the user counts (PCI bus order); 0 when not said */
    size_t option_count;
    jl_setting options[JL_MAX_SETTINGS]; /* sorted by key, no key twice */
} jl_configuration;

/* JL_ERR_USAGE names the part that is wrong and what would be right. */
int jl_configuration_parse(const char *text, jl_configuration *c, jl_error *err);
/* The canonical text (options sorted, @0 left out): equal configurations have equal texts.
 * Returns 0, or JL_ERR_LIMIT when it does not fit. */
int jl_configuration_format(const jl_configuration *c, char *text, size_t size);
/* The value of an option, or NULL. */
const char *jl_configuration_option(const jl_configuration *c, const char *key);
/* Adds an option. JL_ERR_USAGE: it is there already, or its name or value is not possible. */
int jl_configuration_add(jl_configuration *c, const char *key, const char *value, jl_error *err);
/* Whether `stored` is what a study makes of `asked`, the device apart: the same, or with versions
 * that were found (+version=, and +convert=NAME:VERSION where +convert=NAME was asked for). */
bool jl_configuration_answers(const jl_configuration *asked, const jl_configuration *stored);
/* An option that must be a whole number within [low, high]; `otherwise` when absent. */
int jl_configuration_int(const jl_configuration *c, const char *key, long low, long high,
                         long otherwise, long *value, jl_error *err);
/* The same for a number with a fraction. */
int jl_configuration_double(const jl_configuration *c, const char *key, double low, double high,
                            double otherwise, double *value, jl_error *err);
/* An option that must be 0 or 1. */
int jl_configuration_bool(const jl_configuration *c, const char *key, bool otherwise, bool *value,
                          jl_error *err);

#endif
