/* ONNX bytes: whatever decodes is encoded, decoded and encoded again to the same bytes, and makes
 * a graph or an error. */
#include <stdlib.h>
#include <string.h>

#include "model/graph.h"
#include "model/onnx/onnx.h"
#include "model/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    onnx_model *model, *again;
    jl_graph *graph;
    jl_shapes *shapes;
    jl_buf first = {0}, second = {0}, text = {0};
    if (!arena) abort();
    if (onnx_decode(data, size, arena, &model, &err) == 0) {
        if (onnx_encode(model, &first, &err) == 0) {
            if (onnx_decode(first.p, first.n, arena, &again, &err) != 0) abort();
            if (onnx_encode(again, &second, &err) != 0) abort();
            if (first.n != second.n || (first.n && memcmp(first.p, second.p, first.n) != 0))
                abort();
        }
        if (jl_graph_new(model, arena, &graph, &err) == 0 &&
            jl_shapes_new(graph, NULL, arena, NULL, &shapes, &err) == 0) {
            for (uint32_t v = 0; v < graph->n_values; v++)
                jl_shapes_print(shapes, v, &text);
            jl_shapes_free(shapes);
        }
    }
    jl_buf_free(&first);
    jl_buf_free(&second);
    jl_buf_free(&text);
    jl_arena_free(arena);
    return 0;
}
