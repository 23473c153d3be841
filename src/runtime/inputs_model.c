#include "jouleline/model.h"
#include "runtime/inputs.h"

int jl_input_specs(const jl_model *m, jl_arena *arena, jl_input_spec **specs, size_t *count,
                   jl_error *err)
{
    const jl_port *ports = jl_model_inputs(m, count);
    jl_input_spec *list = *specs = jl_arena_array(arena, *count + 1, sizeof *list);
    if (!list) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    for (size_t i = 0; i < *count; i++) {
        const jl_port *p = &ports[i];
        if (p->kind != JL_PORT_TENSOR)
            return jl_fail(err, JL_ERR_UNSUPPORTED, "the input '%s' is no tensor", p->name);
        if (p->rank > JL_MAX_RANK)
            return jl_fail(err, JL_ERR_LIMIT, "the input '%s' has %d dimensions, more than %d",
                           p->name, p->rank, JL_MAX_RANK);
        jl_input_bound bound;
        list[i] = (jl_input_spec){.name = p->name, .dtype = p->dtype, .rank = p->rank};
        if (jl_model_input_bound(m, i, &bound)) list[i].bound = bound.rows;
        for (int k = 0; k < p->rank; k++) {
            list[i].dims[k] = p->sizes[k].value;
            list[i].dim_names[k] = p->sizes[k].symbol;
        }
    }
    return 0;
}
