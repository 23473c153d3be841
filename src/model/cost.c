#include "model/cost_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int cost_no_memory(const cost_plan *p)
{
    return jl_fail(p->err, JL_ERR_MEMORY, "out of memory while computing costs");
}

int cost_overflow(const cost_plan *p, uint32_t node)
{
    char label[JL_LABEL];
    return jl_fail(p->err, JL_ERR_LIMIT, "%s: its cost does not fit 64 bits at these sizes",
                   jl_node_label(p->g, node, label));
}

int cost_note(cost_plan *p, const char *format, ...)
{
    char text[400];
    va_list args;
    if (p->n_notes == MAX_NOTES) return 0;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *kept = jl_arena_strndup(p->cost->arena, text, strlen(text));
    if (!kept) return cost_no_memory(p);
    p->notes[p->n_notes++] = kept;
    return 0;
}

/* Free dimensions ----------------------------------------------------------------------------- */

static int64_t bound_value(const jl_model *m, const char *symbol)
{
    for (size_t i = 0; i < m->n_symbols; i++)
        if (m->symbols[i] == symbol) return m->bound[i];
    return -1;
}

/* Puts a free dimension back to what it was before. */
static void rebind(jl_model *m, const char *symbol, int64_t value)
{
    for (size_t i = 0; i < m->n_symbols; i++)
        if (m->symbols[i] == symbol) m->bound[i] = value;
    if (symbol) jl_dims_bind(m->shapes->dims, jl_str_c(symbol), value);
}

static int bind_batch(jl_model *m, const char *symbol, int64_t batch, jl_error *err)
{
    if (symbol && batch > 0) return jl_model_bind(m, symbol, batch, err);
    if (!symbol && batch > 0) {
        int64_t fixed = m->n_inputs && m->inputs[0].rank > 0 ? m->inputs[0].sizes[0].value : -1;
        if (fixed != batch)
            return jl_fail(
                err, JL_ERR_USAGE,
                "%s has a fixed batch (%lld), so it has no cost at batch %lld; export it "
                "with a dynamic batch",
                m->name, (long long)fixed, (long long)batch);
    }
    return symbol && bound_value(m, symbol) < 0 ? jl_model_bind(m, symbol, 1, err) : 0;
}

static int check_bound(const jl_model *m, jl_error *err)
{
    for (size_t i = 0; i < m->n_inputs; i++) {
        if (m->inputs[i].kind == JL_PORT_TENSOR && m->inputs[i].rank < 0)
            return jl_fail(
                err, JL_ERR_FORMAT,
                "%s: input '%s' has no shape in the file, so there is nothing to compute "
                "from; export the model with the shapes of its inputs",
                m->name, m->inputs[i].name);
        for (int k = 0; k < m->inputs[i].rank; k++) {
            const char *symbol = m->inputs[i].sizes[k].symbol;
            if (symbol && bound_value(m, symbol) < 0)
                return jl_fail(err, JL_ERR_USAGE,
                               "%s: dimension '%s' (axis %d of input '%s') is free; give the "
                               "shape, as in --shape %s=...",
                               m->name, symbol, k, m->inputs[i].name, m->inputs[i].name);
        }
    }
    return 0;
}

/* Values and nodes ---------------------------------------------------------------------------- */

static unsigned bits_of(const cost_plan *p, jl_dtype type)
{
    bool replaced = p->precision && jl_dtype_is_float(type) && jl_dtype_bits(type) >= 16;
    return jl_dtype_bits(replaced ? p->precision : type);
}

static int size_values(cost_plan *p)
{
    for (uint32_t v = 0; v < p->g->n_values; v++) {
        cost_shape shape;
        const jl_info *info = &p->sizes.shapes->values[v];
        if (info->kind != JL_KIND_TENSOR) continue;
        if (!cost_shape_of(&p->sizes, v, &shape) || shape.elements > INT64_MAX / 128)
            return jl_fail(p->err, JL_ERR_LIMIT, "tensor '%.*s' has more elements than fit 64 bits",
                           JL_FMT(p->g->values[v].name));
        p->sized[v] = shape.rank >= 0;
        if (shape.rank < 0) continue;
        p->bytes[v] = (shape.elements * bits_of(p, (jl_dtype)info->dtype) + 7) / 8;
    }
    return 0;
}

static char *put_number(char *to, uint64_t k)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + k % 10);
    while (k /= 10);
    while (n)
        *to++ = digits[--n];
    return to;
}

/* By hand: printf for thousands of nodes would take longer than all the rest. */
static const char *plain_shape_text(cost_plan *p, const char *type, const cost_shape *shape)
{
    char text[32 + sizeof shape->dims / sizeof *shape->dims * 22], *at = stpcpy(text, type);
    *at++ = '[';
    for (int i = 0; i < shape->rank; i++) {
        if (i) at = stpcpy(at, ", ");
        if (shape->dims[i] < 0) *at++ = '-';
        uint64_t size = (uint64_t)shape->dims[i];
        at = put_number(at, shape->dims[i] < 0 ? 0 - size : size);
    }
    *at++ = ']';
    return jl_arena_strndup(p->cost->arena, text, (size_t)(at - text));
}

static const char *shape_text(cost_plan *p, uint32_t value)
{
    cost_shape shape;
    const jl_info *info = &p->sizes.shapes->values[value];
    if (info->kind == JL_KIND_TENSOR && cost_shape_of(&p->sizes, value, &shape) && shape.rank >= 0)
        return plain_shape_text(p, jl_dtype_name((jl_dtype)info->dtype), &shape);
    jl_buf text = {0};
    jl_shapes_print(p->sizes.shapes, value, &text);
    char *kept = text.p ? jl_arena_strndup(p->cost->arena, text.p, text.n) : NULL;
    jl_buf_free(&text);
    return kept;
}

static int describe_node(cost_plan *p, uint32_t node)
{
    jl_node_cost *c = &p->nodes[node];
    const jl_node *n = &p->g->nodes[node];
    jl_arena *arena = p->cost->arena;
    uint32_t number = node - p->g->scopes[n->scope].first_node;
    c->name = n->onnx->name.n ? jl_arena_strndup(arena, n->onnx->name.p, n->onnx->name.n)
                              : jl_arena_printf(arena, "#%u", number);
    c->op =
        n->onnx->domain.n && !jl_str_is(n->onnx->domain, "ai.onnx")
            ? jl_arena_printf(arena, "%.*s.%.*s", JL_FMT(n->onnx->domain), JL_FMT(n->onnx->op_type))
            : jl_arena_strndup(arena, n->onnx->op_type.p ? n->onnx->op_type.p : "",
                               n->onnx->op_type.n);
    bool made = n->n_outputs && n->outputs[0] != JL_NONE;
    c->output = made ? shape_text(p, n->outputs[0]) : "";
    c->folded = p->folded[node];
    c->times = 1;
    return c->name && c->op && c->output ? 0 : cost_no_memory(p);
}

/* Without the sizes of all that it reads and writes, a node's bytes are not known. */
static bool all_sized(const cost_plan *p, const jl_node *n)
{
    for (uint32_t i = 0; i < n->n_inputs + n->n_outputs; i++) {
        uint32_t v = i < n->n_inputs ? n->inputs[i] : n->outputs[i - n->n_inputs];
        if (v != JL_NONE && !p->sized[v]) return false;
    }
    return true;
}

static int work_of_node(cost_plan *p, uint32_t node)
{
    jl_node_cost *c = &p->nodes[node];
    int rc = describe_node(p, node);
    if (rc) return rc;
    c->known = c->folded;
    if (c->folded) return 0;
    if (!p->rules[node]) return 0;
    cost_result result =
        cost_work_of(&p->sizes, &p->g->nodes[node], p->rules[node], &c->cost.macs, &c->cost.flop);
    if (result == COST_OVERFLOW) return cost_overflow(p, node);
    bool idle = p->rules[node]->moves == MOVES_NOTHING && p->rules[node]->work == WORK_NONE;
    bool sized = result == COST_KNOWN && all_sized(p, &p->g->nodes[node]);
    c->known = sized || idle || p->rules[node]->work == WORK_BODY;
    if (!c->known) c->cost = (jl_cost_numbers){0};
    return 0;
}

/* A model of the zoo knows what torchvision calls its parameters. */
static int zoo_parameters(cost_plan *p)
{
    int64_t learnable, statistics, held = p->cost->total.parameters;
    if (!p->m->zoo) return 0;
    int rc = jl_zoo_parameters(p->m->name, &learnable, &statistics, p->err);
    if (rc) return rc;
    p->cost->total.parameters = learnable;
    if (held == learnable) return 0;
    return cost_note(p,
                     "an ONNX file of this model holds %lld elements more than its parameters: "
                     "tables stored as they are read (position biases, attention masks)",
                     (long long)(held - learnable));
}

static int run(cost_plan *p)
{
    const jl_graph *g = p->g;
    jl_cost *c = p->cost;
    static const cost_rule call = {.work = WORK_BODY, .moves = MOVES_NOTHING};
    for (uint32_t i = 0; i < g->n_nodes; i++)
        p->rules[i] = jl_node_is_call(g, &g->nodes[i])
                          ? &call
                          : cost_find(g->nodes[i].onnx->domain, g->nodes[i].onnx->op_type);
    for (uint32_t s = 0; s < g->n_scopes; s++)
        for (uint32_t i = 0; i < g->scopes[s].n_nodes; i++)
            p->position[g->scopes[s].order[i]] = i;
    cost_fold(p);
    int rc = size_values(p);
    for (uint32_t i = 0; i < g->n_nodes && !rc; i++)
        rc = work_of_node(p, i);
    if (!rc) rc = cost_weights(p);
    if (!rc) rc = cost_traffic(p);
    if (!rc) rc = cost_peak(p, &c->peak_activation_bytes);
    if (!rc) rc = cost_list(p);
    if (!rc) rc = zoo_parameters(p);
    int64_t moved = c->total.weight_bytes + c->total.activation_bytes;
    if (!rc && moved > 0) c->intensity_flop_per_byte = (double)c->total.flop / (double)moved;
    c->notes = p->notes;
    c->n_notes = p->n_notes;
    return rc;
}

static int allocate(cost_plan *p)
{
    jl_arena *a = p->cost->arena;
    size_t nodes = p->g->n_nodes, values = p->g->n_values;
    p->nodes = jl_arena_array(a, nodes, sizeof *p->nodes);
    p->rules = jl_arena_array(a, nodes, sizeof *p->rules);
    p->folded = jl_arena_array(a, nodes, sizeof *p->folded);
    p->group = jl_arena_array(a, nodes, sizeof *p->group);
    p->position = jl_arena_array(a, nodes, sizeof *p->position);
    p->constant = jl_arena_array(a, values, sizeof *p->constant);
    p->bytes = jl_arena_array(a, values, sizeof *p->bytes);
    p->sized = jl_arena_array(a, values, sizeof *p->sized);
    p->notes = jl_arena_array(a, MAX_NOTES, sizeof *p->notes);
    bool good = p->nodes && p->rules && p->folded && p->group && p->position && p->constant &&
                p->bytes && p->sized && p->notes;
    return good ? 0 : cost_no_memory(p);
}

/* Infers again with the numbers that are bound in the place of their symbols. */
static int infer_bound(const jl_model *m, jl_arena *arena, jl_shapes **shapes, jl_error *err)
{
    jl_known_dim *known = jl_arena_array(arena, m->n_symbols, sizeof *known);
    jl_shapes_options *options = jl_arena_alloc(arena, sizeof *options);
    if (!known || !options) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    *options = (jl_shapes_options){.known = known};
    for (size_t i = 0; i < m->n_symbols; i++)
        if (m->bound[i] >= 0)
            known[options->n_known++] = (jl_known_dim){jl_str_c(m->symbols[i]), m->bound[i]};
    return jl_shapes_new(m->graph, m->file, arena, options, shapes, err);
}

/* shapes NULL: inferred for the numbers bound. */
static int compute(jl_model *m, const jl_cost_options *options, jl_shapes *shapes, jl_cost **cost,
                   jl_error *err)
{
    jl_arena *arena = jl_arena_new();
    jl_cost *c = arena ? jl_arena_alloc(arena, sizeof *c) : NULL;
    cost_plan p = {.m = m,
                   .g = m->graph,
                   .sizes = {shapes, m->graph},
                   .cost = c,
                   .err = err,
                   .precision = options ? options->precision : JL_UNDEFINED};
    if (!c) {
        jl_arena_free(arena);
        return cost_no_memory(&p);
    }
    c->arena = arena;
    int rc = shapes ? 0 : infer_bound(m, arena, &p.sizes.shapes, err);
    if (!rc) rc = allocate(&p);
    if (!rc) rc = run(&p);
    if (!shapes) jl_shapes_free(p.sizes.shapes);
    if (rc) {
        jl_prefix(err, "%s", m->name);
        jl_cost_free(c);
        return rc;
    }
    *cost = c;
    return 0;
}

int jl_cost_new(jl_model *m, const jl_cost_options *options, jl_cost **cost, jl_error *err)
{
    *cost = NULL;
    const char *symbol = jl_model_batch_symbol(m);
    int64_t before = symbol ? bound_value(m, symbol) : -1;
    int rc = bind_batch(m, symbol, options ? options->batch : 0, err);
    if (!rc) rc = check_bound(m, err);
    if (!rc) rc = compute(m, options, m->shapes, cost, err);
    /* Conditions and sizes that no formula follows may be plain numbers at these sizes. */
    if (!rc && m->n_symbols && ((*cost)->n_unknown || (*cost)->undecided)) {
        jl_cost_free(*cost);
        *cost = NULL;
        rc = compute(m, options, NULL, cost, err);
    }
    rebind(m, symbol, before);
    return rc;
}

void jl_cost_free(jl_cost *c)
{
    if (c) jl_arena_free(c->arena);
}
