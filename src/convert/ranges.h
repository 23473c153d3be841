/* The largest magnitude of each value of a model over sample inputs. Private to src/convert.
 *
 * The model is run with two scalar outputs more a value, its maximum and its minimum, so that the
 * runtime keeps no activation for us and a pass over big batches needs no more memory than a run.
 */
#ifndef JL_CONVERT_RANGES_H
#define JL_CONVERT_RANGES_H

#include "convert/edit.h"
#include "jouleline/samples.h"
#include "model/shapes.h"

typedef struct jl_ranges {
    jl_map places; /* names of the main graph's float values: index into most */
    float *most;   /* max|x| over all samples; INFINITY when an element is infinite */
    size_t count;
} jl_ranges;

/* Runs the model of `e` on ort-cpu/fp32, in this process. `types` has the element type of every
 * value, `shapes` what is known of those that were there before the edit. The model that is run is
 * written to the file `scratch` and removed. The ranges live in the arena of `e`, but for the map.
 * JL_ERR_FORMAT names a value that is NaN. */
int jl_ranges_find(jl_edit *e, const jl_shapes *shapes, const jl_map *types,
                   const jl_samples *samples, const char *scratch, jl_ranges *ranges,
                   jl_error *err);
/* 0 for a value that was not observed. */
float jl_ranges_most(const jl_ranges *ranges, jl_str name);
void jl_ranges_free(jl_ranges *ranges);

#endif
