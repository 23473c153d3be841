/* A file of any bytes as a model: ports, bounds of inputs, cost at small sizes. */
#include <stdlib.h>

#include "jouleline/cost.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(jl_model *m)
{
    jl_error err = {0};
    jl_input_bound bound;
    jl_cost *cost;
    size_t n;
    const char *const *symbols = jl_model_symbols(m, &n);
    for (size_t i = 0; i < n; i++)
        if (jl_model_bind(m, symbols[i], (int64_t)i % 5, &err) != 0) abort();
    jl_model_inputs(m, &n);
    for (size_t i = 0; i < n; i++)
        (void)jl_model_input_bound(m, i, &bound);
    jl_cost_options options = {.batch = 3, .precision = JL_FLOAT16};
    if (jl_cost_new(m, &options, &cost, &err) == 0) jl_cost_free(cost);
    if (jl_cost_new(m, NULL, &cost, &err) == 0) {
        if (cost->n_nodes != jl_model_nodes(m)) abort();
        jl_cost_free(cost);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    jl_error err = {0};
    jl_model *m;
    int fd = memory_file(data, size, path, sizeof path);
    if (jl_model_open(path, &m, &err) == 0) {
        look(m);
        jl_model_close(m);
    }
    close(fd);
    return 0;
}
