/* What runs need on disk: each model is handled in a helper child, so that a file that crashes a
 * parser ends as that model's reason. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/paths.h"
#include "study/converter.h"
#include "study/prepare_model.h"
#include "study/wire.h"

static const int64_t CHILD_NS = 1800 * INT64_C(1000000000);
enum { ANSWER_BYTES = 8 << 20 };

/* A folder of the cache that changes with the program, which decides the bytes of an export. */
static int cache_folder(jl_path *to, jl_error *err)
{
    jl_path base;
    struct stat st;
    int rc = jl_path_cache_dir(&base, err);
    if (rc) return rc;
    if (stat("/proc/self/exe", &st) != 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot look at this program's own file");
    int64_t key[] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
    int n = snprintf(to->s, sizeof to->s, "%s/models-%08x", base.s,
                     (unsigned)XXH3_64bits(key, sizeof key));
    if (n < 0 || (size_t)n >= sizeof to->s)
        return jl_fail(err, JL_ERR_LIMIT, "the path of the cache is too long");
    return jl_make_dirs(to->s, err);
}

static const char *keep(const jl_plan *p, const json_t *from, const char *key)
{
    const char *text = jl_json_text(from, key, NULL);
    return text ? jl_arena_strndup(p->arena, text, strlen(text)) : NULL;
}

static double number_at(const json_t *array, size_t i)
{
    const json_t *j = json_array_get(array, i);
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static void take_batch(const jl_plan *p, const json_t *from, jl_plan_model *m, jl_plan_batch *b)
{
    b->inputs_path = keep(p, from, "inputs_path");
    b->inputs_key = keep(p, from, "inputs_key");
    b->reason = keep(p, from, "reason");
    int64_t parameters = jl_json_whole(from, "parameters", JL_ABSENT);
    if (parameters != JL_ABSENT) m->parameters = parameters;
    for (size_t k = 0; k < JL_PLAN_PRECISIONS; k++) {
        const json_t *c = json_array_get(json_object_get(from, "cost"), k);
        b->cost[k] = (jl_plan_cost){number_at(c, 0), number_at(c, 1), number_at(c, 2)};
    }
}

static void take(jl_plan *p, const json_t *from, jl_plan_model *m, const jl_study_events *events)
{
    m->uid = keep(p, from, "uid");
    if (m->zoo) m->onnx = keep(p, from, "onnx");
    m->weights = keep(p, from, "weights");
    m->fp16 = keep(p, from, "fp16");
    m->bf16 = keep(p, from, "bf16");
    m->int8 = keep(p, from, "int8");
    m->int8_reason = keep(p, from, "int8_reason");
    m->fp16_reason = keep(p, from, "fp16_reason");
    m->bf16_reason = keep(p, from, "bf16_reason");
    m->arithmetic = (jl_dtype)jl_json_whole(from, "arithmetic", JL_FLOAT);
    m->opset = jl_json_whole(from, "opset", JL_ABSENT);
    m->bytes = jl_json_whole(from, "bytes", JL_ABSENT);
    const json_t *batches = json_object_get(from, "batches"), *note;
    for (size_t b = 0; b < m->batch_count; b++)
        take_batch(p, json_array_get(batches, b), m, &m->batches[b]);
    size_t i;
    json_array_foreach(json_object_get(from, "notes"), i, note)
    {
        char line[1024];
        snprintf(line, sizeof line, "%s: %s", m->name, json_string_value(note));
        if (!m->zoo) jl_study_say(events, line);
    }
}

static void find_needs(const jl_plan *p, jl_plan_model *m)
{
    for (size_t i = 0; i < p->cell_count; i++) {
        const jl_plan_configuration *at = &p->configurations[p->cells[i].configuration];
        const jl_configuration *c = &at->parsed;
        if (&p->models[p->cells[i].model] != m || at->absent || !strcmp(c->runtime, "fake"))
            continue;
        if (!p->spec->no_check && !m->probe) m->needs_onnx = true; /* the reference */
        if (!strcmp(c->runtime, "pytorch")) {
            m->needs_weights = true;
            continue;
        }
        m->needs_onnx = true;
        if (at->converter.kind != JL_CONVERTER_OWN && !m->probe) continue;
        m->needs_int8 |= c->precision == JL_PRECISION_INT8;
        if (strcmp(c->runtime, "ort") != 0) continue;
        m->needs_fp16 |= c->precision == JL_PRECISION_FP16;
        m->needs_bf16 |= c->precision == JL_PRECISION_BF16;
    }
}

/* What could not be written, of the model or of one of its batches. */
static int check_disk(const json_t *answer, const char *name, jl_error *err)
{
    const char *disk = jl_json_text(answer, "disk", NULL);
    const json_t *batch;
    size_t i;
    json_array_foreach(json_object_get(answer, "batches"), i, batch)
    {
        if (!disk) disk = jl_json_text(batch, "disk", NULL);
    }
    if (!disk) return 0;
    return jl_fail(
        err, JL_ERR_IO,
        "%s: %s; make room, or name other folders: XDG_CACHE_HOME for models, TMPDIR for "
        "inputs",
        name, disk);
}

int jl_plan_prepare(jl_plan *p, const char *scratch, const jl_study_events *events,
                    const volatile sig_atomic_t *interrupted, jl_error *err)
{
    jl_path cache;
    int rc = cache_folder(&cache, err);
    for (size_t i = 0; !rc && i < p->model_count; i++) {
        jl_plan_model *m = &p->models[i];
        if (interrupted && *interrupted) return 0;
        if (events && events->progress) events->progress(events->ctx, 0, 0, m->name);
        find_needs(p, m);
        jl_prepare_arg arg = {.plan = p, .model = m, .scratch = scratch, .cache = cache.s};
        JL_CLEANUP(jl_buf_free) jl_buf out = {0};
        jl_error e = {0};
        int failed =
            jl_call_in_child(jl_prepare_model, &arg, CHILD_NS, interrupted, ANSWER_BYTES, &out, &e);
        if (failed == JL_ERR_INTERRUPTED) return 0;
        JL_JSON *answer = failed ? NULL : json_loadb(out.p, out.n, 0, NULL);
        if (answer && (rc = check_disk(answer, m->name, err))) return rc;
        if (answer)
            take(p, answer, m, events);
        else
            m->reason = jl_arena_printf(p->arena, "%s", failed ? e.msg : "no answer of the helper");
        rc = jl_converter_run(p, i, cache.s, scratch, events, err);
    }
    return rc;
}
