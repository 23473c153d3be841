/* Bytes that move between nodes, and bytes that live at one time. */
#include "model/cost_plan.h"

#include <stdlib.h>

static bool moves(const cost_plan *p, uint32_t node)
{
    return !p->folded[node] && !(p->rules[node] && p->rules[node]->moves == MOVES_NOTHING);
}

static bool add(int64_t *sum, int64_t bytes)
{
    return !__builtin_add_overflow(*sum, bytes, sum);
}

/* Fusion -------------------------------------------------------------------------------------- */

/* Could the value stay inside a fused kernel? Only if everybody who reads it is elementwise. */
static bool can_stay_inside(const cost_plan *p, uint32_t value, uint32_t scope)
{
    const jl_graph_value *v = &p->g->values[value];
    if (v->is_output || v->scope != scope || p->constant[value]) return false;
    if (v->node == JL_NONE || !moves(p, v->node)) return false;
    for (uint32_t u = 0; u < v->n_uses; u++) {
        uint32_t reader = p->g->uses[v->first_use + u].node;
        if (p->g->nodes[reader].scope != scope || !p->rules[reader] || !p->rules[reader]->fuses)
            return false;
    }
    return v->n_uses > 0;
}

/* Each elementwise node joins the group of the last of its producers that has its size. */
static void group_nodes(cost_plan *p)
{
    const jl_graph *g = p->g;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        p->group[i] = i;
    for (uint32_t s = 0; s < g->n_scopes; s++) {
        for (uint32_t k = 0; k < g->scopes[s].n_nodes; k++) {
            uint32_t node = g->scopes[s].order[k], best = JL_NONE;
            const jl_node *n = &g->nodes[node];
            if (!p->rules[node] || !p->rules[node]->fuses || p->folded[node]) continue;
            cost_shape out, in;
            if (!n->n_outputs || !cost_shape_of(&p->sizes, n->outputs[0], &out)) continue;
            for (uint32_t i = 0; i < n->n_inputs; i++) {
                uint32_t v = n->inputs[i];
                if (v == JL_NONE || !can_stay_inside(p, v, s)) continue;
                uint32_t maker = g->values[v].node;
                if (!cost_shape_of(&p->sizes, v, &in) || in.rank < 0 || in.elements != out.elements)
                    continue;
                if (best == JL_NONE || p->position[maker] > p->position[best]) best = maker;
            }
            if (best != JL_NONE) p->group[node] = p->group[best];
        }
    }
}

static bool is_inside(const cost_plan *p, uint32_t value)
{
    const jl_graph_value *v = &p->g->values[value];
    if (!can_stay_inside(p, value, v->scope)) return false;
    for (uint32_t u = 0; u < v->n_uses; u++)
        if (p->group[p->g->uses[v->first_use + u].node] != p->group[v->node]) return false;
    return true;
}

int cost_traffic(cost_plan *p)
{
    const jl_graph *g = p->g;
    group_nodes(p);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const jl_node *n = &g->nodes[i];
        jl_cost_numbers *c = &p->nodes[i].cost;
        if (!moves(p, i) || !p->nodes[i].known) continue;
        bool picks = p->rules[i] && p->rules[i]->moves == MOVES_PICK && n->n_outputs &&
                     n->outputs[0] != JL_NONE;
        for (uint32_t k = 0; k < n->n_inputs + n->n_outputs; k++) {
            bool reads = k < n->n_inputs;
            uint32_t v = reads ? n->inputs[k] : n->outputs[k - n->n_inputs];
            if (v == JL_NONE || p->constant[v] || (reads && !cost_first_reading(n, k))) continue;
            int64_t bytes = p->bytes[v];
            if (picks && k == 0 && p->bytes[n->outputs[0]] < bytes) bytes = p->bytes[n->outputs[0]];
            if (!add(&c->activation_bytes, bytes)) return cost_overflow(p, i);
            if (!is_inside(p, v)) c->fused_activation_bytes += bytes;
        }
    }
    return 0;
}

/* Peak ---------------------------------------------------------------------------------------- */

typedef struct liveness {
    const cost_plan *p;
    uint32_t *root; /* by value: whose memory it is; views share */
    int64_t *scope_peak;
} liveness;

static uint32_t reader_in(const jl_graph *g, uint32_t scope, uint32_t node)
{
    while (g->nodes[node].scope != scope)
        node = g->scopes[g->nodes[node].scope].owner;
    return node;
}

/* The ports of a function's body are the calling node's tensors, which count there. */
static bool counts(const cost_plan *p, uint32_t value)
{
    if (value == JL_NONE || p->constant[value]) return false;
    const jl_graph_value *v = &p->g->values[value];
    return !p->g->scopes[v->scope].function || !(v->is_input || v->is_output);
}

static void find_roots(liveness *l, uint32_t scope)
{
    const jl_graph *g = l->p->g;
    const jl_scope *s = &g->scopes[scope];
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const jl_node *n = &g->nodes[s->order[i]];
        const cost_rule *rule = l->p->rules[s->order[i]];
        bool view = rule && rule->moves == MOVES_NOTHING && rule->work == WORK_NONE &&
                    n->n_inputs && counts(l->p, n->inputs[0]) && n->n_outputs == 1 &&
                    counts(l->p, n->outputs[0]) &&
                    l->p->bytes[n->inputs[0]] == l->p->bytes[n->outputs[0]];
        if (view) l->root[n->outputs[0]] = l->root[n->inputs[0]];
    }
}

/* The last reading of each root, by position in the scope. Readings in sub-graphs count at the
 * node that holds them. */
static void find_ends(liveness *l, uint32_t *end)
{
    const jl_graph *g = l->p->g;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const jl_graph_value *value = &g->values[v];
        if (!counts(l->p, v)) continue;
        uint32_t root = l->root[v], scope = g->values[root].scope;
        if (value->is_output) end[root] = UINT32_MAX;
        uint32_t at = value->node == JL_NONE ? 0 : l->p->position[reader_in(g, scope, value->node)];
        if (at > end[root]) end[root] = at;
        for (uint32_t u = 0; u < value->n_uses; u++) {
            uint32_t reader = reader_in(g, scope, g->uses[value->first_use + u].node);
            if (l->p->position[reader] > end[root]) end[root] = l->p->position[reader];
        }
    }
}

/* frees[first_node + position]: bytes that nobody needs after the node at that position. */
static int64_t peak_of_scope(const liveness *l, uint32_t scope, const int64_t *frees)
{
    const jl_graph *g = l->p->g;
    const jl_scope *s = &g->scopes[scope];
    int64_t live = 0, peak = 0;
    for (uint32_t i = 0; i < s->n_inputs; i++)
        if (counts(l->p, s->inputs[i])) live += l->p->bytes[s->inputs[i]];
    peak = live;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const jl_node *n = &g->nodes[s->order[i]];
        int64_t inside = 0;
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            uint32_t v = n->outputs[k];
            if (counts(l->p, v) && l->root[v] == v) live += l->p->bytes[v];
        }
        for (uint32_t k = 0; k < n->n_scopes; k++)
            if (l->scope_peak[n->first_scope + k] > inside)
                inside = l->scope_peak[n->first_scope + k];
        if (live + inside > peak) peak = live + inside;
        live -= frees[s->first_node + i];
    }
    return peak;
}

int cost_peak(cost_plan *p, int64_t *peak)
{
    const jl_graph *g = p->g;
    liveness l = {.p = p};
    uint32_t *end = calloc(g->n_values + 1, sizeof *end);
    int64_t *frees = calloc(g->n_nodes + 1, sizeof *frees);
    l.root = calloc(g->n_values + 1, sizeof *l.root);
    l.scope_peak = calloc(g->n_scopes + 1, sizeof *l.scope_peak);
    int rc = end && frees && l.root && l.scope_peak ? 0 : cost_no_memory(p);
    for (uint32_t v = 0; v < g->n_values && !rc; v++)
        l.root[v] = v;
    for (uint32_t s = 0; s < g->n_scopes && !rc; s++)
        find_roots(&l, s);
    if (!rc) find_ends(&l, end);
    int64_t all = 0;
    for (uint32_t v = 0; v < g->n_values && !rc; v++) {
        if (!counts(p, v) || l.root[v] != v) continue;
        const jl_scope *s = &g->scopes[g->values[v].scope];
        if (!add(&all, p->bytes[v]))
            rc = jl_fail(p->err, JL_ERR_LIMIT, "all tensors together pass 64 bits of bytes");
        if (end[v] != UINT32_MAX && s->n_nodes) frees[s->first_node + end[v]] += p->bytes[v];
    }
    for (uint32_t s = g->n_scopes; s-- > 0 && !rc;)
        l.scope_peak[s] = peak_of_scope(&l, s, frees);
    if (!rc) *peak = l.scope_peak[0];
    free(end);
    free(frees);
    free(l.root);
    free(l.scope_peak);
    return rc;
}
