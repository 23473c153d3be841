/* An order of execution of each scope: the file's where that holds, else Kahn's algorithm. */
#include <stdlib.h>

#include "base/memory.h"
#include "model/graph.h"

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while ordering the graph");
}

/* The node of the value's scope that a reading belongs to: itself, or the one that holds the
 * sub-graph it stands in. */
static uint32_t reader_in(const jl_graph *g, uint32_t scope, uint32_t node)
{
    while (g->nodes[node].scope != scope)
        node = g->scopes[g->nodes[node].scope].owner;
    return node;
}

/* A node that `node` reads from and that waits too, or JL_NONE. */
static uint32_t waiting_producer(const jl_graph *g, uint32_t node, const uint32_t *waiting)
{
    const jl_node *n = &g->nodes[node];
    for (uint32_t k = 0; k < n->n_inputs; k++) {
        uint32_t p = n->inputs[k] == JL_NONE ? JL_NONE : g->values[n->inputs[k]].node;
        if (p != JL_NONE && g->nodes[p].scope == n->scope && waiting[p]) return p;
    }
    return JL_NONE;
}

/* Every waiting node reads from one that waits: enough steps back end inside a cycle. Where that
 * reading stands in a sub-graph, only the node that holds it is named. */
static int name_cycle(const jl_graph *g, const uint32_t *waiting, uint32_t start, jl_error *err)
{
    enum { SHOWN = 5 };
    char label[JL_LABEL];
    uint32_t at = start, next;
    for (uint32_t i = 0; i < g->n_nodes && (next = waiting_producer(g, at, waiting)) != JL_NONE;
         i++)
        at = next;
    jl_buf text = {0};
    uint32_t first = at;
    for (int shown = 0; at != JL_NONE && shown < SHOWN; shown++) {
        jl_buf_printf(&text, "%s%s", shown ? " reads from " : "", jl_node_label(g, at, label));
        at = waiting_producer(g, at, waiting);
        if (at == first) break;
    }
    int rc = jl_fail(err, JL_ERR_FORMAT, "the graph has a cycle: %s%s", text.p,
                     at == first ? " reads from the first" : " ...");
    jl_buf_free(&text);
    return rc;
}

static bool file_order_holds(const jl_graph *g, const jl_scope *s, uint32_t scope)
{
    for (uint32_t i = s->first_node; i < s->first_node + s->n_nodes; i++) {
        const jl_node *n = &g->nodes[i];
        for (uint32_t k = 0; k < n->n_outputs; k++) {
            if (n->outputs[k] == JL_NONE) continue;
            const jl_graph_value *v = &g->values[n->outputs[k]];
            for (uint32_t u = 0; u < v->n_uses; u++)
                if (reader_in(g, scope, g->uses[v->first_use + u].node) <= i) return false;
        }
    }
    return true;
}

/* Kahn's algorithm; waiting[n] counts the readings of node n whose producers are not placed. */
static void count_readings(const jl_graph *g, uint32_t scope, uint32_t node, uint32_t *waiting)
{
    const jl_node *n = &g->nodes[node];
    for (uint32_t k = 0; k < n->n_outputs; k++) {
        if (n->outputs[k] == JL_NONE) continue;
        const jl_graph_value *v = &g->values[n->outputs[k]];
        for (uint32_t u = 0; u < v->n_uses; u++)
            waiting[reader_in(g, scope, g->uses[v->first_use + u].node)]++;
    }
}

/* Appends to the order the readers of a placed node that wait for nothing more. */
static void place_readers(const jl_graph *g, uint32_t scope, uint32_t node, uint32_t *waiting,
                          uint32_t *order, uint32_t *n_placed)
{
    const jl_node *n = &g->nodes[node];
    for (uint32_t k = 0; k < n->n_outputs; k++) {
        if (n->outputs[k] == JL_NONE) continue;
        const jl_graph_value *v = &g->values[n->outputs[k]];
        for (uint32_t u = 0; u < v->n_uses; u++) {
            uint32_t reader = reader_in(g, scope, g->uses[v->first_use + u].node);
            if (!--waiting[reader]) order[(*n_placed)++] = reader;
        }
    }
}

static int sort_scope(const jl_graph *g, jl_scope *s, uint32_t scope, uint32_t *waiting,
                      jl_error *err)
{
    uint32_t end = s->first_node + s->n_nodes, placed = 0;
    for (uint32_t i = s->first_node; i < end; i++)
        count_readings(g, scope, i, waiting);
    for (uint32_t i = s->first_node; i < end; i++)
        if (!waiting[i]) s->order[placed++] = i;
    for (uint32_t i = 0; i < placed; i++)
        place_readers(g, scope, s->order[i], waiting, s->order, &placed);
    for (uint32_t i = s->first_node; i < end && placed < s->n_nodes; i++)
        if (waiting[i]) return name_cycle(g, waiting, i, err);
    return 0;
}

int jl_graph_order(jl_graph *g, jl_arena *arena, jl_error *err)
{
    JL_OWNED uint32_t *waiting = calloc(g->n_nodes + 1, sizeof *waiting);
    int rc = waiting ? 0 : no_memory(err);
    for (uint32_t i = 0; i < g->n_scopes && !rc; i++) {
        jl_scope *s = &g->scopes[i];
        s->order = jl_arena_array(arena, s->n_nodes, sizeof *s->order);
        if (!s->order) {
            rc = no_memory(err);
        } else if (file_order_holds(g, s, i)) {
            for (uint32_t k = 0; k < s->n_nodes; k++)
                s->order[k] = s->first_node + k;
        } else {
            rc = sort_scope(g, s, i, waiting, err);
        }
    }
    return rc;
}
