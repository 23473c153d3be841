/* Who reads a value: nodes, sub-graphs and the model's outputs. Private to src/convert. */
#ifndef JL_CONVERT_READERS_H
#define JL_CONVERT_READERS_H

#include "convert/edit.h"

/* Adds the reads of g and its sub-graphs to the counts; false without memory. */
bool jl_count_readers(jl_map *readers, const onnx_graph *g);
/* Drops the initialisers that nobody reads any more; false without memory. */
bool jl_drop_unread(jl_edit *e);

#endif
