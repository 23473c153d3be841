/* Where a configuration's half-precision file comes from: `+convert=`
 *     jouleline              this program (the default: the option is dropped)
 *     mixed                  this program, FP32 where ranges lack headroom at the study's batches
 *     occ, ort-transformers  the converters of onnxconverter-common and of onnxruntime, run by a
 *                            Python of their own (share/jouleline/fp16_converter.py)
 *     FILE                   a file of the user
 * Probe models are always converted by this program.
 * A converter of others gets its version into the configuration's text: +convert=occ:1.16.0. */
#ifndef JL_STUDY_CONVERTER_H
#define JL_STUDY_CONVERTER_H

#include "study/plan.h"

/* Reads the option of c->parsed, and drops it where it says the default. JL_ERR_USAGE: no such
 * converter, or one that does not go with the precision or runtime; JL_ERR_MISSING: no such file.
 */
int jl_converter_parse(jl_plan_configuration *c, jl_error *err);

/* Asks the converters' interpreter for their versions; a configuration whose converter is not
 * there, or has another version than asked for, is marked absent. */
int jl_converter_probe(jl_plan *plan, jl_error *err);

/* Makes the files of a prepared model, or finds them in the cache; what fails is the outcome of the
 * cells concerned. `own_cache` changes with this program. */
int jl_converter_run(jl_plan *plan, size_t model, const char *own_cache, const char *scratch,
                     const jl_study_events *events, jl_error *err);

#endif
