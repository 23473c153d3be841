#include "convert/edit.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while editing the model");
}

static bool note_names(jl_edit *e, const onnx_graph *graph)
{
    bool ok = true;
    for (size_t i = 0; i < graph->inputs.n; i++)
        ok &= jl_map_set(&e->names, graph->inputs.p[i].name, 0);
    for (size_t i = 0; i < graph->initializers.n; i++)
        ok &= jl_map_set(&e->names, graph->initializers.p[i].name, 0);
    for (size_t i = 0; i < graph->nodes.n; i++) {
        const onnx_node *node = &graph->nodes.p[i];
        for (size_t k = 0; k < node->outputs.n; k++)
            ok &= jl_map_set(&e->names, node->outputs.p[k], 0);
        for (size_t k = 0; k < node->attributes.n; k++) {
            const onnx_attribute *a = &node->attributes.p[k];
            if (a->g) ok &= note_names(e, a->g);
            for (size_t j = 0; j < a->graphs.n; j++)
                ok &= note_names(e, a->graphs.p[j]);
        }
    }
    return ok;
}

static int make_raw(jl_edit *e, onnx_tensor *t, jl_error *err)
{
    if (t->data_type == JL_STRING) return 0;
    jl_str bytes;
    int rc = onnx_tensor_bytes(e->file, t, &bytes, err);
    if (rc) return rc;
    t->raw_data = bytes.p ? bytes : JL_STR("");
    t->has_raw_data = true;
    t->float_data = t->double_data = (jl_str){0};
    t->int32_data.n = t->int64_data.n = t->uint64_data.n = t->external_data.n = 0;
    t->data_location = ONNX_DATA_DEFAULT;
    return 0;
}

/* Weights that older files also list among the inputs (overridable, before IR version 4 by
 * necessity) become constants: their type is about to change under whoever would override them. */
static void drop_default_inputs(jl_edit *e)
{
    onnx_graph *g = e->graph;
    size_t kept = 0;
    for (size_t i = 0; i < g->inputs.n; i++)
        if (jl_map_get(&e->initializers, g->inputs.p[i].name) == JL_MAP_NONE)
            g->inputs.p[kept++] = g->inputs.p[i];
    g->inputs.n = kept;
    if (e->file->model->ir_version < 4) e->file->model->ir_version = 4;
}

int jl_edit_begin(jl_edit *e, onnx_file *file, jl_error *err)
{
    *e = (jl_edit){.file = file, .graph = file->model->graph, .arena = file->arena};
    if (!e->graph) return jl_fail(err, JL_ERR_FORMAT, "%s has no graph", file->path);
    onnx_graph *g = e->graph;
    e->capacity = g->initializers.n;
    e->recipes = jl_arena_array(e->arena, e->capacity ? e->capacity : 1, sizeof *e->recipes);
    if (!e->recipes) return no_memory(err);
    int rc = note_names(e, g) ? 0 : no_memory(err);
    for (size_t i = 0; !rc && i < g->initializers.n; i++) {
        if (!jl_map_set(&e->initializers, g->initializers.p[i].name, (uint32_t)i))
            rc = no_memory(err);
        else
            rc = make_raw(e, &g->initializers.p[i], err);
    }
    if (rc)
        jl_edit_end(e);
    else
        drop_default_inputs(e);
    return rc;
}

void jl_edit_end(jl_edit *e)
{
    jl_map_free(&e->names);
    jl_map_free(&e->initializers);
}

jl_str jl_edit_unique(jl_edit *e, jl_str base, const char *suffix)
{
    char *s = jl_arena_printf(e->arena, "%.*s%s", JL_FMT(base), suffix);
    while (s && jl_map_get(&e->names, jl_str_c(s)) != JL_MAP_NONE)
        s = jl_arena_printf(e->arena, "%.*s%s_%u", JL_FMT(base), suffix, ++e->last_name);
    if (!s || !jl_map_set(&e->names, jl_str_c(s), 0)) return (jl_str){0};
    return jl_str_c(s);
}

static int64_t append_initializer(jl_edit *e, const onnx_tensor *t, jl_recipe recipe, jl_error *err)
{
    onnx_graph *g = e->graph;
    if (g->initializers.n >= e->capacity) {
        size_t capacity = e->capacity < 32 ? 64 : e->capacity * 2;
        onnx_tensor *tensors = jl_arena_array(e->arena, capacity, sizeof *tensors);
        jl_recipe *recipes = jl_arena_array(e->arena, capacity, sizeof *recipes);
        if (!tensors || !recipes) return no_memory(err);
        if (g->initializers.n) {
            memcpy(tensors, g->initializers.p, g->initializers.n * sizeof *tensors);
            memcpy(recipes, e->recipes, g->initializers.n * sizeof *recipes);
        }
        g->initializers.p = tensors;
        e->recipes = recipes;
        e->capacity = capacity;
    }
    size_t i = g->initializers.n++;
    g->initializers.p[i] = *t;
    e->recipes[i] = recipe;
    if (!t->name.p || !jl_map_set(&e->initializers, t->name, (uint32_t)i)) return no_memory(err);
    return (int64_t)i;
}

int64_t jl_edit_add_initializer(jl_edit *e, jl_str name, jl_dtype type, const int64_t *dims,
                                size_t rank, const void *bytes, size_t n, jl_error *err)
{
    onnx_tensor t = {.data_type = (int32_t)type, .name = name, .has_raw_data = true};
    t.dims.p = jl_arena_array(e->arena, rank ? rank : 1, sizeof *t.dims.p);
    char *copy = jl_arena_alloc(e->arena, n);
    if (!t.dims.p || !copy) return no_memory(err);
    if (rank) memcpy(t.dims.p, dims, rank * sizeof *dims);
    if (n) memcpy(copy, bytes, n);
    t.dims.n = rank;
    t.raw_data = (jl_str){copy, n};
    return append_initializer(e, &t, (jl_recipe){0}, err);
}

int64_t jl_edit_copy_initializer(jl_edit *e, size_t i, jl_str name, jl_error *err)
{
    onnx_tensor t = e->graph->initializers.p[i];
    t.name = name;
    return append_initializer(e, &t, e->recipes[i], err);
}

int jl_edit_retype(jl_edit *e, size_t i, jl_dtype to, jl_error *err)
{
    onnx_tensor *t = &e->graph->initializers.p[i];
    jl_recipe *r = &e->recipes[i];
    if (!r->floats.p) {
        if (t->data_type != JL_FLOAT)
            return jl_fail(err, JL_ERR_UNSUPPORTED, "initialiser %.*s is %s, not float",
                           JL_FMT(t->name), jl_dtype_name((jl_dtype)t->data_type));
        r->floats = t->raw_data;
    }
    r->to = to;
    t->data_type = (int32_t)to;
    t->raw_data = (jl_str){NULL, r->floats.n / 4 * (jl_dtype_bits(to) / 8)};
    return 0;
}

/* FP32 elements [first, first + n) of a recipe, scale applied. */
static void recipe_floats(const jl_recipe *r, uint64_t first, float *to, size_t n)
{
    memcpy(to, r->floats.p + first * 4, n * 4);
    if (!r->scale) return;
    for (size_t i = 0; i < n;) {
        uint64_t block = (first + i) / r->inner, left = (block + 1) * r->inner - (first + i);
        size_t end = left < n - i ? i + (size_t)left : n;
        float s = r->scale[block];
        for (; i < end; i++)
            to[i] *= s;
    }
}

/* Where the FP32 elements of an initialiser are; floats.p NULL: it is none. */
static jl_recipe floats_of(const jl_edit *e, jl_str name)
{
    uint32_t i = jl_map_get(&e->initializers, name);
    if (i == JL_MAP_NONE) return (jl_recipe){0};
    const onnx_tensor *t = &e->graph->initializers.p[i];
    jl_recipe r = e->recipes[i];
    if (!r.floats.p && t->data_type == JL_FLOAT) r.floats = t->raw_data;
    return r;
}

float *jl_edit_floats(jl_edit *e, jl_str name, size_t *n)
{
    jl_recipe r = floats_of(e, name);
    if (!r.floats.p) return NULL;
    *n = r.floats.n / 4;
    float *floats = jl_arena_array(e->arena, *n, sizeof *floats);
    if (floats && *n) recipe_floats(&r, 0, floats, *n);
    return floats;
}

float jl_edit_most(jl_edit *e, size_t i)
{
    enum { CHUNK = 4096 };
    float x[CHUNK];
    jl_recipe *kept = &e->recipes[i], r = *kept;
    if (kept->most > 0) return kept->most;
    if (!r.floats.p) {
        if (e->graph->initializers.p[i].data_type != JL_FLOAT) return 0;
        r.floats = e->graph->initializers.p[i].raw_data;
    }
    for (size_t first = 0, n = r.floats.n / 4; first < n; first += CHUNK) {
        size_t part = n - first < CHUNK ? n - first : CHUNK;
        recipe_floats(&r, first, x, part);
        for (size_t k = 0; k < part; k++) {
            float magnitude = fabsf(x[k]);
            if (magnitude > kept->most && magnitude <= FLT_MAX) kept->most = magnitude;
        }
    }
    return kept->most;
}

bool jl_edit_floats_into(jl_edit *e, jl_str name, float **to, size_t *capacity, size_t *n)
{
    jl_recipe r = floats_of(e, name);
    if (!r.floats.p) return false;
    *n = r.floats.n / 4;
    if (*n > *capacity) {
        float *larger = realloc(*to, *n * sizeof *larger);
        if (!larger) return false;
        *to = larger;
        *capacity = *n;
    }
    if (*n) recipe_floats(&r, 0, *to, *n);
    return true;
}

int jl_edit_node(jl_edit *e, onnx_node *node, const char *op_type, jl_str name,
                 const jl_str *inputs, size_t input_count, jl_str output, jl_error *err)
{
    *node = (onnx_node){.name = name, .op_type = jl_str_c(op_type)};
    node->inputs.p = jl_arena_array(e->arena, input_count, sizeof *inputs);
    node->outputs.p = jl_arena_alloc(e->arena, sizeof output);
    if (!node->inputs.p || !node->outputs.p || !output.p) return no_memory(err);
    memcpy(node->inputs.p, inputs, input_count * sizeof *inputs);
    node->inputs.n = input_count;
    node->outputs.p[0] = output;
    node->outputs.n = 1;
    return 0;
}

int jl_edit_set_int(jl_edit *e, onnx_node *node, const char *attribute, int64_t value,
                    jl_error *err)
{
    size_t n = node->attributes.n;
    onnx_attribute *list = jl_arena_array(e->arena, n + 1, sizeof *list);
    if (!list) return no_memory(err);
    if (n) memcpy(list, node->attributes.p, n * sizeof *list);
    node->attributes.p = list;
    for (size_t i = 0; i < n; i++)
        if (jl_str_is(list[i].name, attribute)) {
            list[i].i = value;
            return 0;
        }
    list[n] = (onnx_attribute){.name = jl_str_c(attribute), .i = value, .type = ONNX_ATTR_INT};
    node->attributes.n = n + 1;
    return 0;
}

uint64_t jl_convert_floats(void *to, jl_dtype type, const float *from, size_t n)
{
    uint16_t *half = to;
    if (type == JL_FLOAT16) {
        size_t saturated = jl_half_from_floats(half, from, n);
        for (size_t i = 0; saturated && i < n; i++)
            if ((half[i] & 0x7FFFu) == 0x7C00u && isfinite(from[i]))
                half[i] = (uint16_t)((half[i] & 0x8000u) | 0x7BFFu);
        return saturated;
    }
    uint64_t saturated = 0;
    for (size_t i = 0; i < n; i++) {
        half[i] = jl_bf16_from_float(from[i]);
        if ((half[i] & 0x7FFFu) == 0x7F80u && isfinite(from[i])) {
            half[i] = (uint16_t)((half[i] & 0x8000u) | 0x7F7Fu);
            saturated++;
        }
    }
    return saturated;
}

static int fill(void *ctx, const onnx_tensor *t, uint64_t offset, void *to, size_t n, jl_error *err)
{
    enum { CHUNK = 8192 };
    jl_edit *e = ctx;
    const jl_recipe *r = &e->recipes[t - e->graph->initializers.p];
    size_t width = jl_dtype_bits(r->to) / 8;
    if (offset % width || n % width)
        return jl_fail(err, JL_ERR, "initialiser %.*s asked for in broken elements",
                       JL_FMT(t->name));
    float floats[CHUNK];
    uint16_t halves[CHUNK];
    for (size_t done = 0, total = n / width; done < total;) {
        size_t part = total - done < CHUNK ? total - done : CHUNK;
        recipe_floats(r, offset / width + done, floats, part);
        if (r->to != JL_FLOAT) e->saturated += jl_convert_floats(halves, r->to, floats, part);
        memcpy((char *)to + done * width, r->to == JL_FLOAT ? (void *)floats : halves,
               part * width);
        done += part;
    }
    return 0;
}

int jl_edit_save(jl_edit *e, const char *path, jl_error *err)
{
    e->saturated = 0;
    onnx_payload_source source = {.fill = fill, .ctx = e};
    return onnx_save(e->file->model, path, &source, err);
}

/* Writes the bytes of initialiser i at `offset` of a file, and makes `moved` refer to them. */
static int move_out(jl_edit *e, size_t i, jl_outfile *file, jl_str location, uint64_t *offset,
                    onnx_tensor *moved, jl_error *err)
{
    enum { CHUNK = 1 << 15, ALIGNMENT = 64 };
    const onnx_tensor *t = &e->graph->initializers.p[i];
    char bytes[CHUNK] = {0};
    size_t n = t->raw_data.n, gap = (ALIGNMENT - *offset % ALIGNMENT) % ALIGNMENT;
    int rc = jl_outfile_write(file, bytes, gap, err);
    if (!rc && t->raw_data.p) rc = jl_outfile_write(file, t->raw_data.p, n, err);
    for (size_t done = 0; !rc && !t->raw_data.p && done < n; done += CHUNK) {
        size_t part = n - done < CHUNK ? n - done : CHUNK;
        rc = fill(e, t, done, bytes, part, err);
        if (!rc) rc = jl_outfile_write(file, bytes, part, err);
    }
    if (rc) return rc;
    onnx_entry *entries = jl_arena_array(e->arena, 3, sizeof *entries);
    char *at = jl_arena_printf(e->arena, "%" PRIu64, *offset += gap);
    char *length = jl_arena_printf(e->arena, "%zu", n);
    if (!entries || !at || !length) return no_memory(err);
    entries[0] = (onnx_entry){.key = JL_STR("location"), .value = location};
    entries[1] = (onnx_entry){.key = JL_STR("offset"), .value = jl_str_c(at)};
    entries[2] = (onnx_entry){.key = JL_STR("length"), .value = jl_str_c(length)};
    *offset += n;
    moved->raw_data = (jl_str){0};
    moved->has_raw_data = false;
    moved->external_data.p = entries;
    moved->external_data.n = 3;
    moved->data_location = ONNX_DATA_EXTERNAL;
    return 0;
}

int jl_edit_save_split(jl_edit *e, const char *path, const char *data, jl_error *err)
{
    enum { SMALL = 1024 };
    onnx_graph *g = e->graph;
    onnx_tensor *whole = g->initializers.p;
    size_t n = g->initializers.n;
    const char *slash = strrchr(data, '/');
    jl_str location = jl_str_c(slash ? slash + 1 : data);
    uint64_t offset = 0;
    jl_outfile file;
    onnx_tensor *parts = jl_arena_array(e->arena, n + 1, sizeof *parts);
    if (!parts) return no_memory(err);
    if (n) memcpy(parts, whole, n * sizeof *parts);
    int rc = jl_outfile_open(&file, data, err);
    if (rc) return rc;
    for (size_t i = 0; !rc && i < n; i++)
        if (whole[i].has_raw_data && whole[i].raw_data.n >= SMALL)
            rc = move_out(e, i, &file, location, &offset, &parts[i], err);
    rc = jl_outfile_close(&file, rc, err);
    g->initializers.p = parts;
    if (!rc) rc = jl_edit_save(e, path, err);
    g->initializers.p = whole;
    return rc;
}
