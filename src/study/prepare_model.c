#include "study/prepare_model.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cpu.h"
#include "jouleline/convert.h"
#include "jouleline/cost.h"
#include "jouleline/model.h"
#include "jouleline/quantize.h"
#include "jouleline/zoo.h"
#include "runtime/inputs.h"
#include "study/tensors.h"
#include "study/wire.h"

static bool there(const char *path)
{
    return access(path, R_OK) == 0;
}

static const char *text_or(json_t *to, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static const char *text_or(json_t *to, const char *key, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_object_set_new(to, key, json_string(text));
    return jl_json_text(to, key, "");
}

/* A file of ours that cannot be written says nothing of the model: the study ends. */
static void note_disk(json_t *out, const jl_error *e)
{
    if (e->code == JL_ERR_IO) text_or(out, "disk", "%s", e->msg);
}

static int export_zoo(const jl_prepare_arg *a, json_t *out, jl_error *err)
{
    const jl_plan_model *m = a->model;
    int rc = 0;
    if (m->needs_onnx) {
        const char *path = text_or(out, "onnx", "%s/%s.onnx", a->cache, m->name);
        if (!there(path)) rc = jl_zoo_export(m->name, NULL, path, err);
    }
    if (!rc && m->needs_weights) {
        const char *path = text_or(out, "weights", "%s/%s.safetensors", a->cache, m->name);
        if (!there(path)) rc = jl_zoo_export_safetensors(m->name, NULL, path, err);
    }
    return rc;
}

/* Weights that the conversion clamped are told in every study; their number is kept beside the
 * file, for studies that find it made. */
static void note_clamped(json_t *out, const char *key, const char *path, const uint64_t *made)
{
    char beside[4200], note[160];
    unsigned long long n = made ? *made : 0;
    snprintf(beside, sizeof beside, "%s.clamped", path);
    FILE *f = made && !n ? NULL : fopen(beside, made ? "w" : "r");
    if (f && made)
        fprintf(f, "%llu\n", n);
    else if (f && fscanf(f, "%llu", &n) != 1)
        n = 0;
    if (f) fclose(f);
    if (!n) return;
    snprintf(
        note, sizeof note,
        "%llu weights are beyond the range of %s and were clamped to it, which changes what the "
        "model computes unless they only mask",
        n, key);
    json_array_append_new(json_object_get(out, "notes"), json_string(note));
}

static void convert(const jl_prepare_arg *a, json_t *out, const char *onnx, bool bf16)
{
    const char *key = bf16 ? "bf16" : "fp16", *reason = bf16 ? "bf16_reason" : "fp16_reason";
    const char *path =
        text_or(out, key, "%s/%s.%s.onnx", a->cache, jl_json_text(out, "uid", "model"), key);
    jl_convert_options o = {.to = bf16 ? JL_BFLOAT16 : JL_FLOAT16};
    jl_convert_summary summary;
    jl_error e = {0};
    bool made = there(path);
    if (made || jl_convert_precision(onnx, path, &o, &summary, &e) == 0) {
        note_clamped(out, key, path, made ? NULL : &summary.saturated);
        return;
    }
    json_object_del(out, key);
    note_disk(out, &e);
    text_or(out, reason, "converting to %s: %s", key, e.msg);
}

/* --- inputs --- */

static void add_notes(json_t *notes, const jl_inputs *inputs)
{
    for (size_t i = 0; i < inputs->note_count; i++) {
        json_t *note = json_string(inputs->notes[i]);
        bool known = false;
        for (size_t k = 0; k < json_array_size(notes); k++)
            known |= json_equal(json_array_get(notes, k), note) != 0;
        if (known || !note)
            json_decref(note);
        else
            json_array_append_new(notes, note);
    }
}

static void hash_inputs(const jl_inputs *inputs, char hex[33])
{
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < inputs->count; i++) {
        const jl_tensor *t = &inputs->tensors[i];
        XXH3_128bits_update(state, t->name, strlen(t->name) + 1);
        XXH3_128bits_update(state, t->dims, sizeof *t->dims * (size_t)t->rank);
        XXH3_128bits_update(state, t->data, t->size_bytes);
    }
    XXH128_hash_t h = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
}

static int make_inputs(const jl_prepare_arg *a, const jl_model *model, size_t b, json_t *out,
                       json_t *notes, jl_inputs *inputs, jl_error *err)
{
    int64_t batch = a->model->batches[b].batch;
    int rc =
        jl_plan_inputs(a->plan, a->model, model, batch, jl_plan_input_seed(a->plan), inputs, err);
    if (rc) return rc;
    if (!inputs->batched && batch != 1)
        return jl_fail(err, JL_ERR_USAGE,
                       "no dimension of the inputs follows the batch of %" PRId64
                       ": the shapes are fixed; measure it with --batch 1",
                       batch);
    char hex[33];
    hash_inputs(inputs, hex);
    text_or(out, "inputs_key", "%s", hex);
    const char *path = text_or(out, "inputs_path", "%s/inputs-%s.safetensors", a->scratch, hex);
    add_notes(notes, inputs);
    jl_error e = {0};
    if (there(path) || jl_tensors_write(path, inputs->tensors, inputs->count, &e) == 0) return 0;
    note_disk(out, &e);
    return jl_fail(err, e.code, "%s", e.msg);
}

/* --- INT8 --- */

enum { CALIBRATION_CALLS = 32 };

typedef struct sampling {
    const jl_plan *plan;
    const jl_plan_model *of;
    const jl_model *model;
    jl_inputs inputs;
} sampling;

static int sample(void *ctx, size_t i, jl_tensor *tensors, jl_error *err)
{
    sampling *s = ctx;
    jl_inputs_free(&s->inputs);
    s->inputs = (jl_inputs){0};
    int rc = jl_plan_inputs(s->plan, s->of, s->model, 1, JL_PLAN_SAMPLE_SEED + i, &s->inputs, err);
    if (!rc) memcpy(tensors, s->inputs.tensors, s->inputs.count * sizeof *tensors);
    return rc;
}

/* A graph without weights has nothing to quantise: a probe of that kind runs as it is. */
static bool has_weights(const jl_model *model)
{
    size_t n;
    const jl_op_count *ops = jl_model_ops(model, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(ops[i].op, "MatMul")) return true;
    return false;
}

static void quantize(const jl_prepare_arg *a, json_t *out, const char *onnx, const jl_model *model)
{
    if (a->model->probe && !has_weights(model)) {
        text_or(out, "int8", "%s", onnx);
        return;
    }
    bool reduce = !jl_cpu_has_vnni();
    sampling s = {.plan = a->plan, .of = a->model, .model = model};
    size_t inputs;
    jl_model_inputs(model, &inputs);
    const char *path = text_or(out, "int8", "%s/%s.int8%s.onnx", a->cache,
                               jl_json_text(out, "uid", "model"), reduce ? "r" : "");
    jl_samples samples = {.count = CALIBRATION_CALLS, .inputs = inputs, .get = sample, .ctx = &s};
    jl_quantize_options o = {
        .calibration = JL_CALIBRATE_MINMAX, .reduce_range = reduce, .scratch = a->scratch};
    jl_quantize_summary summary;
    jl_error e = {0};
    bool done = there(path) || jl_quantize(onnx, path, &samples, &o, &summary, &e) == 0;
    jl_inputs_free(&s.inputs);
    if (done) return;
    json_object_del(out, "int8");
    note_disk(out, &e);
    text_or(out, "int8_reason", "quantising to int8: %s", e.msg);
}

/* --- cost --- */

static const jl_dtype cost_types[JL_PLAN_PRECISIONS] = {
    [JL_PRECISION_FP16] = JL_FLOAT16,
    [JL_PRECISION_BF16] = JL_BFLOAT16,
    [JL_PRECISION_INT8] = JL_INT8,
};

static int cost_of(const jl_prepare_arg *a, const char *model_name, const jl_inputs *inputs,
                   int64_t batch, jl_dtype type, json_t *to, jl_error *err)
{
    jl_model *m;
    int rc = jl_model_open(model_name, &m, err);
    if (rc) return rc;
    if (a->model->probe && type == JL_INT8 && !has_weights(m)) type = JL_UNDEFINED;
    for (size_t i = 0; !rc && i < inputs->count; i++) {
        const jl_tensor *t = &inputs->tensors[i];
        JL_CLEANUP(jl_buf_free) jl_buf words = {0};
        jl_buf_printf(&words, "%s=", t->name);
        for (int k = 0; k < t->rank; k++)
            jl_buf_printf(&words, "%s%" PRId64, k ? "x" : "", t->dims[k]);
        if (t->rank) rc = jl_model_bind_shape(m, words.p, batch, err);
    }
    jl_cost *c = NULL;
    if (!rc) rc = jl_cost_new(m, &(jl_cost_options){.batch = batch, .precision = type}, &c, err);
    if (!rc && c->n_unknown == 0) {
        /* Probes are made so that nothing in them is fused. */
        int64_t moved =
            a->model->probe ? c->total.activation_bytes : c->total.fused_activation_bytes;
        int64_t bytes = c->total.weight_bytes + moved;
        json_object_set_new(to, "parameters", json_integer(c->total.parameters));
        json_array_append_new(json_object_get(to, "cost"),
                              json_pack("[I, I, I]", (json_int_t)c->total.flop, (json_int_t)bytes,
                                        (json_int_t)c->n_nodes));
    } else {
        json_array_append_new(json_object_get(to, "cost"), json_null());
    }
    jl_cost_free(c);
    jl_model_close(m);
    return rc;
}

static void add_costs(const jl_prepare_arg *a, const char *model_name, const jl_inputs *inputs,
                      int64_t batch, json_t *to)
{
    jl_error e = {0};
    json_object_set_new(to, "cost", json_array());
    for (size_t p = 0; p < JL_PLAN_PRECISIONS; p++)
        if (cost_of(a, model_name, inputs, batch, cost_types[p], to, &e) &&
            json_array_size(json_object_get(to, "cost")) <= p)
            json_array_append_new(json_object_get(to, "cost"), json_null());
}

/* --- one model, in the child --- */

static int describe(const jl_prepare_arg *a, json_t *out, jl_error *err)
{
    const jl_plan_model *m = a->model;
    jl_model *model = NULL;
    jl_error e = {0};
    if (m->zoo && export_zoo(a, out, &e)) {
        note_disk(out, &e);
        return e.code == JL_ERR_IO ? 0 : jl_fail(err, e.code, "%s", e.msg);
    }
    int rc = 0;
    const char *onnx = m->zoo ? jl_json_text(out, "onnx", NULL) : m->onnx;
    const char *opened = onnx ? onnx : m->zoo ? m->name : NULL;
    if (!rc && opened) rc = jl_model_open(opened, &model, err);
    char hex[33] = "";
    if (!rc && model) rc = jl_model_hash(model, hex, err);
    if (!rc && model) {
        text_or(out, "uid", "%s", hex);
        json_object_set_new(out, "opset", json_integer(jl_model_opset(model)));
        json_object_set_new(out, "bytes", json_integer(jl_model_file_bytes(model)));
    } else if (!rc) {
        struct stat st;
        if (stat(m->torch, &st) != 0) rc = jl_fail_errno(err, JL_ERR_IO, "%s", m->torch);
        text_or(out, "uid", "torch-%s-%lld-%lld", m->name, (long long)st.st_size,
                (long long)st.st_mtime);
    }
    json_t *batches = json_array(), *notes = json_array();
    json_object_set_new(out, "batches", batches);
    json_object_set_new(out, "notes", notes);
    for (size_t b = 0; !rc && b < m->batch_count; b++) {
        json_t *entry = json_object();
        json_array_append_new(batches, entry);
        jl_inputs inputs = {0};
        if (make_inputs(a, model, b, entry, notes, &inputs, &e))
            text_or(entry, "reason", "%s", e.msg);
        else if (opened)
            add_costs(a, opened, &inputs, m->batches[b].batch, entry);
        jl_inputs_free(&inputs);
    }
    jl_dtype arithmetic = !rc && model ? jl_model_arithmetic(model) : JL_FLOAT;
    bool floats = !rc && onnx && arithmetic == JL_FLOAT; /* else it runs as it is, or not at all */
    json_object_set_new(out, "arithmetic", json_integer(arithmetic));
    if (floats && m->needs_int8) quantize(a, out, onnx, model);
    jl_model_close(model);
    if (floats && m->needs_fp16) convert(a, out, onnx, false);
    if (floats && m->needs_bf16) convert(a, out, onnx, true);
    return rc;
}

int jl_prepare_model(void *arg, jl_buf *out, jl_error *err)
{
    json_t *j = json_object();
    int rc = describe(arg, j, err);
    char *text = rc ? NULL : json_dumps(j, JSON_COMPACT);
    if (!rc && !text) rc = jl_fail(err, JL_ERR_FORMAT, "the model's names are not valid UTF-8");
    if (text) jl_buf_puts(out, text);
    free(text);
    json_decref(j);
    return rc;
}
