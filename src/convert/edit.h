/* Editing a model that was read from a file: nodes are replaced, initialisers gain a recipe for
 * their new bytes, and the bytes are made while the result is written, so that a big model is
 * never held twice in memory. Private to src/convert. */
#ifndef JL_CONVERT_EDIT_H
#define JL_CONVERT_EDIT_H

#include "base/map.h"
#include "model/graph.h"

/* How the bytes of an initialiser come to be. Without a recipe (floats.p NULL) raw_data has them.
 */
typedef struct jl_recipe {
    jl_str floats;      /* packed little-endian FP32 */
    const float *scale; /* NULL, or one factor for each block of `inner` elements */
    uint64_t inner;
    jl_dtype to; /* JL_FLOAT, JL_FLOAT16 or JL_BFLOAT16 */
    float most;  /* of jl_edit_most; 0 before */
} jl_recipe;

typedef struct jl_edit {
    onnx_file *file;
    onnx_graph *graph;
    jl_arena *arena;
    jl_map names;        /* every value name anywhere in the model */
    jl_map initializers; /* name to index in graph->initializers */
    jl_recipe *recipes;  /* one an initialiser */
    size_t capacity;     /* of the initialisers and recipes */
    unsigned last_name;
    uint64_t
        saturated; /* finite FP32 elements beyond the 16-bit range, clamped, in the last save */
} jl_edit;

/* Brings every initialiser of the main graph to raw bytes (views where the file has them). The
 * file stays open and is edited in place; it must not be used otherwise afterwards. */
int jl_edit_begin(jl_edit *e, onnx_file *file, jl_error *err);
void jl_edit_end(jl_edit *e);

/* A value name nobody has: base, suffix, and a number when needed. p is NULL without memory. */
jl_str jl_edit_unique(jl_edit *e, jl_str base, const char *suffix);
/* Adds an initialiser with a copy of the bytes; returns its index or a negative error. */
int64_t jl_edit_add_initializer(jl_edit *e, jl_str name, jl_dtype type, const int64_t *dims,
                                size_t rank, const void *bytes, size_t n, jl_error *err);
/* A copy of initialiser i under another name, with its own recipe. */
int64_t jl_edit_copy_initializer(jl_edit *e, size_t i, jl_str name, jl_error *err);
/* Makes initialiser i (FP32) come out in another type; its data_type changes at once. */
int jl_edit_retype(jl_edit *e, size_t i, jl_dtype to, jl_error *err);
/* The FP32 elements of an initialiser in aligned memory of the arena, the recipe's scale applied;
 * NULL when there is no such FP32 initialiser or no memory. */
float *jl_edit_floats(jl_edit *e, jl_str name, size_t *n);
/* The same into memory of the caller, which grows by realloc as needed: *capacity elements. */
bool jl_edit_floats_into(jl_edit *e, jl_str name, float **to, size_t *capacity, size_t *n);

/* The largest finite magnitude of an FP32 initialiser, 0 for another; what was found is kept. */
float jl_edit_most(jl_edit *e, size_t i);

/* Fills in a node without attributes and with one output. */
int jl_edit_node(jl_edit *e, onnx_node *node, const char *op_type, jl_str name,
                 const jl_str *inputs, size_t input_count, jl_str output, jl_error *err);
/* Sets or adds an integer attribute; the list is copied, so shared attributes stay as they are. */
int jl_edit_set_int(jl_edit *e, onnx_node *node, const char *attribute, int64_t value,
                    jl_error *err);

/* Converts n FP32 values to the packed bytes of a 16-bit type; finite values beyond its range
 * are clamped to the largest finite one and counted. */
uint64_t jl_convert_floats(void *to, jl_dtype type, const float *from, size_t n);

int jl_edit_save(jl_edit *e, const char *path, jl_error *err);
/* The same in two files of one folder: the bytes of all but small initialisers in `data`, the rest
 * in `path`. A runtime maps the first and copies what it needs, where it would hold a model of one
 * file twice to read it. */
int jl_edit_save_split(jl_edit *e, const char *path, const char *data, jl_error *err);

#endif
