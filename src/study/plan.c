#include "study/plan.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "convert/fits.h"
#include "jouleline/zoo.h"
#include "study/converter.h"

static bool begins(const char *word, const char *prefix)
{
    return strncmp(word, prefix, strlen(prefix)) == 0;
}

static bool is_file_name(const char *word)
{
    return jl_names_onnx_file(word) || access(word, F_OK) == 0;
}

static bool is_part(const char *word)
{
    return begins(word, "onnx:") || begins(word, "torch:") || begins(word, "family:");
}

/* "onnx:F", "torch:F" or "family:F" after NAME=, or an item of its own behind it. */
static int bind_part(jl_plan_model *m, const char *word, jl_error *err)
{
    bool onnx = begins(word, "onnx:");
    if (begins(word, "family:")) {
        m->family = strchr(word, ':') + 1;
        if (m->zoo || !*m->family)
            return jl_fail(err, JL_ERR_USAGE,
                           m->zoo ? "model %s has its family from the zoo"
                                  : "family: of model %s names no family",
                           m->name);
        return 0;
    }
    const char **to = onnx ? &m->onnx : &m->torch;
    if (*to) return jl_fail(err, JL_ERR_USAGE, "model %s has two files of one kind", m->name);
    *to = strchr(word, ':') + 1;
    if (access(*to, R_OK) != 0)
        return jl_fail_errno(err, JL_ERR_MISSING, "cannot read %s of model %s", *to, m->name);
    return 0;
}

static int add_model(jl_plan *p, const char *word, jl_error *err)
{
    jl_plan_model *m = &p->models[p->model_count];
    *m = (jl_plan_model){.bytes = JL_ABSENT, .parameters = JL_ABSENT, .opset = JL_ABSENT};
    const char *equals = strchr(word, '=');
    int rc = 0;
    if (equals && is_part(equals + 1)) {
        m->name = jl_arena_strndup(p->arena, word, (size_t)(equals - word));
        rc = m->name ? bind_part(m, equals + 1, err) : JL_ERR_MEMORY;
    } else if (is_file_name(word)) {
        const char *base = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;
        m->name = jl_arena_strndup(p->arena, base, jl_stem_bytes(base, ".onnx"));
        m->onnx = word;
        if (access(word, R_OK) != 0)
            rc = jl_fail_errno(err, JL_ERR_MISSING, "cannot read the model %s", word);
    } else {
        const jl_zoo_model *zoo;
        rc = jl_zoo_find(word, &zoo, err);
        if (rc) return jl_prefix(err, "%s is no file and no model of the zoo", word);
        m->zoo = true;
        m->name = zoo->name;
        m->family = zoo->family;
    }
    for (size_t i = 0; !rc && i < p->model_count; i++)
        if (!strcmp(p->models[i].name, m->name))
            rc =
                jl_fail(err, JL_ERR_USAGE,
                        "two models are called %s; give one another name: NAME=onnx:FILE", m->name);
    if (!rc) p->model_count++;
    return rc;
}

static int add_models(jl_plan *p, jl_error *err)
{
    const jl_study_spec *s = p->spec;
    p->models = jl_arena_array(p->arena, s->model_count + JL_PLAN_PROBES, sizeof *p->models);
    if (!p->models) return jl_fail(err, JL_ERR_MEMORY, "no memory for the models");
    for (size_t i = 0; i < s->model_count; i++) {
        bool more = is_part(s->models[i]);
        if (more && !p->model_count)
            return jl_fail(err, JL_ERR_USAGE, "'%s' belongs to no model: write NAME=%s",
                           s->models[i], s->models[i]);
        int rc = more ? bind_part(&p->models[p->model_count - 1], s->models[i], err)
                      : add_model(p, s->models[i], err);
        if (rc) return rc;
    }
    for (size_t i = 0; i < p->model_count; i++) {
        if (!p->models[i].zoo && !p->models[i].onnx && !p->models[i].torch)
            return jl_fail(err, JL_ERR_USAGE, "model %s has no file: write %s=onnx:FILE",
                           p->models[i].name, p->models[i].name);
        p->models[i].batches =
            jl_arena_array(p->arena, s->batch_count, sizeof *p->models[i].batches);
        if (!p->models[i].batches) return jl_fail(err, JL_ERR_MEMORY, "no memory for the batches");
        p->models[i].batch_count = s->batch_count;
        for (size_t b = 0; b < s->batch_count; b++)
            p->models[i].batches[b].batch = s->batches[b];
    }
    return 0;
}

static int add_configuration(jl_plan *p, const char *word, jl_error *err)
{
    enum { TEXT = 4096 };
    jl_plan_configuration *c = &p->configurations[p->configuration_count];
    *c = (jl_plan_configuration){0};
    int rc = jl_configuration_parse(word, &c->parsed, err);
    if (!rc) rc = jl_runtime_of(&c->parsed, &c->runtime, err);
    if (!rc) rc = jl_converter_parse(c, err);
    if (!rc && c->converter.kind == JL_CONVERTER_FILE && p->model_count > 1)
        rc = jl_fail(err, JL_ERR_USAGE,
                     "%s: one file cannot stand for %zu models; give such a configuration a study "
                     "of one model",
                     word, p->model_count);
    if (rc) return rc;
    char *text = jl_arena_alloc(p->arena, TEXT);
    if (!text) return jl_fail(err, JL_ERR_MEMORY, "no memory for the configurations");
    if (jl_configuration_format(&c->parsed, text, TEXT))
        return jl_fail(err, JL_ERR_LIMIT, "configuration %s is too long", word);
    c->text = text;
    for (size_t i = 0; i < p->configuration_count; i++)
        if (!strcmp(p->configurations[i].text, text))
            return jl_fail(err, JL_ERR_USAGE, "configuration %s is there twice", text);
    p->configuration_count++;
    return 0;
}

static int add_cells(jl_plan *p, jl_error *err)
{
    const jl_study_spec *s = p->spec;
    size_t cells = p->model_count * p->configuration_count * s->batch_count * s->in_flight_count;
    p->cells = jl_arena_array(p->arena, cells + JL_PLAN_PROBES * p->configuration_count + 1,
                              sizeof *p->cells);
    if (!p->cells) return jl_fail(err, JL_ERR_MEMORY, "no memory for the cells");
    for (size_t m = 0; m < p->model_count; m++)
        for (size_t c = 0; c < p->configuration_count; c++)
            for (size_t b = 0; b < s->batch_count; b++)
                for (size_t f = 0; f < s->in_flight_count; f++)
                    p->cells[p->cell_count++] = (jl_plan_cell){
                        .model = m, .configuration = c, .batch = b, .in_flight = s->in_flight[f]};
    return 0;
}

static json_t *texts(const char *const *items, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_string(items[i]));
    return all;
}

static json_t *wholes(const int64_t *items, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_integer(items[i]));
    return all;
}

/* What makes it the same study: not the number of rounds, nor how long this call may take. */
static const char *spec_json(const jl_plan *p)
{
    const jl_study_spec *s = p->spec;
    json_t *configurations = json_array();
    for (size_t i = 0; i < p->configuration_count; i++)
        json_array_append_new(configurations, json_string(p->configurations[i].text));
    json_t *j = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:f, s:f, s:f, s:f, s:f, s:b}", "name",
        s->name, "models", texts(s->models, s->model_count), "configurations", configurations,
        "batch", wholes(s->batches, s->batch_count), "in_flight",
        wholes(s->in_flight, s->in_flight_count), "io", s->host_io ? "host" : "device", "shape",
        texts(s->shapes, s->shape_count), "fill", texts(s->fills, s->fill_count), "input",
        texts(s->inputs, s->input_count), "start",
        s->start == JL_START_AUTO   ? "auto"
        : s->start == JL_START_EXEC ? "exec"
                                    : "fork",
        "min_time_s", (double)s->min_time_ns * 1e-9, "max_time_s", (double)s->max_time_ns * 1e-9,
        "warmup_s", (double)s->warmup_ns * 1e-9, "soak_s", (double)s->soak_ns * 1e-9, "idle_s",
        (double)s->idle_ns * 1e-9, "trust", s->trust);
    if (s->seed) json_object_set_new(j, "seed", json_integer((json_int_t)s->seed));
    if (p->probe_count)
        json_object_set_new(j, "probes",
                            s->probes == JL_PROBES_ONCE ? json_string("once") : json_true());
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *kept = text ? jl_arena_strndup(p->arena, text, strlen(text)) : NULL;
    free(text);
    json_decref(j);
    return kept;
}

static int check_numbers(const jl_study_spec *s, jl_error *err)
{
    if (!s->model_count) return jl_fail(err, JL_ERR_USAGE, "no model is named: give -m MODEL");
    if (!s->configuration_count)
        return jl_fail(err, JL_ERR_USAGE,
                       "no configuration is named: give -c CONFIGURATION, such as ort-cpu/fp32");
    for (size_t i = 0; i < s->batch_count; i++)
        for (size_t k = 0; k < i; k++)
            if (s->batches[i] == s->batches[k])
                return jl_fail(err, JL_ERR_USAGE, "batch %lld is there twice",
                               (long long)s->batches[i]);
    if (s->max_time_ns < s->min_time_ns)
        return jl_fail(err, JL_ERR_USAGE, "--max-time is shorter than --min-time");
    return 0;
}

int jl_plan_new(const jl_study_spec *spec, jl_arena *arena, jl_plan *p, jl_error *err)
{
    *p = (jl_plan){.spec = spec, .arena = arena};
    int rc = check_numbers(spec, err);
    if (!rc) rc = add_models(p, err);
    p->configurations =
        jl_arena_array(arena, spec->configuration_count + 1, sizeof *p->configurations);
    if (!rc && !p->configurations) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for a plan");
    for (size_t i = 0; !rc && i < spec->configuration_count; i++)
        rc = add_configuration(p, spec->configurations[i], err);
    if (!rc) rc = add_cells(p, err);
    if (!rc) rc = jl_plan_add_probes(p, err);
    if (!rc && !(p->spec_json = spec_json(p)))
        rc = jl_fail(err, JL_ERR_FORMAT, "a name in the study is not valid UTF-8");
    return rc;
}

static bool is(const jl_configuration *c, const char *runtime)
{
    return !strcmp(c->runtime, runtime);
}

static jl_plan_file made(const char *path, const char *reason)
{
    return (jl_plan_file){.path = path,
                          .reason = path ? NULL : reason,
                          .stage = "prepare",
                          .outcome = path ? JL_OUTCOME_OK : JL_OUTCOME_UNSUPPORTED};
}

jl_plan_file jl_plan_file_of(const jl_plan *p, size_t model, size_t configuration)
{
    const jl_plan_model *m = &p->models[model];
    const jl_plan_configuration *conf = &p->configurations[configuration];
    const jl_configuration *c = &conf->parsed;
    if (is(c, "fake")) return (jl_plan_file){0};
    if (is(c, "pytorch")) {
        bool takes = m->zoo || m->torch;
        return made(m->torch, takes ? NULL
                                    : "pytorch takes a model of the zoo, or a program: "
                                      "NAME=onnx:FILE,torch:FILE.pt2");
    }
    if (!m->onnx) return made(NULL, "this runtime takes an ONNX file: NAME=onnx:FILE");
    if (conf->converter.kind != JL_CONVERTER_OWN && !m->probe)
        return m->files ? m->files[configuration] : (jl_plan_file){0};
    jl_error e = {0};
    bool convert;
    if (jl_file_fits(c, m->arithmetic, m->onnx, &convert, &e))
        return made(NULL, jl_arena_printf(p->arena, "%s", e.msg));
    if (!convert) return made(m->onnx, NULL);
    if (c->precision == JL_PRECISION_FP16) return made(m->fp16, m->fp16_reason);
    if (c->precision == JL_PRECISION_BF16) return made(m->bf16, m->bf16_reason);
    return made(m->int8, m->int8_reason);
}

/* --- probing --- */

typedef struct probe_arg {
    const jl_plan_configuration *c;
} probe_arg;

typedef struct probed {
    jl_device device;
    char version[sizeof((jl_plan_configuration *)0)->version]; /* of the runtime's library, or "" */
} probed;

/* pytorch calls that of its library torch. */
static void take_version(void *ctx, const char *key, const char *value)
{
    probed *p = ctx;
    if (!strcmp(key, "version") || !strcmp(key, "torch"))
        snprintf(p->version, sizeof p->version, "%s", value);
}

static int check_version(const jl_plan_configuration *c, const char *version, jl_error *err)
{
    const char *wanted = jl_configuration_option(&c->parsed, "version");
    if (!wanted || !strcmp(wanted, version)) return 0;
    return jl_fail(err, JL_ERR_MISSING, "%s here is version %s, not %s", c->parsed.runtime,
                   *version ? version : "unknown", wanted);
}

static int probe(void *arg, jl_buf *out, jl_error *err)
{
    enum { MOST = 32 };
    const jl_plan_configuration *c = ((probe_arg *)arg)->c;
    jl_device devices[MOST];
    size_t count = 0;
    probed found = {0};
    jl_facts facts = {.add = take_version, .ctx = &found};
    int rc = c->runtime->probe(&c->parsed, devices, MOST, &count, &facts, err);
    if (!rc) rc = check_version(c, found.version, err);
    if (rc) return rc;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(devices[i].provider, c->parsed.provider) &&
            devices[i].index == c->parsed.device) {
            found.device = devices[i];
            jl_buf_append(out, &found, sizeof found);
            return 0;
        }
    return jl_fail(err, JL_ERR_MISSING,
                   "%s finds no device %d for %s here ('jouleline doctor' lists "
                   "what there is)",
                   c->parsed.runtime, c->parsed.device, c->parsed.provider);
}

static bool same_option(const jl_configuration *a, const jl_configuration *b, const char *key)
{
    const char *x = jl_configuration_option(a, key), *y = jl_configuration_option(b, key);
    return x && y ? !strcmp(x, y) : x == y;
}

/* Configurations that differ in precision or options alone find the same device, unless an option
 * names the library. */
static const jl_plan_configuration *probed_alike(const jl_plan *p, size_t i)
{
    static const char *const libraries[] = {"lib", "version", "ep_library", "ep_name"};
    const jl_plan_configuration *c = &p->configurations[i];
    for (size_t k = 0; k < i; k++) {
        const jl_plan_configuration *o = &p->configurations[k];
        bool alike = o->runtime == c->runtime && o->parsed.device == c->parsed.device &&
                     !strcmp(o->parsed.provider, c->parsed.provider);
        for (size_t n = 0; alike && n < sizeof libraries / sizeof *libraries; n++)
            alike = same_option(&c->parsed, &o->parsed, libraries[n]);
        if (alike) return o;
    }
    return NULL;
}

/* A file that +lib names may be another one tomorrow: its version becomes part of the
 * configuration's text. */
static int name_version(jl_plan *p, jl_plan_configuration *c, jl_error *err)
{
    enum { TEXT = 4096 };
    bool wanted = jl_configuration_option(&c->parsed, "lib") && *c->version &&
                  !jl_configuration_option(&c->parsed, "version");
    if (!wanted) return 0;
    int rc = jl_configuration_add(&c->parsed, "version", c->version, err);
    char *text = jl_arena_alloc(p->arena, TEXT);
    if (!rc && !text) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for the configurations");
    if (!rc && jl_configuration_format(&c->parsed, text, TEXT))
        rc = jl_fail(err, JL_ERR_LIMIT, "configuration %s is too long", c->text);
    if (!rc) c->text = text;
    return rc;
}

static int probe_one(jl_plan *p, jl_plan_configuration *c, jl_error *err)
{
    static const int64_t TIMEOUT_NS = 180 * INT64_C(1000000000);
    JL_CLEANUP(jl_buf_free) jl_buf out = {0};
    probe_arg arg = {.c = c};
    probed found;
    jl_error e = {0};
    int rc = jl_call_in_child(probe, &arg, TIMEOUT_NS, NULL, sizeof found, &out, &e);
    if (rc || out.n != sizeof found) {
        c->absent = true;
        c->reason = jl_arena_strndup(p->arena, e.msg, strlen(e.msg));
        return c->reason ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for the configurations");
    }
    memcpy(&found, out.p, sizeof found);
    c->device = found.device;
    memcpy(c->version, found.version, sizeof c->version);
    return 0;
}

int jl_plan_probe(jl_plan *p, int fake_device_fd, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < p->configuration_count; i++) {
        jl_plan_configuration *c = &p->configurations[i];
        rc = jl_launch_of(&c->parsed, p->spec->plugins, p->spec->plugin_count,
                          c->runtime->simulated ? fake_device_fd : 0, &c->launch, err);
        if (rc) return rc;
        const jl_plan_configuration *alike = probed_alike(p, i);
        if (alike) {
            c->device = alike->device;
            c->absent = alike->absent;
            c->reason = alike->reason;
            memcpy(c->version, alike->version, sizeof c->version);
        } else {
            rc = probe_one(p, c, err);
        }
    }
    /* Not before: configurations alike are told by what was asked. */
    for (size_t i = 0; !rc && i < p->configuration_count; i++)
        if (!p->configurations[i].absent) rc = name_version(p, &p->configurations[i], err);
    return rc;
}
