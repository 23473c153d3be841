/* A zoo model as an ONNX graph in memory: for whoever needs its nodes and shapes but not its
 * weights (cost, info), and for the writers. */
#ifndef JL_MODEL_ZOO_ZOO_H
#define JL_MODEL_ZOO_ZOO_H

#include "jouleline/zoo.h"
#include "model/onnx/onnx.h"
#include "model/safetensors.h"
#include "model/zoo/params.h"

typedef struct zoo_graph {
    jl_arena *arena;             /* owns all below */
    const jl_zoo_model *about;   /* of a probe: its name alone */
    onnx_model *model;           /* weights have a length and no bytes; constants have theirs */
    onnx_payload_source weights; /* makes them: for onnx_save */
    const zoo_view *views;       /* one an initializer */
    zoo_param *const *params;    /* of the state_dict */
    size_t n_params;
    jl_safetensors *given; /* the open --weights file, or NULL */
} zoo_graph;

/* A model of the zoo, or a probe (probe.h). options may be NULL. On failure *graph is NULL. */
int zoo_graph_open(const char *name, const jl_zoo_options *options, zoo_graph **graph,
                   jl_error *err);
void zoo_graph_close(zoo_graph *z); /* NULL is fine */

#endif
