/* Inputs to calibrate and compare on: pictures of a folder, a .npy file of items, or seeded inputs
 * as `run` measures with, one item a call or several. Made on demand: memory for one call. */
#ifndef JL_CONVERT_SAMPLES_H
#define JL_CONVERT_SAMPLES_H

#include "jouleline/model.h"
#include "jouleline/quantize.h"

typedef struct jl_sample_source {
    const char *images;     /* a folder of JPEG and PNG files, in order of their names; or NULL */
    const char *preprocess; /* words of base/image.h; NULL: what is usual for ImageNet */
    const char *npy;        /* items along the first axis; or NULL */
    size_t count;           /* at most so many; seeded: exactly so many */
    size_t skip;            /* leave out the first ones: other items than calibration had */
    size_t batch;           /* items a call, the last ones left out where they fill none; 0: one */
    uint64_t seed;
} jl_sample_source;

typedef struct jl_sample_set jl_sample_set;

/* The model must stay open as long as the set. JL_ERR_USAGE: `preprocess` without `images`, the
 * model takes no picture, the folder holds none, or there are fewer items than a call takes;
 * JL_ERR_FORMAT names the file that does not fit. */
int jl_sample_set_open(const jl_model *model, const jl_sample_source *source, jl_sample_set **set,
                       jl_error *err);
jl_samples jl_sample_set_samples(jl_sample_set *set);
/* Of call i its first item: the file's name, or "item 12". */
const char *jl_sample_set_label(jl_sample_set *set, size_t i);
/* Why the samples made so far say little of a model's ranges, or NULL. */
const char *jl_sample_set_caution(const jl_sample_set *set);
void jl_sample_set_close(jl_sample_set *set); /* NULL is fine */

#endif
