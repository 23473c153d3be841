#include "model/zoo/zoo.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "model/zoo/probe.h"
#include "model/zoo/table.h"

jl_zoo_options jl_zoo_defaults(void)
{
    return (jl_zoo_options){.opset = JL_ZOO_OPSET_DEFAULT};
}

size_t jl_zoo_count(void)
{
    size_t n;
    zoo_table(&n);
    return n;
}

const jl_zoo_model *jl_zoo_at(size_t i)
{
    size_t n;
    const zoo_entry *table = zoo_table(&n);
    return i < n ? &table[i].model : NULL;
}

static const zoo_entry *among(const zoo_entry *entries, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, entries[i].model.name)) return &entries[i];
    return NULL;
}

static int find_entry(const char *name, const zoo_entry **entry, jl_error *err)
{
    enum { MOST = 64 };
    size_t n, n_styled;
    const zoo_entry *table = zoo_table(&n), *styled = zoo_styled(&n_styled);
    *entry = among(table, n, name);
    if (!*entry) *entry = among(styled, n_styled, name);
    if (*entry) return 0;
    const char *names[MOST];
    size_t count = 0;
    for (size_t i = 0; i < n + n_styled && count < MOST; i++)
        names[count++] = (i < n ? &table[i] : &styled[i - n])->model.name;
    const char *near = jl_nearest(name, names, count);
    return jl_fail(err, JL_ERR_MISSING,
                   "the zoo has no model '%s'%s%s%s; 'jouleline model list' shows all", name,
                   near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int jl_zoo_find(const char *name, const jl_zoo_model **model, jl_error *err)
{
    const zoo_entry *entry = NULL;
    int rc = find_entry(name, &entry, err);
    *model = entry ? &entry->model : NULL;
    return rc;
}

static int check_options(const char *name, const jl_zoo_options *o, jl_error *err)
{
    if (o->opset < JL_ZOO_OPSET_MIN || o->opset > JL_ZOO_OPSET_MAX)
        return jl_fail(err, JL_ERR_USAGE, "%s: opset %d is outside %d to %d", name, o->opset,
                       JL_ZOO_OPSET_MIN, JL_ZOO_OPSET_MAX);
    if (o->batch < 0 || o->batch > INT_MAX)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s: batch %" PRId64 " is not a size (0 keeps it symbolic)", name, o->batch);
    return 0;
}

/* The model around the graph ------------------------------------------------------------------ */

static void *zeroed(zoo_builder *b, size_t n, size_t size)
{
    void *p = jl_arena_array(b->arena, n, size);
    if (!p) b->failed = true;
    return p;
}

static void describe(zoo_builder *b, onnx_value_info *v, const zoo_port *port)
{
    int rank = port->rank;
    const int64_t *dims = port->dims;
    onnx_type *type = zeroed(b, 1, sizeof *type);
    onnx_tensor_type *tensor = zeroed(b, 1, sizeof *tensor);
    onnx_shape *shape = zeroed(b, 1, sizeof *shape);
    onnx_dim *list = zeroed(b, (size_t)rank, sizeof *list);
    if (b->failed) return;
    if (b->options.batch)
        list[0] = (onnx_dim){.value = b->options.batch, .has_value = true};
    else
        list[0] = (onnx_dim){.param = JL_STR("batch"), .has_param = true};
    for (int i = 1; i < rank; i++)
        list[i] = (onnx_dim){.value = dims[i], .has_value = true};
    shape->dims.p = list;
    shape->dims.n = (size_t)rank;
    *tensor = (onnx_tensor_type){.elem_type = JL_FLOAT, .shape = shape};
    type->tensor_type = tensor;
    *v = (onnx_value_info){.name = jl_str_c(port->name), .type = type};
}

/* The IR version that came with an opset, so that old readers take the file. */
static int64_t ir_version(int opset)
{
    return opset <= 14 ? 7 : opset <= 18 ? 8 : opset <= 20 ? 9 : 10;
}

static onnx_model *wrap(zoo_builder *b, const char *name, const zoo_port *input,
                        const zoo_port *output)
{
    onnx_graph *g = b->graph;
    onnx_model *m = zeroed(b, 1, sizeof *m);
    g->inputs.p = zeroed(b, 1, sizeof *g->inputs.p);
    g->outputs.p = zeroed(b, 1, sizeof *g->outputs.p);
    onnx_opset *opset = zeroed(b, 1, sizeof *opset);
    if (b->failed || !g->nodes.n) return NULL;
    g->inputs.n = g->outputs.n = 1;
    describe(b, g->inputs.p, input);
    describe(b, g->outputs.p, output);
    g->nodes.p[g->nodes.n - 1].outputs.p[0] = jl_str_c(output->name);
    g->name = jl_str_c(name);
    *opset = (onnx_opset){.domain = JL_STR(""), .version = b->options.opset};
    *m = (onnx_model){.ir_version = ir_version(b->options.opset),
                      .producer_name = JL_STR("jouleline"),
                      .producer_version = JL_STR("zoo 1"),
                      .graph = g};
    m->opset_imports.p = opset;
    m->opset_imports.n = 1;
    return m;
}

static int fill(void *ctx, const onnx_tensor *t, uint64_t offset, void *to, size_t n, jl_error *err)
{
    const zoo_graph *z = ctx;
    if (offset % sizeof(float) || n % sizeof(float))
        return jl_fail(err, JL_ERR, "weights are made in whole floats");
    zoo_view_read(&z->views[t - z->model->graph->initializers.p], offset / sizeof(float),
                  n / sizeof(float), to);
    return 0;
}

static void drop_names(zoo_builder *b)
{
    jl_map_free(&b->node_names);
    jl_map_free(&b->initializer_names);
}

/* The nodes of a classifier of the table. */
static int build_classifier(zoo_builder *b, const zoo_entry *entry, zoo_port *input,
                            zoo_port *output, jl_error *err)
{
    int64_t px = entry->model.image_px;
    b->model = entry->weights_of;
    b->committed = entry->committed;
    b->committed_count = (size_t)(entry->committed_end - entry->committed);
    zoo_value logits = entry->build(b, (zoo_value){JL_STR("input"), 3, px, px});
    *input = (zoo_port){"input", 4, {0, 3, px, px}};
    *output = (zoo_port){"logits", 2, {0, logits.c}};
    if (b->options.plain || b->committed_used == b->committed_count) return 0;
    return jl_fail(err, JL_ERR,
                   "%s: the committed statistics hold %zu values, the model needs %zu: run "
                   "tools/zoo_statistics.py",
                   entry->model.name, b->committed_count, b->committed_used);
}

/* entry NULL: a probe. */
static int build(zoo_graph *z, const char *name, const zoo_entry *entry,
                 const jl_zoo_options *options, jl_error *err)
{
    z->arena = jl_arena_new();
    if (!z->arena) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", name);
    const char *kept = jl_arena_strndup(z->arena, name, strlen(name));
    jl_zoo_model *about = jl_arena_alloc(z->arena, sizeof *about);
    JL_CLEANUP(drop_names)
    zoo_builder b = {.arena = z->arena, .model = kept, .options = *options};
    if (entry && b.options.style == JL_ZOO_PLAIN) b.options.style = entry->style;
    b.graph = zeroed(&b, 1, sizeof *b.graph);
    if (!kept || !about || b.failed) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", name);
    *about = entry ? entry->model : (jl_zoo_model){.name = kept, .about = "a probe"};
    zoo_port input, output;
    int rc = entry ? build_classifier(&b, entry, &input, &output, err)
                   : zoo_probe_build(&b, kept, &input, &output, err);
    if (rc) return rc;
    z->model = wrap(&b, kept, &input, &output);
    if (b.failed) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", name);
    z->about = about;
    z->views = b.views;
    z->params = b.params;
    z->n_params = b.n_params;
    z->weights = (onnx_payload_source){fill, z};
    return 0;
}

/* Given weights ------------------------------------------------------------------------------- */

static bool same_shape(const zoo_param *p, const jl_safetensor *t)
{
    if (p->rank != t->rank) return false;
    for (int i = 0; i < p->rank; i++)
        if (p->dims[i] != t->dims[i]) return false;
    return true;
}

static void shape_words(jl_buf *to, int rank, const int64_t *dims)
{
    jl_buf_puts(to, "[");
    for (int i = 0; i < rank; i++)
        jl_buf_printf(to, "%s%" PRId64, i ? ", " : "", dims[i]);
    jl_buf_puts(to, "]");
}

/* What is wrong with the file, one a line of thought: the first few names, then a count. */
typedef struct complaints {
    jl_buf text;
    size_t count;
} complaints;

static bool wanted(complaints *c)
{
    enum { NAMED = 6 };
    if (c->count++ >= NAMED) return false;
    if (c->count > 1) jl_buf_puts(&c->text, "; ");
    return true;
}

static void take(zoo_param *p, const jl_safetensors *file, complaints *c)
{
    const jl_safetensor *t = jl_safetensors_find(file, jl_str_c(p->name));
    if (p->kind == ZOO_INTEGERS) return; /* counters and indices: the graph has its own */
    if (!t) {
        if (wanted(c)) jl_buf_printf(&c->text, "'%s' is missing", p->name);
    } else if (!same_shape(p, t)) {
        if (!wanted(c)) return;
        jl_buf_printf(&c->text, "'%s' is ", p->name);
        shape_words(&c->text, t->rank, t->dims);
        jl_buf_puts(&c->text, ", not ");
        shape_words(&c->text, p->rank, p->dims);
    } else if (t->dtype != JL_FLOAT && t->dtype != JL_FLOAT16 && t->dtype != JL_BFLOAT16 &&
               t->dtype != JL_DOUBLE) {
        if (wanted(c))
            jl_buf_printf(&c->text, "'%s' is %s, not a float type", p->name,
                          jl_dtype_name(t->dtype));
    } else {
        p->given = t->data;
        p->given_type = t->dtype;
    }
}

static int take_all(zoo_graph *z, const char *name, const char *path, jl_error *err)
{
    int rc = jl_safetensors_open(path, &z->given, err);
    if (rc) return rc;
    complaints c = {0};
    for (size_t i = 0; i < z->n_params; i++)
        take(z->params[i], z->given, &c);
    for (size_t i = 0; i < jl_safetensors_count(z->given); i++) {
        jl_str found = jl_safetensors_at(z->given, i)->name;
        bool known = false;
        for (size_t k = 0; k < z->n_params && !known; k++)
            known = jl_str_is(found, z->params[k]->name);
        if (!known && wanted(&c)) jl_buf_printf(&c.text, "'%.*s' is surplus", JL_FMT(found));
    }
    if (c.count)
        rc = jl_fail(err, JL_ERR_FORMAT,
                     "%s is not a state_dict of %s: %s (%zu such tensor%s in all)", path, name,
                     c.text.p ? c.text.p : "", c.count, c.count == 1 ? "" : "s");
    jl_buf_free(&c.text);
    return rc;
}

int zoo_graph_open(const char *name, const jl_zoo_options *options, zoo_graph **graph,
                   jl_error *err)
{
    const zoo_entry *entry = NULL;
    jl_zoo_options defaults = jl_zoo_defaults();
    if (!options) options = &defaults;
    *graph = NULL;
    int rc = jl_zoo_is_probe(name) ? 0 : find_entry(name, &entry, err);
    if (!rc) rc = check_options(name, options, err);
    if (rc) return rc;
    zoo_graph *z = calloc(1, sizeof *z);
    if (!z) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", name);
    rc = build(z, name, entry, options, err);
    if (!rc && options->weights_path) rc = take_all(z, name, options->weights_path, err);
    if (rc)
        zoo_graph_close(z);
    else
        *graph = z;
    return rc;
}

void zoo_graph_close(zoo_graph *z)
{
    if (!z) return;
    jl_safetensors_close(z->given);
    jl_arena_free(z->arena);
    free(z);
}
