/* Probes: graphs of one kind of work in a known amount, which the zoo makes beside its models.
 * Run through a runtime, they show the roofs that this runtime and device have.
 *
 * A name says everything: probe_KIND_ROWSxCOLUMNSxPASSES.
 *   matmul  y = input [B, 1, C] + column [R, 1], PASSES products with a [C, C] matrix, summed over
 *           the last axis. With as many columns as rows arithmetic decides; with few columns, both
 *           arithmetic and memory.
 *   stream  the same with PASSES negations: nothing but memory. Only where a runtime does not fuse
 *           elementwise nodes, which would leave the memory out.
 *   read    the sum over the last axis of an input [B, R, C]: one node, which no runtime can fuse
 *           with another. PASSES is 1.
 *   chain   PASSES softmax nodes, one behind the other, over an input [B, R, C]: no two of them
 *           can be made one.
 * No value grows with the number of passes, so that half precision holds. */
#ifndef JL_MODEL_ZOO_PROBE_H
#define JL_MODEL_ZOO_PROBE_H

#include "model/zoo/builder.h"

/* An input or output of a graph; the first axis is the batch. */
typedef struct zoo_port {
    const char *name;
    int rank;
    int64_t dims[4];
} zoo_port;

/* Appends the nodes of the probe `name` and says what goes in and out. JL_ERR_MISSING for a name
 * that no probe has. */
int zoo_probe_build(zoo_builder *b, const char *name, zoo_port *input, zoo_port *output,
                    jl_error *err);

#endif
