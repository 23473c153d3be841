/* Nodes in the order of execution, sub-graphs included, and their sums. */
#include <stdlib.h>

#include "base/map.h"
#include "model/cost_plan.h"

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

/* The branches of an If: the one that is taken where that is known, else the dearer, counts. */
static int list_branches(cost_plan *p, uint32_t node, int64_t times, bool counted,
                         jl_node_cost *list, size_t *n_list, jl_cost_numbers *sum)
{
    const jl_node *n = &p->g->nodes[node];
    uint32_t taken = p->sizes.shapes->taken[node];
    jl_cost_numbers best = {0};
    size_t best_from = *n_list, best_to = *n_list;
    for (uint32_t i = 0; i < n->n_scopes; i++) {
        jl_cost_numbers body = {0};
        size_t from = *n_list;
        int rc = list_scope(p, n->first_scope + i, times, counted, list, n_list, &body);
        if (rc) return rc;
        bool counts = taken ? taken == i + 1 : i == 0 || body.flop > best.flop;
        discount(list, counts ? best_from : from, counts ? best_to : *n_list);
        if (!counts) continue;
        best_from = from;
        best_to = *n_list;
        best = body;
    }
    p->cost->undecided += !taken;
    return add_numbers(sum, &best, 1) ? 0 : cost_overflow(p, node);
}

static int list_bodies(cost_plan *p, uint32_t node, int64_t times, bool counted, jl_node_cost *list,
                       size_t *n_list, jl_cost_numbers *sum)
{
    const jl_node *n = &p->g->nodes[node];
    int64_t rounds = iterations(p, n), all;
    char label[JL_LABEL];
    int rc = 0;
    if (jl_str_is(n->onnx->op_type, "If"))
        return list_branches(p, node, times, counted, list, n_list, sum);
    if (!rounds)
        rc = cost_note(p, "%s: the number of iterations is not known; its body counts once",
                       jl_node_label(p->g, node, label));
    if (rc) return rc;
    if (__builtin_mul_overflow(times, rounds ? rounds : 1, &all)) return cost_overflow(p, node);
    for (uint32_t i = 0; i < n->n_scopes && !rc; i++) {
        jl_cost_numbers body = {0};
        rc = list_scope(p, n->first_scope + i, all, counted, list, n_list, &body);
        if (!rc && !add_numbers(sum, &body, 1)) rc = cost_overflow(p, node);
    }
    return rc;
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

/* Sums ---------------------------------------------------------------------------------------- */

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
        bool unknown = list[i].counted && !list[i].known;
        ops[at].unknown += unknown;
        p->cost->n_unknown += unknown;
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
    int rc = 0;
    if (p->cost->undecided)
        rc =
            cost_note(p, "%zu If nodes whose condition is not known: only the dearer branch counts",
                      p->cost->undecided);
    if (rc) return rc;
    for (size_t i = 0; i < p->cost->n_ops; i++) {
        const jl_op_cost *o = &p->cost->ops[i];
        if (o->unknown && shown++ >= SHOWN) more++;
        if (!o->unknown || shown > SHOWN) continue;
        const char *why = cost_find((jl_str){0}, jl_str_c(o->op))
                              ? "sizes not known, not counted"
                              : "no rule for this operator, not counted";
        if ((rc = cost_note(p, "%zu of %zu %s nodes: %s", o->unknown, o->nodes, o->op, why)))
            return rc;
    }
    return more ? cost_note(p, "and nodes of %zu other operators, not counted", more) : 0;
}

int cost_list(cost_plan *p)
{
    jl_cost *c = p->cost;
    jl_node_cost *list = jl_arena_array(c->arena, p->g->n_nodes, sizeof *list);
    int64_t parameters = c->total.parameters; /* summed by initializer, not by node */
    if (!list) return cost_no_memory(p);
    int rc = list_scope(p, 0, 1, true, list, &c->n_nodes, &c->total);
    c->total.parameters = parameters;
    c->nodes = list;
    if (!rc) rc = sum_by_op(p, list, c->n_nodes);
    return rc ? rc : note_unknown(p);
}
