/* Outputs of a run against the FP32 reference, item by item. */
#ifndef JL_STUDY_AGREEMENT_H
#define JL_STUDY_AGREEMENT_H

#include "jouleline/configuration.h"
#include "jouleline/store.h"

enum { JL_AGREEMENT_OUTPUTS = 16, JL_AGREEMENT_NAME = 96 };

typedef struct jl_agreement {
    jl_agreement_record records[JL_AGREEMENT_OUTPUTS];
    char names[JL_AGREEMENT_OUTPUTS][JL_AGREEMENT_NAME];
    size_t count;
    bool numerical;    /* the outcome that it makes of the run */
    char message[512]; /* why */
} jl_agreement;

/* Two safetensors files, the run's outputs and the reference's; outputs are matched by name, or
 * by place when the names differ. `reference` (kept, not copied) names the configuration that
 * made them. NaN and Inf that the reference has too are not new. */
int jl_agreement_of(const char *outputs, const char *reference_outputs, const char *reference,
                    int64_t batch, jl_precision precision, jl_agreement *a, jl_error *err);

#endif
