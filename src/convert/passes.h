/* Running a model on samples and looking at its values, several samples at once. Private to
 * src/convert. Call it in a child: see runtime/ort_watch.h. */
#ifndef JL_CONVERT_PASSES_H
#define JL_CONVERT_PASSES_H

#include "convert/edit.h"
#include "jouleline/samples.h"
#include "runtime/ort_watch.h"

/* Who looks: callers work side by side, each on every callers-th sample in order. */
typedef struct jl_pass {
    void *ctx;
    size_t caller, sample;
} jl_pass;

/* Looks at value `index` of the names. Samples of one caller come one after the other; callers come
 * at the same time. */
typedef int (*jl_look)(const jl_pass *pass, size_t index, const jl_tensor *value, jl_error *err);

/* How many callers there are: no more than cores, samples, and two. Further cores compute within
 * calls. */
size_t jl_pass_callers(size_t samples);

/* Opens the model of `e` on ONNX Runtime's CPU provider, to look at the named values, inputs and
 * outputs among them. The model is written to the file `scratch` and its weights to one beside it;
 * both are removed. jl_watched_close ends it. */
int jl_pass_open(jl_edit *e, const jl_str *names, size_t count, const char *scratch,
                 jl_watched **model, jl_error *err);
/* Runs it on `count` of the samples: those with these numbers, NULL for the first ones. */
int jl_pass_samples(jl_watched *model, const jl_samples *samples, const size_t *numbers,
                    size_t count, jl_look look, void *ctx, jl_error *err);

#endif
