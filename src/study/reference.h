/* The FP32 reference outputs of a study: one file a model and batch, made by ONNX Runtime on the
 * processor (for simulated runtimes by the simulated processor), kept in the cache. */
#ifndef JL_STUDY_REFERENCE_H
#define JL_STUDY_REFERENCE_H

#include "study/agreement.h"
#include "study/bench.h"
#include "study/plan.h"

/* Makes what the plan's cells need and the cache lacks. What cannot be made is said once. */
int jl_reference_make(jl_plan *plan, const char *scratch, const jl_ring *ring,
                      const jl_study_events *events, const volatile sig_atomic_t *interrupted,
                      jl_error *err);

/* Compares a run's outputs with the reference; a->count is 0 when there is none. */
void jl_reference_compare(const jl_plan *plan, size_t model, size_t batch, size_t configuration,
                          const char *outputs, jl_agreement *a);

#endif
