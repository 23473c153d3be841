#include "model/zoo/zoo.h"

#include <stdlib.h>

int jl_zoo_parameters(const char *name, int64_t *learnable, int64_t *statistics, jl_error *err)
{
    jl_zoo_options options = jl_zoo_defaults();
    options.plain = true; /* counts are the same, and the maintainer's tool needs them first */
    zoo_graph *z;
    int rc = zoo_graph_open(name, &options, &z, err);
    if (rc) return rc;
    *learnable = *statistics = 0;
    for (size_t i = 0; i < z->n_params; i++) {
        if (z->params[i]->learnable)
            *learnable += z->params[i]->elements;
        else if (z->params[i]->kind != ZOO_INTEGERS)
            *statistics += z->params[i]->elements;
    }
    zoo_graph_close(z);
    return 0;
}

int jl_zoo_export(const char *name, const jl_zoo_options *options, const char *path, jl_error *err)
{
    zoo_graph *z;
    int rc = zoo_graph_open(name, options, &z, err);
    if (rc) return rc;
    rc = onnx_save(z->model, path, &z->weights, err);
    zoo_graph_close(z);
    return rc;
}

static int read_param(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err)
{
    const zoo_param *p = ((const zoo_graph *)ctx)->params[i];
    if (p->kind == ZOO_INTEGERS) {
        memcpy(to, (const char *)p->integers + offset, n);
        return 0;
    }
    if (offset % sizeof(float) || n % sizeof(float))
        return jl_fail(err, JL_ERR, "weights are made in whole floats");
    zoo_param_read(p, offset / sizeof(float), 1, n / sizeof(float), to);
    return 0;
}

int jl_zoo_export_safetensors(const char *name, const jl_zoo_options *options, const char *path,
                              jl_error *err)
{
    zoo_graph *z;
    int rc = zoo_graph_open(name, options, &z, err);
    if (rc) return rc;
    jl_safetensor *list = calloc(z->n_params + 1, sizeof *list);
    if (!list) rc = jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", name);
    for (size_t i = 0; !rc && i < z->n_params; i++) {
        const zoo_param *p = z->params[i];
        list[i] = (jl_safetensor){.name = jl_str_c(p->name),
                                  .rank = p->rank,
                                  .dtype = p->kind == ZOO_INTEGERS ? JL_INT64 : JL_FLOAT};
        for (int d = 0; d < p->rank; d++)
            list[i].dims[d] = p->dims[d];
    }
    if (!rc)
        rc = jl_safetensors_save(path, list, z->n_params, (jl_safetensors_source){read_param, z},
                                 err);
    free(list);
    zoo_graph_close(z);
    return rc;
}
