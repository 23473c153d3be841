/* The inputs of a plan's models: by the study's words, from seeds. */
#include <string.h>

#include "runtime/inputs.h"
#include "study/plan.h"

uint64_t jl_plan_input_seed(const jl_plan *plan)
{
    return plan->spec->seed ? plan->spec->seed : 1;
}

/* A program for PyTorch tells nothing of its inputs: the words do. */
static int word_specs(const jl_study_spec *spec, jl_arena *arena, jl_input_spec **specs,
                      size_t *count, jl_error *err)
{
    *count = spec->shape_count;
    *specs = jl_arena_array(arena, *count + 1, sizeof **specs);
    if (!*specs) return jl_fail(err, JL_ERR_MEMORY, "no memory for the inputs");
    if (!*count)
        return jl_fail(err, JL_ERR_USAGE,
                       "a program for PyTorch does not tell its inputs; give --shape NAME=Bx...");
    for (size_t i = 0; i < *count; i++) {
        const char *word = spec->shapes[i], *equals = strchr(word, '=');
        if (!equals) return jl_fail(err, JL_ERR_USAGE, "--shape %s: write NAME=%s", word, word);
        (*specs)[i] =
            (jl_input_spec){.name = jl_arena_strndup(arena, word, (size_t)(equals - word)),
                            .dtype = JL_FLOAT,
                            .rank = -1};
    }
    return 0;
}

int jl_plan_inputs(const jl_plan *p, const jl_plan_model *of, const jl_model *model, int64_t batch,
                   uint64_t seed, jl_inputs *inputs, jl_error *err)
{
    const jl_study_spec *spec = p->spec;
    jl_arena *arena = jl_arena_new();
    jl_input_spec *specs;
    size_t count;
    if (!arena) return jl_fail(err, JL_ERR_MEMORY, "no memory for the inputs");
    int rc = model ? jl_input_specs(model, arena, &specs, &count, err)
                   : word_specs(spec, arena, &specs, &count, err);
    jl_input_words words = {.shapes = spec->shapes,
                            .fills = spec->fills,
                            .files = spec->inputs,
                            .shape_count = spec->shape_count,
                            .fill_count = spec->fill_count,
                            .file_count = spec->input_count};
    if (of->probe) words = (jl_input_words){0}; /* they are about the models */
    if (!rc) rc = jl_inputs_make(specs, count, &words, batch, seed, inputs, err);
    jl_arena_free(arena);
    return rc;
}
