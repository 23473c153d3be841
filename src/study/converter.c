#include "study/converter.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/process.h"
#include "convert/fits.h"
#include "jouleline/convert.h"
#include "jouleline/model.h"
#include "study/wire.h"

static const int64_t PROBE_NS = 120 * INT64_C(1000000000), RUN_NS = 1800 * INT64_C(1000000000);
enum { ANSWER_BYTES = 64 << 10 };
static const char *const pythons[] = {"occ", "ort-transformers", NULL};

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "no memory for the converters");
}

/* --- the option --- */

static int unknown(const char *word, jl_error *err)
{
    static const char *const names[] = {"jouleline", "mixed", "occ", "ort-transformers"};
    const char *near = jl_nearest(word, names, sizeof names / sizeof *names);
    return jl_fail(err, JL_ERR_USAGE,
                   "+convert=%s is no file and no converter%s%s%s (there are: jouleline, mixed, "
                   "occ, ort-transformers)",
                   word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void drop_option(jl_configuration *c, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->option_count; i++)
        if (strcmp(c->options[i].key, key) != 0) c->options[kept++] = c->options[i];
    c->option_count = kept;
}

/* "occ" or "occ:1.16.0" */
static bool is_python(const char *word, jl_converter *to)
{
    for (const char *const *name = pythons; *name; name++) {
        size_t n = strlen(*name);
        if (strncmp(word, *name, n) != 0 || (word[n] && word[n] != ':')) continue;
        to->kind = JL_CONVERTER_PYTHON;
        to->name = *name;
        snprintf(to->wanted, sizeof to->wanted, "%s", word[n] ? word + n + 1 : "");
        return true;
    }
    return false;
}

int jl_converter_parse(jl_plan_configuration *c, jl_error *err)
{
    const char *word = jl_configuration_option(&c->parsed, "convert");
    c->converter = (jl_converter){0};
    if (!word) return 0;
    if (!strcmp(c->parsed.runtime, "pytorch"))
        return jl_fail(err, JL_ERR_USAGE,
                       "+convert=%s says where an ONNX file comes from; pytorch takes none", word);
    if (!strcmp(word, "jouleline")) {
        drop_option(&c->parsed, "convert");
        return 0;
    }
    if (jl_names_onnx_file(word)) {
        c->converter = (jl_converter){.kind = JL_CONVERTER_FILE, .name = "file"};
        return access(word, R_OK) == 0 ? 0
                                       : jl_fail_errno(err, JL_ERR_MISSING,
                                                       "cannot read the file of +convert=%s", word);
    }
    if (!strcmp(word, "mixed"))
        c->converter = (jl_converter){.kind = JL_CONVERTER_MIXED, .name = "mixed"};
    else if (!is_python(word, &c->converter))
        return unknown(word, err);
    if (c->parsed.precision == JL_PRECISION_FP16) return 0;
    return jl_fail(err, JL_ERR_USAGE,
                   "+convert=%s writes half precision; write %s-%s/fp16+convert=%s", word,
                   c->parsed.runtime, c->parsed.provider, word);
}

/* --- the converters of others --- */

typedef struct python {
    jl_path interpreter, script;
} python;

static int find_python(python *p, jl_error *err)
{
    int rc = jl_path_converter_python(&p->interpreter, err);
    return rc ? rc : jl_path_share(&p->script, "fp16_converter.py", err);
}

/* Runs the script; its answer, or JL_ERR_CRASH, JL_ERR_TIMEOUT, JL_ERR_MISSING (no interpreter) or
 * JL_ERR_UNSUPPORTED with its own words. */
static int ask(const char *const argv[], int64_t timeout_ns, json_t **answer, int *signal,
               jl_error *err)
{
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    JL_CLEANUP(jl_buf_free) jl_buf errors = {0};
    jl_exit ended = {0};
    *answer = NULL;
    const char *const quiet[] = {"ORT_DISABLE_TELEMETRY=1", NULL};
    int rc = jl_process_run(&(jl_spawn){.argv = argv, .setenv = quiet}, timeout_ns, ANSWER_BYTES,
                            &out, &errors, &ended, err);
    if (rc) return rc;
    *answer = json_loadb(out.p ? out.p : "", out.n, 0, NULL);
    const char *words = jl_json_text(*answer, "error", NULL);
    if (json_is_object(*answer) && !words && ended.status == 0) return 0;
    char how[128];
    jl_exit_words(&ended, how, sizeof how);
    *signal = ended.signal;
    if (words)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "%s", words);
    else
        rc = jl_fail(err, ended.signal ? JL_ERR_CRASH : JL_ERR_UNSUPPORTED, "it %s: %.*s", how,
                     JL_FMT(((jl_str){errors.n > 600 ? errors.p + errors.n - 600 : errors.p,
                                      errors.n > 600 ? 600 : errors.n})));
    jl_one_line(err->msg);
    json_decref(*answer);
    *answer = NULL;
    return rc;
}

static int probe_one(jl_converter *c, jl_error *err)
{
    python py;
    JL_JSON *answer = NULL;
    int signal = 0, rc = find_python(&py, err);
    if (rc) return rc;
    const char *argv[] = {py.interpreter.s, py.script.s, "--probe", c->name, NULL};
    rc = ask(argv, PROBE_NS, &answer, &signal, err);
    if (rc)
        return jl_prefix(err,
                         "no converter %s in %s (a Python with it is named by --converter-python "
                         "or JOULELINE_CONVERTER_PYTHON; ./dev test makes one in build/venv)",
                         c->name, py.interpreter.s);
    snprintf(c->package, sizeof c->package, "%s", jl_json_text(answer, "package", c->name));
    snprintf(c->version, sizeof c->version, "%s", jl_json_text(answer, "version", "unknown"));
    if (*c->wanted && strcmp(c->wanted, c->version) != 0)
        return jl_fail(err, JL_ERR_MISSING, "%s in %s is version %s, not %s", c->package,
                       py.interpreter.s, c->version, c->wanted);
    return 0;
}

static const jl_plan_configuration *probed_alike(const jl_plan *p, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const jl_converter *o = &p->configurations[k].converter;
        if (o->kind == JL_CONVERTER_PYTHON && *o->version &&
            !strcmp(o->name, p->configurations[i].converter.name))
            return &p->configurations[k];
    }
    return NULL;
}

/* The version becomes part of the configuration's text. */
static int name_version(jl_plan *p, jl_plan_configuration *c, jl_error *err)
{
    enum { TEXT = 4096 };
    for (size_t k = 0; k < c->parsed.option_count; k++) {
        jl_setting *o = &c->parsed.options[k];
        if (!strcmp(o->key, "convert"))
            snprintf(o->value, sizeof o->value, "%s:%s", c->converter.name, c->converter.version);
    }
    char *text = jl_arena_alloc(p->arena, TEXT);
    if (!text) return no_memory(err);
    if (jl_configuration_format(&c->parsed, text, TEXT))
        return jl_fail(err, JL_ERR_LIMIT, "configuration %s is too long", c->text);
    c->text = text;
    return 0;
}

int jl_converter_probe(jl_plan *p, jl_error *err)
{
    for (size_t i = 0; i < p->configuration_count; i++) {
        jl_plan_configuration *c = &p->configurations[i];
        jl_error e = {0};
        if (c->converter.kind != JL_CONVERTER_PYTHON || c->absent) continue;
        const jl_plan_configuration *alike = *c->converter.wanted ? NULL : probed_alike(p, i);
        int rc = 0;
        if (alike)
            c->converter = alike->converter;
        else
            rc = probe_one(&c->converter, &e);
        if (rc) {
            c->absent = true;
            c->reason = jl_arena_printf(p->arena, "%s", e.msg);
        } else if ((rc = name_version(p, c, err))) {
            return rc;
        }
    }
    return 0;
}

/* --- the files --- */

static void fail_file(jl_plan *p, jl_plan_file *f, int code, int signal, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void fail_file(jl_plan *p, jl_plan_file *f, int code, int signal, const char *format, ...)
{
    char text[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *f = (jl_plan_file){.reason = jl_arena_printf(p->arena, "%s", text),
                        .stage = "convert",
                        .outcome = jl_outcome_of_error(code),
                        .signal = signal};
}

static void run_python(jl_plan *p, const jl_plan_model *m, const jl_converter *c, jl_plan_file *f)
{
    python py;
    jl_path cache;
    jl_error e = {0};
    JL_JSON *answer = NULL;
    int signal = 0, rc = find_python(&py, &e);
    if (!rc) rc = jl_path_cache_dir(&cache, &e);
    char *folder = rc ? NULL : jl_arena_printf(p->arena, "%s/converted", cache.s);
    if (!rc) rc = folder ? jl_make_dirs(folder, &e) : no_memory(&e);
    char *path =
        rc ? NULL
           : jl_arena_printf(p->arena, "%s/%s.%s-%s.onnx", folder, m->uid, c->name, c->version);
    char *fresh = path ? jl_arena_printf(p->arena, "%s.%d", path, (int)getpid()) : NULL;
    if (!rc && !fresh) rc = no_memory(&e);
    if (!rc && access(path, R_OK) != 0) {
        const char *argv[] = {py.interpreter.s, py.script.s, c->name, m->onnx, fresh, NULL};
        rc = ask(argv, RUN_NS, &answer, &signal, &e);
        if (!rc && rename(fresh, path) != 0)
            rc = jl_fail_errno(&e, JL_ERR_IO, "cannot keep %s", path);
        if (rc) unlink(fresh);
    }
    if (rc)
        fail_file(p, f, rc, signal, "%s %s: %s", c->package, c->version, e.msg);
    else
        *f = (jl_plan_file){
            .path = path, .converter = jl_arena_printf(p->arena, "%s %s", c->package, c->version)};
}

typedef struct mixed_work {
    jl_plan *plan;
    const jl_plan_model *model;
    int64_t batch;
    const char *path, *scratch;
    jl_model *open;
    jl_inputs inputs; /* of the last sample */
} mixed_work;

static int sample(void *ctx, size_t i, jl_tensor *tensors, jl_error *err)
{
    mixed_work *w = ctx;
    jl_inputs_free(&w->inputs);
    w->inputs = (jl_inputs){0};
    int rc = jl_plan_inputs(w->plan, w->model, w->open, w->batch, JL_PLAN_SAMPLE_SEED + i,
                            &w->inputs, err);
    if (!rc) memcpy(tensors, w->inputs.tensors, w->inputs.count * sizeof *tensors);
    return rc;
}

/* In a child: it runs the model. */
static int make_mixed(void *arg, jl_buf *out, jl_error *err)
{
    enum { ITEMS = 32 };
    mixed_work *w = arg;
    size_t inputs = 0;
    (void)out;
    int rc = jl_model_open(w->model->onnx, &w->open, err);
    if (rc) return rc;
    jl_model_inputs(w->open, &inputs);
    jl_samples samples = {.count = w->batch < ITEMS ? (size_t)(ITEMS / w->batch) : 1,
                          .inputs = inputs,
                          .get = sample,
                          .ctx = w};
    jl_convert_options o = {.to = JL_FLOAT16, .samples = &samples, .scratch = w->scratch};
    jl_convert_summary summary;
    rc = jl_convert_precision(w->model->onnx, w->path, &o, &summary, err);
    jl_inputs_free(&w->inputs);
    jl_model_close(w->open);
    return rc;
}

static void run_mixed(jl_plan *p, const jl_plan_model *m, const char *own_cache,
                      const char *scratch, jl_plan_file *f)
{
    mixed_work w = {.plan = p, .model = m, .batch = 1};
    for (size_t b = 0; b < m->batch_count; b++)
        if (!m->batches[b].reason && m->batches[b].batch > w.batch) w.batch = m->batches[b].batch;
    w.path = jl_arena_printf(p->arena, "%s/%s.mixed-%" PRId64 ".onnx", own_cache, m->uid, w.batch);
    w.scratch = jl_arena_printf(p->arena, "%s/ranges.onnx", scratch);
    jl_error e = {0};
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    int rc = w.path && w.scratch ? 0 : no_memory(&e);
    if (!rc && access(w.path, R_OK) != 0)
        rc = jl_call_in_child(make_mixed, &w, RUN_NS, NULL, ANSWER_BYTES, &out, &e);
    if (rc)
        fail_file(p, f, rc, 0, "converting to mixed precision: %s", e.msg);
    else
        *f = (jl_plan_file){
            .path = w.path,
            .converter = jl_arena_printf(p->arena, "jouleline, mixed at batch %" PRId64, w.batch)};
}

typedef struct known_file {
    char hash[33];
    jl_dtype arithmetic;
} known_file;

static int know_in_child(void *arg, jl_buf *out, jl_error *err)
{
    jl_model *model;
    known_file known = {0};
    int rc = jl_model_open(arg, &model, err);
    if (rc) return rc;
    known.arithmetic = jl_model_arithmetic(model);
    rc = jl_model_hash(model, known.hash, err);
    jl_model_close(model);
    if (!rc) jl_buf_append(out, &known, sizeof known);
    return rc;
}

/* A file that we cannot read is left to the runtime's own words; one of another precision would run
 * under a wrong name. */
static void take_file(jl_plan *p, const jl_plan_configuration *c, jl_plan_file *f)
{
    const char *path = jl_configuration_option(&c->parsed, "convert");
    jl_error e = {0};
    known_file known;
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    char *copy = jl_arena_printf(p->arena, "%s", path);
    *f = (jl_plan_file){.path = copy, .converter = "file"};
    if (!copy || jl_call_in_child(know_in_child, copy, RUN_NS, NULL, ANSWER_BYTES, &out, &e))
        return;
    memcpy(&known, out.p, sizeof known);
    f->converter = jl_arena_printf(p->arena, "file %s", known.hash);
    bool convert;
    int rc = jl_file_fits(&c->parsed, known.arithmetic, path, &convert, &e);
    if (!rc && convert)
        rc = jl_fail(&e, JL_ERR_UNSUPPORTED, "%s is a file in %s, not in %s", path,
                     jl_precision_name(jl_file_precision(known.arithmetic)),
                     jl_precision_name(c->parsed.precision));
    if (rc) fail_file(p, f, rc, 0, "%s", e.msg);
}

int jl_converter_run(jl_plan *p, size_t model, const char *own_cache, const char *scratch,
                     const jl_study_events *events, jl_error *err)
{
    jl_plan_model *m = &p->models[model];
    m->files = jl_arena_array(p->arena, p->configuration_count + 1, sizeof *m->files);
    if (!m->files) return no_memory(err);
    for (size_t i = 0; i < p->configuration_count; i++) {
        jl_plan_configuration *c = &p->configurations[i];
        jl_plan_file *f = &m->files[i];
        if (c->absent || m->reason || !m->onnx || m->probe || c->runtime->simulated) continue;
        if (c->converter.kind == JL_CONVERTER_PYTHON)
            run_python(p, m, &c->converter, f);
        else if (c->converter.kind == JL_CONVERTER_MIXED)
            run_mixed(p, m, own_cache, scratch, f);
        else if (c->converter.kind == JL_CONVERTER_FILE)
            take_file(p, c, f);
        char line[1600];
        snprintf(line, sizeof line, "%s %s: %s", m->name, c->text, f->reason ? f->reason : "");
        if (f->reason) jl_study_say(events, line);
    }
    return 0;
}
