/* The inputs of a model: shapes and contents from the user's words, and good guesses where there
 * are none. What was guessed is said, so that nobody measures something else than he thinks.
 *
 * Words: a shape is dimensions with 'x' between, B for the batch: "ids=Bx128". A fill is
 *     ones | zeros | arange | const:V | int:LO..HI | uniform:LO,HI | normal:MEAN,SD
 * A file is a .npy. Each is NAME=...; NAME= may be left out for a model with one input. */
#ifndef JL_RUNTIME_INPUTS_H
#define JL_RUNTIME_INPUTS_H

#include "base/arena.h"
#include "base/str.h"
#include "jouleline/tensor.h"

/* An input as the model declares it. */
typedef struct jl_input_spec {
    const char *name;
    jl_dtype dtype;
    int rank;                           /* -1: the model does not say */
    int64_t dims[JL_MAX_RANK];          /* -1: left open by the model */
    const char *dim_names[JL_MAX_RANK]; /* of open dimensions; NULL where there is none */
    int64_t bound;                      /* integers that index a table: 0..bound-1; 0: unknown */
} jl_input_spec;

/* The inputs that a model declares; strings live as long as the model. JL_ERR_UNSUPPORTED for a
 * sequence, map or optional. */
struct jl_model;
int jl_input_specs(const struct jl_model *m, jl_arena *arena, jl_input_spec **specs, size_t *count,
                   jl_error *err);

typedef struct jl_input_words {
    const char *const *shapes, *const *fills, *const *files; /* as the user gave them */
    size_t shape_count, fill_count, file_count;
} jl_input_words;

typedef struct jl_inputs {
    jl_arena *arena; /* owns everything */
    jl_tensor *tensors;
    size_t count;
    const char **notes; /* sentences on what was guessed, for the user */
    size_t note_count;
    bool batched; /* some dimension follows the batch, or is equal to it */
} jl_inputs;

/* Makes the inputs of one call of `batch` items. Contents depend on the seed, the input's place
 * and the element's place alone: an item is the same in every batch, and on every machine.
 * JL_ERR_USAGE: unknown names (with the nearest), shapes that do not fit, dimensions without a
 * value, conflicting words. JL_ERR_FORMAT and JL_ERR_IO: from files. On failure nothing is owned.
 */
int jl_inputs_make(const jl_input_spec *specs, size_t count, const jl_input_words *words,
                   int64_t batch, uint64_t seed, jl_inputs *inputs, jl_error *err);
void jl_inputs_free(jl_inputs *inputs); /* a zeroed struct is fine */

/* Fills. */
typedef enum jl_fill_kind {
    JL_FILL_CONST,
    JL_FILL_ARANGE,
    JL_FILL_INT,     /* whole numbers from a to b, both included */
    JL_FILL_UNIFORM, /* a to b */
    JL_FILL_NORMAL,  /* mean a, standard deviation b: the sum of four uniform parts, so bounded */
} jl_fill_kind;
typedef struct jl_fill {
    jl_fill_kind kind;
    double a, b;
} jl_fill;
int jl_fill_parse(const char *text, jl_fill *fill, jl_error *err);
/* What an input without words gets: never zeros. The reason is a phrase for the user. */
jl_fill jl_fill_guess(const jl_input_spec *spec, const char **reason);
/* Fills t->data (strings: pointers from the arena). `stream` tells inputs apart. */
int jl_fill_tensor(jl_tensor *t, const jl_fill *fill, uint64_t seed, uint64_t stream,
                   jl_arena *arena, jl_error *err);
/* "int:0..9", for notes. */
void jl_fill_format(const jl_fill *fill, char *text, size_t size);

#endif
