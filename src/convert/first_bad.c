#include "convert/first_bad.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "convert/observe.h"
#include "convert/session.h"
#include "model/shapes.h"

/* Names and types of the floating-point values of the main graph in order of execution, with the
 * number of the node that makes each. */
typedef struct inner {
    jl_str *names;
    jl_dtype *types;
    uint32_t *nodes;
    size_t count;
} inner;

static int list_values(onnx_file *file, jl_graph **graph, inner *v, jl_error *err)
{
    jl_shapes *shapes = NULL;
    int rc = jl_graph_new(file->model, file->arena, graph, err);
    if (!rc) rc = jl_shapes_new(*graph, file, file->arena, &(jl_shapes_options){0}, &shapes, err);
    if (rc) return rc;
    const jl_graph *g = *graph;
    *v = (inner){.names = jl_arena_array(file->arena, g->n_values + 1, sizeof *v->names),
                 .types = jl_arena_array(file->arena, g->n_values + 1, sizeof *v->types),
                 .nodes = jl_arena_array(file->arena, g->n_values + 1, sizeof *v->nodes)};
    bool memory = v->names && v->types && v->nodes;
    for (uint32_t i = 0; memory && i < g->scopes[0].n_nodes; i++) {
        const jl_node *n = &g->nodes[g->scopes[0].order[i]];
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            uint32_t value = n->outputs[k];
            if (value == JL_NONE || shapes->values[value].kind != JL_KIND_TENSOR ||
                !jl_dtype_is_float((jl_dtype)shapes->values[value].dtype))
                continue;
            v->names[v->count] = g->values[value].name;
            v->types[v->count] = (jl_dtype)shapes->values[value].dtype;
            v->nodes[v->count++] = g->scopes[0].order[i];
        }
    }
    jl_shapes_free(shapes);
    return memory ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory to search for the bad value");
}

static bool all_finite(const jl_tensor *t)
{
    size_t n = (size_t)jl_tensor_elements(t);
    JL_OWNED float *x = malloc(n * sizeof *x + 1);
    if (!x || jl_tensor_floats(t, x, NULL)) return true;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* The first of the bad ones; false: none is. */
static bool report_first(char *text, size_t size, const jl_graph *graph, const inner *v,
                         const jl_map *bad)
{
    for (size_t i = 0; i < v->count; i++) {
        char label[JL_LABEL];
        if (jl_map_get(bad, v->names[i]) == JL_MAP_NONE) continue;
        snprintf(text, size, "'%.*s' of %s", JL_FMT(v->names[i]),
                 jl_node_label(graph, v->nodes[i], label));
        return true;
    }
    return false;
}

/* Notes the bad ones of the outputs; how many of the values came out. */
static size_t note_bad(const jl_tensor *outputs, size_t count, const inner *v, jl_map *bad)
{
    jl_map wanted = {0};
    size_t found = 0;
    for (size_t i = 0; i < v->count; i++)
        jl_map_set(&wanted, v->names[i], 0);
    for (size_t k = 0; k < count; k++) {
        if (jl_map_get(&wanted, jl_str_c(outputs[k].name)) == JL_MAP_NONE) continue;
        found++;
        if (!all_finite(&outputs[k])) jl_map_set(bad, jl_str_c(outputs[k].name), 0);
    }
    jl_map_free(&wanted);
    return found;
}

void jl_find_first_bad(const jl_check_side *side, const jl_tensor *inputs, size_t input_count,
                       const char *scratch, jl_check *check)
{
    onnx_file *file;
    jl_error err = {0};
    char *why = check->no_place;
    size_t room = sizeof check->no_place;
    if (onnx_open(side->model, &file, &err)) {
        snprintf(why, room, "%.200s", err.msg);
        return;
    }
    jl_graph *graph;
    jl_edit edit = {0};
    inner values;
    jl_session *session = NULL;
    jl_map bad = {0};
    const jl_tensor *outputs;
    size_t count = 0;
    char *path = jl_arena_printf(file->arena, "%s/inner-%d.onnx", scratch, (int)getpid());
    int rc = list_values(file, &graph, &values, &err);
    if (!rc) rc = jl_edit_begin(&edit, file, &err);
    if (!rc) rc = jl_observe(&edit, values.names, values.types, values.count, path, &err);
    if (!rc) rc = jl_session_open(side->configuration, path, inputs, input_count, &session, &err);
    if (!rc) rc = jl_session_run(session, inputs, &outputs, &count, &err);
    if (rc)
        snprintf(why, room, "with its inner values as outputs it does not run on %.60s: %.120s",
                 side->configuration, err.msg);
    else if (note_bad(outputs, count, &values, &bad) < values.count)
        snprintf(why, room, "%s does not return the inner values of the graph",
                 side->configuration);
    else if (!report_first(check->first_bad, sizeof check->first_bad, graph, &values, &bad))
        snprintf(why, room,
                 "every inner value is finite once it is an output: %s computes otherwise where it "
                 "fuses nodes",
                 side->configuration);
    jl_session_close(session);
    if (path) unlink(path);
    jl_map_free(&bad);
    jl_edit_end(&edit);
    onnx_close(file);
}
