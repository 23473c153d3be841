/* The inside of a jl_model. Private to src/model and to the converters above it. */
#ifndef JL_MODEL_MODEL_H
#define JL_MODEL_MODEL_H

#include "jouleline/model.h"
#include "model/shapes.h"
#include "model/zoo/zoo.h"

struct jl_model {
    jl_arena *arena;
    onnx_file *file; /* of a file model, or NULL */
    zoo_graph *zoo;  /* of a zoo model, or NULL */
    const onnx_model *onnx;
    jl_graph *graph;
    jl_shapes *shapes;
    const char *name, *producer;
    const jl_zoo_model *zoo_entry;
    jl_port *inputs, *outputs;
    uint32_t *input_values; /* value numbers of `inputs` */
    size_t n_inputs, n_outputs, n_symbols;
    const char **symbols;
    int64_t *bound; /* by symbol; -1 when free */
    jl_op_count *ops;
    size_t n_ops;
};

#endif
