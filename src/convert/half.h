/* The pass that gives every node of a graph its precision. Private to src/convert. */
#ifndef JL_CONVERT_HALF_H
#define JL_CONVERT_HALF_H

#include "convert/edit.h"
#include "convert/ranges.h"
#include "jouleline/convert.h"

/* A value that was FP32: its names now, by type; p NULL where that type was not made yet. */
typedef struct jl_half_value {
    jl_str as32, as16;
    int64_t initializer; /* index, or -1 */
    bool pinned;         /* the initialiser has its type: another type needs a copy */
} jl_half_value;

typedef struct jl_half {
    jl_edit *edit;
    const jl_convert_options *options;
    jl_convert_summary *summary;
    const jl_map *types; /* every value's element type before the pass */
    int64_t opset;
    jl_map keep;             /* set of names; the value counts the uses */
    const jl_ranges *ranges; /* NULL: static */
    jl_map now;              /* float values, by old name: index into values */
    jl_half_value *values;
    size_t value_count, value_capacity;
    jl_map natures; /* what values are made of, while the pass runs */
} jl_half;

/* Rewrites the whole model of h->edit. */
int jl_half_model(jl_half *h, jl_error *err);

/* A value that was FP32 by its old name, or NULL. */
jl_half_value *jl_half_value_of(const jl_half *h, jl_str name);
bool jl_half_has_subgraph(const onnx_node *node);
/* Notes what a node's outputs are made of. shape: of shapes and constants only. Nodes come in the
 * graph's order. */
int jl_half_note_nature(jl_half *h, const onnx_node *node, bool *shape, jl_error *err);
/* Whether the node stays in FP32; the summary says why. */
bool jl_half_keeps(jl_half *h, const onnx_node *node, bool shape);

/* Rewrites the attributes that say the element type of a node's float output. */
int jl_half_attributes(jl_half *h, onnx_node *node, jl_error *err);

/* The element type that a name has after the pass: JL_UNDEFINED when nothing has the name any
 * more, `before` when the pass did not touch it. */
jl_dtype jl_half_type_now(const jl_half *h, jl_str name, jl_dtype before);

#endif
