#include "make_model.h"

#include <stdlib.h>
#include <string.h>

#include "model/onnx/onnx.h"

static onnx_value_info value(jl_arena *a, const char *name, int dtype, int rank,
                             const int64_t *dims)
{
    onnx_type *t = jl_arena_alloc(a, sizeof *t);
    t->tensor_type = jl_arena_alloc(a, sizeof *t->tensor_type);
    t->tensor_type->elem_type = dtype;
    t->tensor_type->shape = jl_arena_alloc(a, sizeof *t->tensor_type->shape);
    onnx_dim *d = jl_arena_array(a, (size_t)rank + 1, sizeof *d);
    for (int i = 0; i < rank; i++) {
        if (dims[i] >= 0)
            d[i].value = dims[i], d[i].has_value = true;
        else
            d[i].param = JL_STR("batch"), d[i].has_param = true;
    }
    t->tensor_type->shape->dims.p = d;
    t->tensor_type->shape->dims.n = (size_t)rank;
    return (onnx_value_info){.name = jl_str_c(name), .type = t};
}

static void save(const char *path, onnx_graph *g, jl_arena *a)
{
    onnx_opset *opset = jl_arena_alloc(a, sizeof *opset);
    opset->version = 17;
    g->name = JL_STR("g");
    onnx_model m = {.ir_version = 8, .graph = g};
    m.opset_imports.p = opset, m.opset_imports.n = 1;
    jl_error err;
    if (onnx_save(&m, path, NULL, &err)) abort();
}

static void set_names(jl_str *to, const char *const *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = jl_str_c(from[i]);
}

static onnx_node node(jl_arena *a, const char *op, const char *const *in, size_t n, const char *out)
{
    onnx_node x = {.op_type = jl_str_c(op), .name = jl_str_c(out)};
    x.inputs.p = jl_arena_array(a, n, sizeof(jl_str)), x.inputs.n = n;
    set_names(x.inputs.p, in, n);
    x.outputs.p = jl_arena_alloc(a, sizeof(jl_str)), x.outputs.n = 1;
    x.outputs.p[0] = jl_str_c(out);
    return x;
}

void make_relu_model(const char *path, int dtype, int rank, const int64_t *dims)
{
    jl_arena *a = jl_arena_new();
    onnx_node nodes[2] = {node(a, "Add", (const char *[]){"x", "x"}, 2, "s"),
                          node(a, "Relu", (const char *[]){"s"}, 1, "y")};
    onnx_value_info in = value(a, "x", dtype, rank, dims), out = value(a, "y", dtype, rank, dims);
    onnx_graph g = {0};
    g.nodes.p = nodes, g.nodes.n = 2;
    g.inputs.p = &in, g.inputs.n = 1;
    g.outputs.p = &out, g.outputs.n = 1;
    save(path, &g, a);
    jl_arena_free(a);
}

void make_one_node_model(const char *path, const char *op, int64_t n)
{
    jl_arena *a = jl_arena_new();
    onnx_node only = node(a, op, (const char *[]){"x"}, 1, "y");
    onnx_value_info in = value(a, "x", JL_FLOAT, 1, &n), out = value(a, "y", JL_FLOAT, 1, &n);
    onnx_graph g = {0};
    g.nodes.p = &only, g.nodes.n = 1;
    g.inputs.p = &in, g.inputs.n = 1;
    g.outputs.p = &out, g.outputs.n = 1;
    save(path, &g, a);
    jl_arena_free(a);
}

void make_gather_model(const char *path, int64_t rows)
{
    jl_arena *a = jl_arena_new();
    int64_t ids[2] = {-1, 3}, table_dims[2] = {rows, 2}, out[3] = {-1, 3, 2};
    float *data = jl_arena_array(a, (size_t)rows * 2, sizeof *data);
    for (int64_t i = 0; i < rows * 2; i++)
        data[i] = (float)i;
    onnx_tensor table = {.name = JL_STR("table"), .data_type = JL_FLOAT, .has_raw_data = true};
    table.dims.p = table_dims, table.dims.n = 2;
    table.raw_data = (jl_str){(const char *)data, (size_t)rows * 2 * sizeof *data};
    onnx_node nodes[2] = {node(a, "Gather", (const char *[]){"table", "ids"}, 2, "y"),
                          node(a, "Identity", (const char *[]){"attention_mask"}, 1, "m")};
    onnx_value_info in[2] = {value(a, "ids", JL_INT64, 2, ids),
                             value(a, "attention_mask", JL_INT64, 2, ids)};
    onnx_value_info outs[2] = {value(a, "y", JL_FLOAT, 3, out), value(a, "m", JL_INT64, 2, ids)};
    onnx_graph g = {0};
    g.nodes.p = nodes, g.nodes.n = 2;
    g.inputs.p = in, g.inputs.n = 2;
    g.outputs.p = outs, g.outputs.n = 2;
    g.initializers.p = &table, g.initializers.n = 1;
    save(path, &g, a);
    jl_arena_free(a);
}
