#include "model/cost_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

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

/* Free dimensions ---------------------------------------------------------------------------------
 */

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

/* Values and nodes --------------------------------------------------------------------------------
 */

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

static const char *shape_text(cost_plan *p, uint32_t value)
{
    cost_shape shape;
    const jl_info *info = &p->sizes.shapes->values[value];
    jl_buf text = {0};
    if (info->kind == JL_KIND_TENSOR && cost_shape_of(&p->sizes, value, &shape) &&
        shape.rank >= 0) {
        jl_buf_printf(&text, "%s[", jl_dtype_name((jl_dtype)info->dtype));
        for (int i = 0; i < shape.rank; i++)
            jl_buf_printf(&text, "%s%lld", i ? ", " : "", (long long)shape.dims[i]);
        jl_buf_puts(&text, "]");
    } else {
        jl_shapes_print(p->sizes.shapes, value, &text);
    }
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

/* Sub-graphs --------------------------------------------------------------------------------------
 */

static bool add_numbers(jl_cost_numbers *sum, const jl_cost_numbers *x, int64_t times)
{
    const int64_t from[] = {x->macs, x->flop, x->weight_bytes, x->activation_bytes,
                            x->fused_activation_bytes};
    int64_t *to[] = {&sum->macs, &sum->flop, &sum->weight_bytes, &sum->activation_bytes,
                     &sum->fused_activation_bytes};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        int64_t part;
        if (__builtin_mul_overflow(from[i], times, &part) ||
            __builtin_add_overflow(*to[i], part, to[i]))
            return false;
    }
    sum->parameters += x->parameters;
    return true;
}

/* Iterations of a Loop, Scan or SequenceMap; 0 when not known. */
static int64_t iterations(const cost_plan *p, const jl_node *n)
{
    jl_str op = n->onnx->op_type;
    const jl_info *first =
        n->n_inputs && n->inputs[0] != JL_NONE ? &p->sizes.shapes->values[n->inputs[0]] : NULL;
    int64_t k = 0;
    if (jl_str_is(op, "If") || jl_node_is_call(p->g, n)) return 1;
    if (jl_str_is(op, "SequenceMap")) return first && first->length > 0 ? first->length : 0;
    if (jl_str_is(op, "Loop")) {
        bool known = first && first->elems && first->n_elems == 1 &&
                     first->elems[0].kind == JL_ELEM_RATIO && first->elems[0].den == 1;
        if (!known || !jl_dim_eval(p->sizes.shapes->dims, first->elems[0].num, &k, NULL)) return 0;
        return k > 0 ? k : 0;
    }
    int64_t scans = onnx_attribute_i(n->onnx, "num_scan_inputs", 1);
    const onnx_attribute *axes = onnx_find_attribute(n->onnx, "scan_input_axes");
    cost_shape shape;
    if (scans < 1 || scans > n->n_inputs) return 0;
    if (!cost_shape_of(&p->sizes, n->inputs[n->n_inputs - (uint32_t)scans], &shape)) return 0;
    int64_t axis = axes && axes->ints.n ? axes->ints.p[0] : 0;
    if (axis < 0) axis += shape.rank;
    return axis >= 0 && axis < shape.rank ? shape.dims[axis] : 0;
}

static int list_scope(cost_plan *p, uint32_t scope, int64_t times, bool counted, jl_node_cost *list,
                      size_t *n_list, jl_cost_numbers *sum);

static void discount(jl_node_cost *list, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        list[i].counted = false;
}

/* The bodies of a node: of an If's branches only the dearer counts. */
static int list_bodies(cost_plan *p, uint32_t node, int64_t times, bool counted, jl_node_cost *list,
                       size_t *n_list, jl_cost_numbers *sum)
{
    const jl_node *n = &p->g->nodes[node];
    bool is_if = jl_str_is(n->onnx->op_type, "If");
    int64_t rounds = iterations(p, n), all;
    char label[JL_LABEL];
    jl_node_label(p->g, node, label);
    int rc = 0;
    if (is_if) rc = cost_note(p, "%s: only the dearer branch counts", label);
    if (!rounds)
        rc = cost_note(p, "%s: the number of iterations is not known; its body counts once", label);
    if (rc) return rc;
    if (__builtin_mul_overflow(times, rounds ? rounds : 1, &all)) return cost_overflow(p, node);
    jl_cost_numbers best = {0};
    size_t best_from = *n_list, best_to = *n_list;
    for (uint32_t i = 0; i < n->n_scopes; i++) {
        jl_cost_numbers body = {0};
        size_t from = *n_list;
        if ((rc = list_scope(p, n->first_scope + i, all, counted, list, n_list, &body))) return rc;
        bool dearer = !is_if || body.flop > best.flop || from == best_to;
        if (is_if && dearer) {
            if (best_to > best_from) discount(list, best_from, best_to);
            best_from = from;
            best_to = *n_list;
            best = body;
        } else if (is_if) {
            discount(list, from, *n_list);
        } else if (!add_numbers(sum, &body, 1)) {
            return cost_overflow(p, node);
        }
    }
    return is_if && !add_numbers(sum, &best, 1) ? cost_overflow(p, node) : 0;
}

static int list_scope(cost_plan *p, uint32_t scope, int64_t times, bool counted, jl_node_cost *list,
                      size_t *n_list, jl_cost_numbers *sum)
{
    const jl_scope *s = &p->g->scopes[scope];
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        uint32_t node = s->order[i];
        jl_node_cost *c = &p->nodes[node];
        c->times = times;
        c->counted = counted;
        list[(*n_list)++] = *c;
        if (!add_numbers(sum, &c->cost, times)) return cost_overflow(p, node);
        int rc = p->g->nodes[node].n_scopes
                     ? list_bodies(p, node, times, counted, list, n_list, sum)
                     : 0;
        if (rc) return rc;
    }
    return 0;
}

/* Sums --------------------------------------------------------------------------------------------
 */

static int by_flop(const void *a, const void *b)
{
    const jl_op_cost *x = a, *y = b;
    if (x->cost.flop != y->cost.flop) return x->cost.flop < y->cost.flop ? 1 : -1;
    int64_t bx = x->cost.weight_bytes + x->cost.activation_bytes;
    int64_t by = y->cost.weight_bytes + y->cost.activation_bytes;
    if (bx != by) return bx < by ? 1 : -1;
    return strcmp(x->op, y->op);
}

static int sum_by_op(cost_plan *p, const jl_node_cost *list, size_t n)
{
    jl_map index = {0};
    jl_op_cost *ops = jl_arena_array(p->cost->arena, n, sizeof *ops);
    size_t count = 0;
    int rc = ops ? 0 : cost_no_memory(p);
    for (size_t i = 0; i < n && !rc; i++) {
        uint32_t at = jl_map_get(&index, jl_str_c(list[i].op));
        if (at == JL_MAP_NONE) {
            at = (uint32_t)count++;
            ops[at].op = list[i].op;
            if (!jl_map_set(&index, jl_str_c(list[i].op), at)) rc = cost_no_memory(p);
        }
        ops[at].nodes++;
        ops[at].unknown += !list[i].known;
        p->cost->n_unknown += !list[i].known;
        if (list[i].counted) add_numbers(&ops[at].cost, &list[i].cost, list[i].times);
    }
    jl_map_free(&index);
    if (count) qsort(ops, count, sizeof *ops, by_flop);
    p->cost->ops = ops;
    p->cost->n_ops = count;
    return rc;
}

static int note_unknown(cost_plan *p)
{
    enum { SHOWN = 8 };
    size_t shown = 0, more = 0;
    for (size_t i = 0; i < p->cost->n_ops; i++) {
        const jl_op_cost *o = &p->cost->ops[i];
        if (o->unknown && shown++ >= SHOWN) more++;
        if (!o->unknown || shown > SHOWN) continue;
        const char *why = cost_find((jl_str){0}, jl_str_c(o->op))
                              ? "sizes not known, not counted"
                              : "no rule for this operator, not counted";
        int rc = cost_note(p, "%zu of %zu %s nodes: %s", o->unknown, o->nodes, o->op, why);
        if (rc) return rc;
    }
    return more ? cost_note(p, "and nodes of %zu other operators, not counted", more) : 0;
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
    jl_node_cost *list = jl_arena_array(c->arena, g->n_nodes, sizeof *list);
    if (!list) return cost_no_memory(p);
    int64_t parameters = c->total.parameters;
    if (!rc) rc = list_scope(p, 0, 1, true, list, &c->n_nodes, &c->total);
    c->total.parameters = parameters;
    c->nodes = list;
    if (!rc) rc = sum_by_op(p, list, c->n_nodes);
    if (!rc) rc = note_unknown(p);
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

static int compute(jl_model *m, const jl_cost_options *options, jl_cost **cost, jl_error *err)
{
    jl_arena *arena = jl_arena_new();
    jl_cost *c = arena ? jl_arena_alloc(arena, sizeof *c) : NULL;
    cost_plan p = {.m = m,
                   .g = m->graph,
                   .sizes = {m->shapes, m->graph},
                   .cost = c,
                   .err = err,
                   .precision = options ? options->precision : JL_UNDEFINED};
    if (!c) {
        jl_arena_free(arena);
        return cost_no_memory(&p);
    }
    c->arena = arena;
    int rc = allocate(&p);
    if (!rc) rc = run(&p);
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
    if (!rc) rc = compute(m, options, cost, err);
    rebind(m, symbol, before);
    return rc;
}

void jl_cost_free(jl_cost *c)
{
    if (c) jl_arena_free(c->arena);
}
