#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/map.h"

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while opening the model");
}

/* Ports --------------------------------------------------------------------------------------- */

static jl_port_kind port_kind(uint8_t kind)
{
    switch ((jl_kind)kind) {
    case JL_KIND_TENSOR:
        return JL_PORT_TENSOR;
    case JL_KIND_SEQUENCE:
        return JL_PORT_SEQUENCE;
    case JL_KIND_OPTIONAL:
        return JL_PORT_OPTIONAL;
    default:
        return JL_PORT_OTHER;
    }
}

static const char *symbol_of(const jl_model *m, const char *text)
{
    for (size_t i = 0; i < m->n_symbols; i++)
        if (!strcmp(m->symbols[i], text)) return m->symbols[i];
    return NULL;
}

static int make_size(jl_model *m, jl_dim dim, jl_size *size, jl_error *err)
{
    jl_buf text = {0};
    jl_dim_print(m->shapes->dims, dim, &text);
    size->value = jl_dim_is_k(dim) ? dim.k : -1;
    size->text = text.p ? jl_arena_strndup(m->arena, text.p, text.n) : NULL;
    jl_buf_free(&text);
    if (!size->text) return no_memory(err);
    size->symbol = jl_dim_is_k(dim) ? NULL : symbol_of(m, size->text);
    return 0;
}

static int make_port(jl_model *m, uint32_t value, jl_port *port, jl_error *err)
{
    const jl_info *v = &m->shapes->values[value];
    const jl_graph_value *named = &m->graph->values[value];
    *port = (jl_port){.name = jl_arena_strndup(m->arena, named->name.p, named->name.n),
                      .kind = port_kind(v->kind),
                      .dtype = (jl_dtype)v->dtype,
                      .rank = v->rank,
                      .has_default = named->initializer || named->sparse};
    jl_size *sizes = v->rank > 0 ? jl_arena_array(m->arena, (size_t)v->rank, sizeof *sizes) : NULL;
    if (!port->name || (v->rank > 0 && !sizes)) return no_memory(err);
    int rc = 0;
    for (int i = 0; i < v->rank && !rc; i++)
        rc = make_size(m, v->dims[i], &sizes[i], err);
    port->sizes = sizes;
    return rc;
}

static int make_ports(jl_model *m, jl_error *err)
{
    const jl_scope *main = &m->graph->scopes[0];
    m->inputs = jl_arena_array(m->arena, main->n_inputs, sizeof *m->inputs);
    m->outputs = jl_arena_array(m->arena, main->n_outputs, sizeof *m->outputs);
    m->input_values = jl_arena_array(m->arena, main->n_inputs, sizeof *m->input_values);
    if (!m->inputs || !m->outputs || !m->input_values) return no_memory(err);
    int rc = 0;
    for (uint32_t i = 0; i < main->n_inputs && !rc; i++) {
        const jl_graph_value *v = &m->graph->values[main->inputs[i]];
        /* old files list every weight among the inputs */
        if (v->initializer || v->sparse) continue;
        m->input_values[m->n_inputs] = main->inputs[i];
        rc = make_port(m, main->inputs[i], &m->inputs[m->n_inputs++], err);
    }
    for (uint32_t i = 0; i < main->n_outputs && !rc; i++)
        rc = make_port(m, main->outputs[i], &m->outputs[m->n_outputs++], err);
    return rc;
}

static int make_symbols(jl_model *m, jl_error *err)
{
    size_t n;
    const jl_str *names = jl_dims_symbols(m->shapes->dims, &n);
    m->symbols = jl_arena_array(m->arena, n, sizeof *m->symbols);
    m->bound = jl_arena_array(m->arena, n, sizeof *m->bound);
    if (!m->symbols || !m->bound) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (!(m->symbols[i] = jl_arena_strndup(m->arena, names[i].p, names[i].n)))
            return no_memory(err);
        m->bound[i] = -1;
    }
    m->n_symbols = n;
    return 0;
}

static int by_count(const void *a, const void *b)
{
    const jl_op_count *x = a, *y = b;
    if (x->nodes != y->nodes) return x->nodes < y->nodes ? 1 : -1;
    return strcmp(x->op, y->op);
}

static int count_ops(jl_model *m, jl_error *err)
{
    jl_map index = {0};
    m->ops = jl_arena_array(m->arena, m->graph->n_nodes, sizeof *m->ops);
    int rc = m->ops ? 0 : no_memory(err);
    for (uint32_t i = 0; i < m->graph->n_nodes && !rc; i++) {
        jl_str op = m->graph->nodes[i].onnx->op_type;
        uint32_t at = jl_map_get(&index, op);
        if (at == JL_MAP_NONE) {
            at = (uint32_t)m->n_ops++;
            m->ops[at].op = jl_arena_strndup(m->arena, op.p ? op.p : "", op.n);
            if (!m->ops[at].op || !jl_map_set(&index, op, at)) rc = no_memory(err);
        }
        m->ops[at].nodes++;
    }
    jl_map_free(&index);
    if (!rc && m->n_ops) qsort(m->ops, m->n_ops, sizeof *m->ops, by_count);
    return rc;
}

/* Opening ------------------------------------------------------------------------------------- */

static const char *file_name(jl_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    return jl_arena_strndup(arena, base, jl_stem_bytes(base, ".onnx"));
}

static int open_source(jl_model *m, const char *name, jl_error *err)
{
    const jl_zoo_model *known;
    bool file = jl_names_onnx_file(name) ||
                (access(name, F_OK) == 0 && jl_zoo_find(name, &known, NULL) != 0);
    int rc = file ? onnx_open(name, &m->file, err) : zoo_graph_open(name, NULL, &m->zoo, err);
    if (rc) return rc;
    m->onnx = file ? m->file->model : m->zoo->model;
    m->zoo_entry = file ? NULL : m->zoo->about;
    m->name = file ? file_name(m->arena, name) : m->zoo_entry->name;
    m->producer =
        jl_arena_printf(m->arena, "%.*s%s%.*s", JL_FMT(m->onnx->producer_name),
                        m->onnx->producer_version.n ? " " : "", JL_FMT(m->onnx->producer_version));
    return m->name && m->producer ? 0 : no_memory(err);
}

int jl_model_open(const char *name_or_path, jl_model **model, jl_error *err)
{
    *model = NULL;
    jl_arena *arena = jl_arena_new();
    jl_model *m = arena ? jl_arena_alloc(arena, sizeof *m) : NULL;
    if (!m) {
        jl_arena_free(arena);
        return no_memory(err);
    }
    m->arena = arena;
    int rc = open_source(m, name_or_path, err);
    bool opened = !rc;
    if (!rc) rc = jl_graph_new(m->onnx, arena, &m->graph, err);
    for (uint32_t i = 0; !rc && m->file && i < m->graph->n_values; i++)
        if (m->graph->values[i].initializer)
            rc = onnx_check_external(m->file, m->graph->values[i].initializer, err);
    if (!rc) rc = jl_shapes_new(m->graph, m->file, arena, NULL, &m->shapes, err);
    if (!rc) rc = make_symbols(m, err);
    if (!rc) rc = make_ports(m, err);
    if (!rc) rc = count_ops(m, err);
    if (rc) {
        if (opened) jl_prefix(err, "%s", name_or_path);
        jl_model_close(m);
        return rc;
    }
    *model = m;
    return 0;
}

void jl_model_close(jl_model *m)
{
    if (!m) return;
    jl_shapes_free(m->shapes);
    onnx_close(m->file);
    zoo_graph_close(m->zoo);
    jl_arena_free(m->arena);
}

const jl_port *jl_model_inputs(const jl_model *m, size_t *n)
{
    *n = m->n_inputs;
    return m->inputs;
}

const jl_port *jl_model_outputs(const jl_model *m, size_t *n)
{
    *n = m->n_outputs;
    return m->outputs;
}

const char *jl_model_family(const jl_model *m)
{
    return m->zoo_entry ? m->zoo_entry->family : NULL;
}

const char *jl_model_producer(const jl_model *m)
{
    return m->producer;
}

int64_t jl_model_opset(const jl_model *m)
{
    return onnx_opset_version(m->onnx, "");
}

int64_t jl_model_file_bytes(const jl_model *m)
{
    return m->file ? (int64_t)m->file->mapping_bytes : 0;
}

size_t jl_model_nodes(const jl_model *m)
{
    return m->graph->n_nodes;
}

jl_dtype jl_model_arithmetic(const jl_model *m)
{
    static const char *const quantised[] = {"DequantizeLinear", "QLinearConv", "QLinearMatMul",
                                            "ConvInteger", "MatMulInteger"};
    for (size_t i = 0; i < m->n_ops; i++)
        for (size_t k = 0; k < sizeof quantised / sizeof *quantised; k++)
            if (!strcmp(m->ops[i].op, quantised[k])) return JL_INT8;
    for (uint32_t i = 0; i < m->graph->n_values; i++) {
        const onnx_tensor *t = m->graph->values[i].initializer;
        if (t && (t->data_type == JL_FLOAT16 || t->data_type == JL_BFLOAT16))
            return (jl_dtype)t->data_type;
    }
    return JL_FLOAT;
}

const jl_op_count *jl_model_ops(const jl_model *m, size_t *n)
{
    *n = m->n_ops;
    return m->ops;
}

/* Hash ---------------------------------------------------------------------------------------- */

static int hash_external(jl_model *m, XXH3_state_t *state, jl_error *err)
{
    for (uint32_t i = 0; i < m->graph->n_values; i++) {
        const onnx_tensor *t = m->graph->values[i].initializer;
        jl_str bytes;
        if (!t || t->data_location != ONNX_DATA_EXTERNAL) continue;
        int rc = onnx_tensor_bytes(m->file, t, &bytes, err);
        if (rc) return rc;
        XXH3_128bits_update(state, bytes.p, bytes.n);
    }
    return 0;
}

static int hash_piece(void *ctx, const void *bytes, size_t n, jl_error *err)
{
    (void)err;
    XXH3_128bits_update(ctx, bytes, n);
    return 0;
}

int jl_model_hash(jl_model *m, char hex[33], jl_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) return no_memory(err);
    XXH3_128bits_reset(state);
    int rc;
    if (m->file) {
        XXH3_128bits_update(state, m->file->mapping, m->file->mapping_bytes);
        rc = hash_external(m, state, err);
    } else {
        rc = onnx_encode_to(m->onnx, &m->zoo->weights, hash_piece, state, err);
    }
    XXH128_hash_t h = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
    return rc;
}

/* Free dimensions ----------------------------------------------------------------------------- */

const char *const *jl_model_symbols(const jl_model *m, size_t *n)
{
    *n = m->n_symbols;
    return m->symbols;
}

static bool names_batch(const char *symbol)
{
    static const char *const exact[] = {"N", "B", "bs", "n", "b"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (!strcmp(symbol, exact[i])) return true;
    return strcasestr(symbol, "batch") != NULL;
}

const char *jl_model_batch_symbol(const jl_model *m)
{
    for (size_t i = 0; i < m->n_inputs; i++)
        if (m->inputs[i].rank > 0 && m->inputs[i].sizes[0].symbol &&
            names_batch(m->inputs[i].sizes[0].symbol))
            return m->inputs[i].sizes[0].symbol;
    for (size_t i = 0; i < m->n_symbols; i++)
        if (names_batch(m->symbols[i])) return m->symbols[i];
    bool first = m->n_inputs && m->inputs[0].rank > 0;
    return first ? m->inputs[0].sizes[0].symbol : NULL;
}

int jl_model_bind(jl_model *m, const char *symbol, int64_t value, jl_error *err)
{
    for (size_t i = 0; i < m->n_symbols; i++) {
        if (strcmp(m->symbols[i], symbol) != 0) continue;
        if (value < 0)
            return jl_fail(err, JL_ERR_USAGE, "dimension '%s' cannot be %lld", symbol,
                           (long long)value);
        m->bound[i] = value;
        jl_dims_bind(m->shapes->dims, jl_str_c(symbol), value);
        return 0;
    }
    const char *near = jl_nearest(symbol, m->symbols, m->n_symbols);
    return jl_fail(err, JL_ERR_MISSING, "%s has no free dimension '%s'%s%s%s", m->name, symbol,
                   near ? "; is it '" : "", near ? near : "", near ? "'?" : "");
}

/* One size of --shape against the declared one. */
static int bind_size(jl_model *m, const jl_port *port, int axis, const char *word, int64_t batch,
                     jl_error *err)
{
    const jl_size *size = &port->sizes[axis];
    char *end = NULL;
    bool is_batch = !strcmp(word, "B");
    long long value = is_batch ? batch : strtoll(word, &end, 10);
    if (!is_batch && (end == word || *end || value < 0))
        return jl_fail(err, JL_ERR_USAGE,
                       "'%s' in the shape of '%s' is not a size (a number, or B)", word,
                       port->name);
    if (size->symbol) return jl_model_bind(m, size->symbol, value, err);
    if (size->value >= 0 && size->value != value)
        return jl_fail(err, JL_ERR_USAGE, "axis %d of '%s' is %lld in the model, not %lld", axis,
                       port->name, (long long)size->value, value);
    return 0;
}

int jl_model_bind_shape(jl_model *m, const char *words, int64_t batch, jl_error *err)
{
    const char *equals = strchr(words, '=');
    if (!equals)
        return jl_fail(err, JL_ERR_USAGE, "'%s' is not INPUT=SIZExSIZE..., as in input=Bx3x224x224",
                       words);
    const jl_port *port = NULL;
    for (size_t i = 0; i < m->n_inputs; i++)
        if (jl_str_is((jl_str){words, (size_t)(equals - words)}, m->inputs[i].name))
            port = &m->inputs[i];
    if (!port)
        return jl_fail(err, JL_ERR_MISSING, "%s has no input '%.*s'", m->name,
                       (int)(equals - words), words);
    int axis = 0;
    const char *at = equals + 1;
    for (; *at && axis < port->rank; axis++) {
        char word[24];
        size_t n = strcspn(at, "x");
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word), at);
        int rc = bind_size(m, port, axis, word, batch, err);
        if (rc) return rc;
        at += n + (at[n] == 'x');
    }
    if (*at || axis != port->rank)
        return jl_fail(err, JL_ERR_USAGE, "'%s': input '%s' has %d axes", words, port->name,
                       port->rank);
    return 0;
}

/* Bounds -------------------------------------------------------------------------------------- */

/* Nodes whose output holds the values of input 0, or of one of several inputs, as they were. */
static bool passes_values_on(const onnx_node *n)
{
    static const char *const names[] = {"Identity", "Cast",    "Reshape", "Squeeze", "Unsqueeze",
                                        "Flatten",  "Slice",   "Concat",  "Expand",  "Transpose",
                                        "Tile",     "Dropout", "Gather"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (jl_str_is(n->op_type, names[i])) return true;
    return false;
}

static bool gather_rows(const jl_model *m, const jl_node *n, int64_t *rows)
{
    const jl_info *table = &m->shapes->values[n->inputs[0]];
    int64_t axis = onnx_attribute_i(n->onnx, "axis", 0);
    if (axis < 0) axis += table->rank;
    if (axis < 0 || axis >= table->rank || !jl_dim_is_k(table->dims[axis])) return false;
    *rows = table->dims[axis].k;
    return true;
}

bool jl_model_input_bound(const jl_model *m, size_t input, jl_input_bound *bound)
{
    const jl_graph *g = m->graph;
    bool *seen = calloc(g->n_values, sizeof *seen);
    uint32_t *queue = calloc(g->n_values, sizeof *queue), head = 0, tail = 0;
    *bound = (jl_input_bound){.rows = INT64_MAX};
    if (seen && queue && input < m->n_inputs) {
        queue[tail++] = m->input_values[input];
        seen[m->input_values[input]] = true;
    }
    while (head < tail) {
        const jl_graph_value *v = &g->values[queue[head++]];
        for (uint32_t u = 0; u < v->n_uses; u++) {
            const jl_use use = g->uses[v->first_use + u];
            const jl_node *n = &g->nodes[use.node];
            char label[JL_LABEL];
            int64_t rows;
            if (jl_str_is(n->onnx->op_type, "Gather") && use.input == 1) {
                if (gather_rows(m, n, &rows) && rows < bound->rows) {
                    bound->rows = rows;
                    bound->node =
                        jl_arena_printf(m->arena, "%s", jl_node_label(g, use.node, label));
                }
                continue;
            }
            bool first = use.input == 0 || jl_str_is(n->onnx->op_type, "Concat");
            uint32_t out = n->n_outputs ? n->outputs[0] : JL_NONE;
            if (!first || !passes_values_on(n->onnx) || out == JL_NONE || seen[out]) continue;
            seen[out] = true;
            queue[tail++] = out;
        }
    }
    free(seen);
    free(queue);
    return bound->node != NULL;
}
