/* Inputs, infer requests, and outputs read back. */
#include <stdlib.h>
#include <string.h>

#include "runtime/openvino.h"

static const struct {
    int theirs;
    jl_dtype ours;
} types[] = {
    {OV_BOOLEAN, JL_BOOL}, {OV_BF16, JL_BFLOAT16}, {OV_F16, JL_FLOAT16}, {OV_F32, JL_FLOAT},
    {OV_F64, JL_DOUBLE},   {OV_I4, JL_INT4},       {OV_I8, JL_INT8},     {OV_I16, JL_INT16},
    {OV_I32, JL_INT32},    {OV_I64, JL_INT64},     {OV_U4, JL_UINT4},    {OV_U8, JL_UINT8},
    {OV_U16, JL_UINT16},   {OV_U32, JL_UINT32},    {OV_U64, JL_UINT64},
};
enum { TYPES = sizeof types / sizeof *types };

static jl_dtype dtype_of(int theirs)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].theirs == theirs) return types[i].ours;
    return JL_UNDEFINED;
}

static int type_of(jl_dtype ours)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].ours == ours) return types[i].theirs;
    return 0;
}

/* The element type that the model takes at the input `name`. */
static int input_type(openvino *o, const ov_model *model, const char *name, int *type,
                      jl_error *err)
{
    const ov_api *a = &o->library.api;
    ov_const_port *port;
    int rc = openvino_check(&o->library, a->model_const_input_by_name(model, name, &port), err,
                            "find an input");
    if (rc) {
        jl_prefix(err, "input '%s'", name);
        return rc;
    }
    rc = openvino_check(&o->library, a->port_get_element_type(port, type), err, "tell a type");
    a->output_const_port_free(port);
    return rc;
}

static int make_input(openvino *o, size_t i, const ov_model *model, const jl_tensor *given,
                      jl_error *err)
{
    const ov_api *a = &o->library.api;
    jl_tensor t = *given;
    ov_shape shape;
    int type;
    int rc = input_type(o, model, given->name, &type, err);
    if (rc) return rc;
    if (type != type_of(given->dtype)) {
        jl_dtype wanted = dtype_of(type);
        if (!jl_dtype_is_float(wanted) || !jl_dtype_is_float(given->dtype))
            return jl_fail(err, JL_ERR_USAGE, "the input '%s' is %s and the model takes %s",
                           given->name, jl_dtype_name(given->dtype), jl_dtype_name(wanted));
        rc = jl_tensor_cast(&t, given, wanted, err);
        if (rc) return rc;
        o->owned[i] = t.data;
    }
    rc = openvino_check(&o->library, a->shape_create(t.rank, t.dims, &shape), err, "make a shape");
    if (rc) return rc;
    rc = openvino_check(&o->library,
                        a->tensor_create_from_host_ptr(type, shape, t.data, &o->inputs[i]), err,
                        "wrap an input");
    a->shape_free(&shape);
    return rc;
}

int openvino_make_inputs(openvino *o, const ov_model *model, const jl_load_request *r,
                         jl_error *err)
{
    const ov_api *a = &o->library.api;
    size_t wanted;
    int rc =
        openvino_check(&o->library, a->model_inputs_size(model, &wanted), err, "count the inputs");
    if (rc) return rc;
    for (size_t i = 0; i < wanted; i++) {
        ov_const_port *port;
        char *name;
        rc = openvino_check(&o->library, a->model_const_input_by_index(model, i, &port), err,
                            "find an input");
        if (rc) return rc;
        rc = openvino_check(&o->library, a->port_get_any_name(port, &name), err, "name an input");
        a->output_const_port_free(port);
        if (rc) return rc;
        bool given = false;
        for (size_t k = 0; k < r->input_count; k++)
            given |= !strcmp(r->inputs[k].name, name);
        if (!given)
            rc = jl_fail(err, JL_ERR_USAGE, "the model takes an input '%s' that was not given",
                         name);
        a->free(name);
        if (rc) return rc;
    }
    o->inputs = calloc(r->input_count + 1, sizeof(ov_tensor *));
    o->owned = calloc(r->input_count + 1, sizeof *o->owned);
    if (!o->inputs || !o->owned) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    o->input_count = r->input_count;
    o->given = r->inputs;
    for (size_t i = 0; !rc && i < r->input_count; i++)
        rc = make_input(o, i, model, &r->inputs[i], err);
    return rc;
}

/* Inputs that were wrapped in place need nothing; converted copies are made again. */
int openvino_refresh(void *ctx, jl_error *err)
{
    openvino *o = ctx;
    for (size_t i = 0; i < o->input_count; i++) {
        jl_tensor made;
        int theirs;
        if (!o->owned[i]) continue;
        int rc = openvino_check(&o->library,
                                o->library.api.tensor_get_element_type(o->inputs[i], &theirs), err,
                                "tell a type");
        if (!rc) rc = jl_tensor_cast(&made, &o->given[i], dtype_of(theirs), err);
        if (rc) return rc;
        memcpy(o->owned[i], made.data, made.size_bytes);
        free(made.data);
    }
    return 0;
}

static int name_outputs(openvino *o, jl_error *err)
{
    const ov_api *a = &o->library.api;
    int rc =
        openvino_check(&o->library, a->compiled_model_outputs_size(o->compiled, &o->output_count),
                       err, "count the outputs");
    if (rc) return rc;
    size_t n = o->output_count + 1;
    o->output_names = calloc(n, sizeof *o->output_names);
    o->outputs = calloc(n, sizeof *o->outputs);
    o->output_tensors = calloc(n, sizeof(ov_tensor *));
    if (!o->output_names || !o->outputs || !o->output_tensors)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for outputs");
    for (size_t i = 0; !rc && i < o->output_count; i++) {
        ov_const_port *port;
        char *name;
        rc = openvino_check(&o->library, a->compiled_model_output_by_index(o->compiled, i, &port),
                            err, "find an output");
        if (rc) break;
        rc = openvino_check(&o->library, a->port_get_any_name(port, &name), err, "name an output");
        a->output_const_port_free(port);
        if (rc) break;
        o->output_names[i] = strdup(name);
        a->free(name);
    }
    return rc;
}

int openvino_make_requests(openvino *o, const jl_load_request *r, jl_error *err)
{
    const ov_api *a = &o->library.api;
    int count = r->in_flight < 1 ? 1 : r->in_flight;
    int rc = name_outputs(o, err);
    if (rc) return rc;
    o->requests = calloc((size_t)count, sizeof(ov_request *));
    if (!o->requests) return jl_fail(err, JL_ERR_MEMORY, "no memory for %d requests", count);
    o->request_count = count;
    for (int k = 0; !rc && k < count; k++) {
        rc = openvino_check(&o->library,
                            a->compiled_model_create_infer_request(o->compiled, &o->requests[k]),
                            err, "make an infer request");
        for (size_t i = 0; !rc && i < o->input_count; i++)
            rc = openvino_check(
                &o->library,
                a->infer_request_set_tensor(o->requests[k], r->inputs[i].name, o->inputs[i]), err,
                "set an input");
    }
    return rc;
}

static int read_output(openvino *o, size_t i, jl_error *err)
{
    const ov_api *a = &o->library.api;
    ov_tensor *from = o->output_tensors[i];
    jl_tensor *t = &o->outputs[i];
    ov_shape shape;
    int type;
    *t = (jl_tensor){.name = o->output_names[i]};
    int rc = openvino_check(&o->library, a->tensor_get_element_type(from, &type), err,
                            "tell an output's type");
    if (!rc)
        rc = openvino_check(&o->library, a->tensor_get_shape(from, &shape), err,
                            "tell an output's shape");
    if (rc) return rc;
    t->dtype = dtype_of(type);
    t->rank = (int)shape.rank;
    if (shape.rank > JL_MAX_RANK || t->dtype == JL_UNDEFINED)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "the output '%s' has OpenVINO's element type %d",
                     t->name, type);
    else
        memcpy(t->dims, shape.dims, (size_t)shape.rank * sizeof *t->dims);
    a->shape_free(&shape);
    if (!rc)
        rc = openvino_check(&o->library, a->tensor_get_byte_size(from, &t->size_bytes), err,
                            "tell an output's size");
    return rc ? rc
              : openvino_check(&o->library, a->tensor_data(from, &t->data), err, "give an output");
}

int openvino_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    openvino *o = ctx;
    const ov_api *a = &o->library.api;
    int rc = 0;
    for (size_t i = 0; !rc && i < o->output_count; i++) {
        if (o->output_tensors[i]) a->tensor_free(o->output_tensors[i]);
        o->output_tensors[i] = NULL;
        rc = openvino_check(
            &o->library,
            a->infer_request_get_output_tensor_by_index(o->requests[0], i, &o->output_tensors[i]),
            err, "give an output");
        if (!rc) rc = read_output(o, i, err);
    }
    *outputs = o->outputs;
    *count = o->output_count;
    return rc;
}

void openvino_free_io(openvino *o)
{
    const ov_api *a = &o->library.api;
    for (size_t i = 0; i < o->output_count; i++) {
        if (o->output_tensors && o->output_tensors[i]) a->tensor_free(o->output_tensors[i]);
        if (o->output_names) free(o->output_names[i]);
    }
    free(o->output_tensors);
    free(o->output_names);
    free(o->outputs);
    for (int k = 0; k < o->request_count; k++)
        if (o->requests[k]) a->infer_request_free(o->requests[k]);
    free(o->requests);
    for (size_t i = 0; i < o->input_count; i++) {
        if (o->inputs[i]) a->tensor_free(o->inputs[i]);
        free(o->owned[i]);
    }
    free(o->inputs);
    free(o->owned);
}
