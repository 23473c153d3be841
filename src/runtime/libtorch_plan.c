#include "runtime/libtorch_plan.h"

#include <stdlib.h>
#include <string.h>

#include "model/graph.h"

/* What making a plan works on. Constants beyond the graph's values (payloads of attributes) get
 * numbers after them. */
typedef struct maker {
    onnx_file *file;
    jl_graph *graph;
    jl_torch_plan *plan;
    jl_plan_tensor *constants;
    jl_plan_node *nodes;
    size_t constant_capacity;
    jl_error *err;
} maker;

static int out_of_memory(maker *m)
{
    return jl_fail(m->err, JL_ERR_MEMORY, "no memory for the plan of %s", m->file->path);
}

static char *text(maker *m, jl_str s)
{
    return jl_arena_strndup(m->file->arena, s.p ? s.p : "", s.n);
}

static int add_constant(maker *m, const onnx_tensor *t, uint32_t value)
{
    if (m->plan->n_constants == m->constant_capacity)
        return jl_fail(m->err, JL_ERR_LIMIT, "%s: more constants than its nodes can hold",
                       m->file->path);
    jl_str bytes;
    int rc = onnx_tensor_bytes(m->file, t, &bytes, m->err);
    if (rc < 0) return rc;
    jl_plan_tensor *c = &m->constants[m->plan->n_constants++];
    *c = (jl_plan_tensor){.name = text(m, t->name),
                          .value = value,
                          .dtype = t->data_type,
                          .rank = (int32_t)t->dims.n,
                          .dims = t->dims.p,
                          .data = bytes.p,
                          .size_bytes = bytes.n};
    return c->name ? 0 : out_of_memory(m);
}

/* The payload of Constant's attribute in any of its forms. */
static int add_constant_node(maker *m, const onnx_node *n, uint32_t value)
{
    const onnx_attribute *a = n->attributes.n == 1 ? &n->attributes.p[0] : NULL;
    onnx_tensor *t = a && a->t ? a->t : jl_arena_alloc(m->file->arena, sizeof *t);
    if (!t) return out_of_memory(m);
    if (a && a->t) return add_constant(m, t, value);
    t->has_raw_data = true;
    t->data_type = JL_INT64;
    if (a && jl_str_is(a->name, "value_int")) {
        t->raw_data = (jl_str){(const char *)&a->i, sizeof a->i};
    } else if (a && jl_str_is(a->name, "value_float")) {
        t->data_type = JL_FLOAT;
        t->raw_data = (jl_str){(const char *)&a->f, sizeof a->f};
    } else if (a && (jl_str_is(a->name, "value_ints") || jl_str_is(a->name, "value_floats"))) {
        bool ints = jl_str_is(a->name, "value_ints");
        t->dims.p = jl_arena_array(m->file->arena, 1, sizeof *t->dims.p);
        if (!t->dims.p) return out_of_memory(m);
        t->dims.n = 1;
        t->dims.p[0] = (int64_t)(ints ? a->ints.n : a->floats.n);
        if (!ints) t->data_type = JL_FLOAT;
        t->raw_data = ints ? (jl_str){(const char *)a->ints.p, a->ints.n * sizeof *a->ints.p}
                           : (jl_str){(const char *)a->floats.p, a->floats.n * sizeof *a->floats.p};
    } else {
        return jl_fail(m->err, JL_ERR_UNSUPPORTED,
                       "the libtorch runtime reads dense numbers from a Constant, not %.*s",
                       JL_FMT(a ? a->name : JL_STR("several attributes")));
    }
    return add_constant(m, t, value);
}

static int add_attribute(maker *m, const onnx_attribute *a, jl_plan_attribute *to)
{
    *to = (jl_plan_attribute){.name = text(m, a->name), .kind = a->type};
    if (!to->name) return out_of_memory(m);
    switch (a->type) {
    case ONNX_ATTR_FLOAT:
        to->f = a->f;
        return 0;
    case ONNX_ATTR_INT:
        to->i = a->i;
        return 0;
    case ONNX_ATTR_STRING:
        to->s = text(m, a->s);
        return to->s ? 0 : out_of_memory(m);
    case ONNX_ATTR_FLOATS:
        to->floats = a->floats.p;
        to->n = a->floats.n;
        return 0;
    case ONNX_ATTR_INTS:
        to->ints = a->ints.p;
        to->n = a->ints.n;
        return 0;
    case ONNX_ATTR_TENSOR:
        to->i = m->plan->n_values++;
        return add_constant(m, a->t, (uint32_t)to->i);
    default:
        return jl_fail(m->err, JL_ERR_UNSUPPORTED,
                       "the libtorch runtime cannot take the attribute '%s'", to->name);
    }
}

static int add_node(maker *m, uint32_t number)
{
    const jl_node *n = &m->graph->nodes[number];
    char label[JL_LABEL];
    jl_node_label(m->graph, number, label);
    if (n->n_outputs == 0) return 0;
    if (n->onnx->domain.n && !jl_str_is(n->onnx->domain, "ai.onnx"))
        return jl_fail(m->err, JL_ERR_UNSUPPORTED,
                       "the libtorch runtime has no operator %.*s.%.*s (%s)",
                       JL_FMT(n->onnx->domain), JL_FMT(n->onnx->op_type), label);
    if (n->n_scopes)
        return jl_fail(m->err, JL_ERR_UNSUPPORTED,
                       "the libtorch runtime runs no sub-graphs: %s holds one", label);
    if (jl_str_is(n->onnx->op_type, "Constant"))
        return add_constant_node(m, n->onnx, n->outputs[0]);
    size_t count = n->onnx->attributes.n;
    jl_plan_attribute *attributes = jl_arena_array(m->file->arena, count + 1, sizeof *attributes);
    if (!attributes) return out_of_memory(m);
    for (size_t i = 0; i < count; i++) {
        int rc = add_attribute(m, &n->onnx->attributes.p[i], &attributes[i]);
        if (rc < 0) return jl_prefix(m->err, "%s", label);
    }
    jl_plan_node *to = &m->nodes[m->plan->n_nodes];
    *to = (jl_plan_node){.label = text(m, jl_str_c(label)),
                         .op = text(m, n->onnx->op_type),
                         .inputs = n->inputs,
                         .outputs = n->outputs,
                         .n_inputs = n->n_inputs,
                         .n_outputs = n->n_outputs,
                         .attributes = attributes,
                         .n_attributes = count};
    m->plan->n_nodes++;
    return to->label && to->op ? 0 : out_of_memory(m);
}

static int add_initializers(maker *m)
{
    for (uint32_t v = 0; v < m->graph->n_values; v++) {
        const jl_graph_value *value = &m->graph->values[v];
        if (value->sparse)
            return jl_fail(m->err, JL_ERR_UNSUPPORTED,
                           "the libtorch runtime takes no sparse constant ('%.*s')",
                           JL_FMT(value->name));
        if (!value->initializer) continue;
        int rc = add_constant(m, value->initializer, v);
        if (rc < 0) return jl_prefix(m->err, "initializer '%.*s'", JL_FMT(value->name));
    }
    return 0;
}

static int add_outputs(maker *m)
{
    const jl_scope *s = &m->graph->scopes[0];
    const char **names = jl_arena_array(m->file->arena, s->n_outputs + 1, sizeof *names);
    if (!names) return out_of_memory(m);
    for (uint32_t i = 0; i < s->n_outputs; i++) {
        names[i] = text(m, m->graph->values[s->outputs[i]].name);
        if (!names[i]) return out_of_memory(m);
    }
    m->plan->outputs = s->outputs;
    m->plan->output_names = names;
    m->plan->n_outputs = s->n_outputs;
    return 0;
}

static const jl_tensor *given(const jl_load_request *r, jl_str name)
{
    for (size_t i = 0; i < r->input_count; i++)
        if (jl_str_is(name, r->inputs[i].name)) return &r->inputs[i];
    return NULL;
}

/* The tensor as the file declares its type, where both types are floating. */
static int as_declared(maker *m, const jl_tensor *t, const onnx_type *declared, jl_plan_tensor *to)
{
    jl_dtype wanted = declared && declared->tensor_type ? (jl_dtype)declared->tensor_type->elem_type
                                                        : JL_UNDEFINED;
    if (!jl_dtype_is_float(wanted) || !jl_dtype_is_float(t->dtype) || wanted == t->dtype) return 0;
    jl_tensor cast;
    int rc = jl_tensor_cast(&cast, t, wanted, m->err);
    if (rc < 0) return rc;
    void *kept = jl_arena_alloc(m->file->arena, cast.size_bytes + 1);
    if (kept) memcpy(kept, cast.data, cast.size_bytes);
    free(cast.data);
    to->dtype = (int32_t)wanted;
    to->data = kept;
    to->size_bytes = cast.size_bytes;
    return kept ? 0 : out_of_memory(m);
}

static int add_inputs(maker *m, const jl_load_request *r, bool cast, jl_plan_tensor *inputs)
{
    const jl_scope *s = &m->graph->scopes[0];
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_inputs; i++) {
        const jl_graph_value *value = &m->graph->values[s->inputs[i]];
        if (value->initializer) continue; /* a default of older files */
        const jl_tensor *t = given(r, value->name);
        if (!t)
            return jl_fail(m->err, JL_ERR_USAGE,
                           "the model takes an input '%.*s' that was not given",
                           JL_FMT(value->name));
        if (n == r->input_count)
            return jl_fail(m->err, JL_ERR_FORMAT, "%s names the input '%.*s' twice", m->file->path,
                           JL_FMT(value->name));
        inputs[n] = (jl_plan_tensor){.name = t->name,
                                     .value = s->inputs[i],
                                     .dtype = (int)t->dtype,
                                     .rank = t->rank,
                                     .dims = t->dims,
                                     .data = t->data,
                                     .size_bytes = t->size_bytes};
        int rc = cast ? as_declared(m, t, value->declared, &inputs[n]) : 0;
        if (rc < 0) return rc;
        n++;
    }
    return (int)n;
}

int libtorch_make_plan(onnx_file *file, const jl_load_request *request, bool cast_inputs,
                       jl_torch_plan *plan, jl_plan_tensor *inputs, jl_error *err)
{
    *plan = (jl_torch_plan){.opset = onnx_opset_version(file->model, "")};
    maker m = {.file = file, .plan = plan, .err = err};
    int rc = jl_graph_new(file->model, file->arena, &m.graph, err);
    if (rc < 0) return rc;
    const jl_scope *s = &m.graph->scopes[0];
    plan->n_values = m.graph->n_values;
    m.constant_capacity = m.graph->n_values;
    for (uint32_t i = 0; i < m.graph->n_nodes; i++)
        m.constant_capacity += m.graph->nodes[i].onnx->attributes.n;
    m.constants = jl_arena_array(file->arena, m.constant_capacity + 1, sizeof *m.constants);
    plan->nodes = m.nodes = jl_arena_array(file->arena, m.graph->n_nodes + 1, sizeof *m.nodes);
    if (!m.constants || !m.nodes) return out_of_memory(&m);
    plan->constants = m.constants;
    rc = add_initializers(&m);
    for (uint32_t i = 0; !rc && i < s->n_nodes; i++)
        rc = add_node(&m, s->order[i]);
    if (!rc) rc = add_outputs(&m);
    return rc < 0 ? rc : add_inputs(&m, request, cast_inputs, inputs);
}
