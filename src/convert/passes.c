#include "convert/passes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/memory.h"

typedef struct job {
    jl_watched *model;
    const jl_samples *samples;
    const size_t *numbers;
    size_t count, callers;
    jl_look look;
    void *ctx;
    pthread_mutex_t lock; /* of the samples, and of what failed first */
    jl_error *err;
    int rc;
} job;

typedef struct caller {
    job *all;
    jl_pass pass;
    pthread_t thread;
    bool started;
    jl_tensor *inputs; /* with bytes of the caller's own */
} caller;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while running the model on samples");
}

/* Each caller has values of its own in memory: a third one would take it beyond what is gained. */
enum { MOST_CALLERS = 2 };

size_t jl_pass_callers(size_t samples)
{
    size_t cores = (size_t)jl_cpu_cores(NULL),
           callers = cores < MOST_CALLERS ? cores : MOST_CALLERS;
    return callers < samples ? callers : samples;
}

/* The threads of a call that keep all cores busy beside the other callers. */
static int threads_of_call(void)
{
    int cores = jl_cpu_cores(NULL);
    return cores > MOST_CALLERS ? cores - MOST_CALLERS + 1 : 1;
}

static int see(void *call, size_t index, const jl_tensor *value, jl_error *err)
{
    const caller *c = call;
    return c->all->look(&c->pass, index, value, err);
}

static void free_inputs(caller *c)
{
    for (size_t k = 0; c->inputs && k < c->all->samples->inputs; k++) {
        free(c->inputs[k].data);
        c->inputs[k].data = NULL;
    }
}

/* Samples live until the next is made: each caller has a copy of its own. */
static int take_sample(caller *c, jl_error *err)
{
    const jl_samples *s = c->all->samples;
    JL_OWNED jl_tensor *made = calloc(s->inputs + 1, sizeof *made);
    if (!made) return no_memory(err);
    free_inputs(c);
    int rc = s->get(s->ctx, c->pass.sample, made, err);
    for (size_t k = 0; !rc && k < s->inputs; k++)
        rc = jl_tensor_cast(&c->inputs[k], &made[k], made[k].dtype, err);
    return rc;
}

static void *serve(void *ctx)
{
    caller *c = ctx;
    job *all = c->all;
    jl_error err = {0};
    int rc = 0;
    for (size_t i = c->pass.caller; !rc && i < all->count; i += all->callers) {
        c->pass.sample = all->numbers ? all->numbers[i] : i;
        pthread_mutex_lock(&all->lock);
        rc = all->rc ? all->rc : take_sample(c, &err);
        pthread_mutex_unlock(&all->lock);
        if (!rc) rc = jl_watched_run(all->model, c->inputs, all->samples->inputs, c, &err);
    }
    pthread_mutex_lock(&all->lock);
    if (rc && !all->rc) {
        all->rc = rc;
        if (all->err) *all->err = err;
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* The first caller is this thread. */
static int run_callers(job *all, jl_error *err)
{
    size_t n = all->callers;
    JL_OWNED caller *callers = calloc(n, sizeof *callers);
    bool memory = callers != NULL;
    for (size_t i = 0; memory && i < n; i++) {
        callers[i] = (caller){.all = all, .pass = {.ctx = all->ctx, .caller = i}};
        callers[i].inputs = calloc(all->samples->inputs + 1, sizeof(jl_tensor));
        memory = callers[i].inputs != NULL;
    }
    for (size_t i = 1; memory && i < n; i++) {
        callers[i].started = !pthread_create(&callers[i].thread, NULL, serve, &callers[i]);
        if (!callers[i].started) serve(&callers[i]);
    }
    if (memory) serve(&callers[0]);
    for (size_t i = 0; callers && i < n && callers[i].all; i++) {
        if (callers[i].started) pthread_join(callers[i].thread, NULL);
        free_inputs(&callers[i]);
        free(callers[i].inputs);
    }
    return memory ? all->rc : no_memory(err);
}

/* The graph with a Watch node for each name; the edit stays as it is. ONNX Runtime orders nodes
 * backwards from those that nobody reads, the last one first: the earliest value is watched last,
 * so that each is looked at as soon as it is there and none waits until the call is over. */
static int add_watches(jl_edit *e, const jl_str *names, size_t count, onnx_graph *graph,
                       jl_error *err)
{
    onnx_graph *g = e->graph;
    *graph = *g;
    graph->nodes.p = jl_arena_array(e->arena, g->nodes.n + count + 1, sizeof *g->nodes.p);
    if (!graph->nodes.p) return no_memory(err);
    if (g->nodes.n) memcpy(graph->nodes.p, g->nodes.p, g->nodes.n * sizeof *g->nodes.p);
    int rc = 0;
    for (size_t i = count; !rc && i-- > 0;) {
        onnx_node *node = &graph->nodes.p[graph->nodes.n++];
        jl_str nothing = jl_edit_unique(e, names[i], "_watched");
        rc = jl_edit_node(e, node, JL_WATCH_OP, nothing, &names[i], 1, nothing, err);
        node->domain = JL_STR(JL_WATCH_DOMAIN);
        if (!rc) rc = jl_edit_set_int(e, node, "index", (int64_t)i, err);
    }
    return rc;
}

static int add_domain(jl_edit *e, onnx_model *model, jl_error *err)
{
    size_t n = model->opset_imports.n;
    onnx_opset *imports = jl_arena_array(e->arena, n + 1, sizeof *imports);
    if (!imports) return no_memory(err);
    if (n) memcpy(imports, model->opset_imports.p, n * sizeof *imports);
    imports[n] = (onnx_opset){.domain = JL_STR(JL_WATCH_DOMAIN), .version = 1};
    model->opset_imports.p = imports;
    model->opset_imports.n = n + 1;
    return 0;
}

int jl_pass_open(jl_edit *e, const jl_str *names, size_t count, const char *scratch,
                 jl_watched **model, jl_error *err)
{
    onnx_model *m = e->file->model, before = *m;
    onnx_graph whole = *e->graph, graph = whole;
    const char *data = jl_arena_printf(e->arena, "%s.data", scratch);
    *model = NULL;
    if (!data) return no_memory(err);
    int rc = add_watches(e, names, count, &graph, err);
    if (!rc) rc = add_domain(e, m, err);
    *e->graph = graph;
    if (!rc) rc = jl_edit_save_split(e, scratch, data, err);
    *e->graph = whole;
    *m = before;
    onnx_release_pages(e->file);
    if (!rc) rc = jl_watched_open(scratch, threads_of_call(), see, model, err);
    unlink(scratch);
    unlink(data);
    return rc;
}

int jl_pass_samples(jl_watched *model, const jl_samples *samples, const size_t *numbers,
                    size_t count, jl_look look, void *ctx, jl_error *err)
{
    job all = {.model = model,
               .samples = samples,
               .numbers = numbers,
               .count = count,
               .callers = jl_pass_callers(count),
               .look = look,
               .ctx = ctx,
               .err = err};
    pthread_mutex_init(&all.lock, NULL);
    int rc = run_callers(&all, err);
    pthread_mutex_destroy(&all.lock);
    return rc;
}
