/* infer_shapes [-a] [-i]: reads model paths from standard input, infers each, and prints a line for
 * each output of the main graph (with -a for every value), tab separated: path, name, kind, element
 * type, rank (-1 not known), dimensions by comma ("?" where symbolic). With -i the inputs recorded
 * beside a backend test model count as known. A model that fails prints its path, "error" and the
 * message. Types that files declare beyond those of their inputs are not used. */
#include "model/shapes.h"

#include <stdio.h>

static void print_value(const jl_shapes *s, const char *path, uint32_t v)
{
    static const char *const kinds[] = {"unknown",  "tensor",   "sparse",
                                        "sequence", "optional", "map"};
    const jl_info *info = &s->values[v];
    jl_str name = s->graph->values[v].name;
    printf("%s\t%.*s\t%s\t%s\t%d\t", path, JL_FMT(name), kinds[info->kind],
           jl_dtype_name((jl_dtype)info->dtype), info->rank);
    for (int i = 0; i < info->rank; i++) {
        if (jl_dim_is_k(info->dims[i]))
            printf("%s%lld", i ? "," : "", (long long)info->dims[i].k);
        else
            printf("%s?", i ? "," : "");
    }
    printf("\n");
}

/* Takes a recorded input for the value of a graph input, as if it were an initializer. */
static void know_input(onnx_file *file, jl_graph *graph, uint32_t input)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/test_data_set_0/input_%u.pb", file->folder, input);
    FILE *f = fopen(path, "rb");
    if (!f) return;
    const size_t room = 1 << 20;
    char *bytes = jl_arena_alloc(file->arena, room);
    size_t n = bytes ? fread(bytes, 1, room, f) : 0;
    fclose(f);
    jl_graph_value *v = &graph->values[graph->scopes[0].inputs[input]];
    onnx_tensor *t;
    if (!v->declared || !v->declared->tensor_type || n == room) return;
    if (!onnx_decode_tensor(bytes, n, file->arena, &t, NULL) &&
        t->data_type == v->declared->tensor_type->elem_type)
        v->initializer = t;
}

static void infer(const char *path, bool all, bool inputs)
{
    jl_error err = {0};
    onnx_file *file = NULL;
    jl_graph *graph = NULL;
    jl_shapes *s = NULL;
    jl_shapes_options options = {.ignore_declared = true};
    int rc = onnx_open(path, &file, &err);
    if (!rc) rc = jl_graph_new(file->model, file->arena, &graph, &err);
    for (uint32_t i = 0; !rc && inputs && i < graph->scopes[0].n_inputs; i++)
        know_input(file, graph, i);
    if (!rc) rc = jl_shapes_new(graph, file, file->arena, &options, &s, &err);
    if (rc) printf("%s\terror\t%s\n", path, err.msg);
    for (uint32_t i = 0; !rc && all && i < graph->n_values; i++)
        if (graph->values[i].scope == 0) print_value(s, path, i);
    for (uint32_t i = 0; !rc && !all && i < graph->scopes[0].n_outputs; i++)
        print_value(s, path, graph->scopes[0].outputs[i]);
    jl_shapes_free(s);
    onnx_close(file);
}

int main(int argc, char **argv)
{
    char path[4096];
    bool all = false, inputs = false;
    for (int i = 1; i < argc; i++) {
        all = all || !strcmp(argv[i], "-a");
        inputs = inputs || !strcmp(argv[i], "-i");
    }
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        infer(path, all, inputs);
    }
    return 0;
}
