/* OpenVINO by its C interface, CPU device. Calls in flight are infer requests of one compiled
 * model; the library's streams run them side by side. */
#include "runtime/openvino.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cpu.h"
#include "runtime/registry.h"

enum { MAX_IN_FLIGHT = 64 };

static const char *const providers[] = {"cpu", NULL};
static const jl_runtime_option options[] = {
    {"threads", "threads of all streams together; matched default: physical cores"},
    {"hint", "latency (default) or throughput"},
    {"shapes", "fixed to those of the inputs (matched default), or as in the model: fixed, model"},
    {"streams", "calls that run side by side; default: the calls in flight"},
    {"lib", "path of another libopenvino_c.so"},
    {"property.", "a property of the CPU device, by OpenVINO's name"},
    {NULL, NULL},
};

static int openvino_open(const jl_configuration *c, void **ctx, jl_error *err)
{
    openvino *o = calloc(1, sizeof *o);
    if (!o) return jl_fail(err, JL_ERR_MEMORY, "no memory for a session");
    o->configuration = *c;
    o->matched = c->precision != JL_PRECISION_NATIVE;
    int rc = openvino_library_open(&o->library, c, err);
    if (rc) {
        free(o);
        return rc;
    }
    *ctx = o;
    return 0;
}

static int set_property(openvino *o, const char *key, const char *value, jl_error *err)
{
    char what[320];
    snprintf(what, sizeof what, "set %s to %s", key, value);
    return openvino_check(&o->library, o->library.api.core_set_property(o->core, "CPU", key, value),
                          err, what);
}

static int set_number(openvino *o, const char *key, long value, jl_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    return set_property(o, key, text, err);
}

static bool has_capability(openvino *o, const char *name)
{
    char *list;
    if (o->library.api.core_get_property(o->core, "CPU", "OPTIMIZATION_CAPABILITIES", &list))
        return false;
    bool found = strstr(list, name) != NULL;
    o->library.api.free(list);
    return found;
}

/* The type that what is not quantised runs in. */
static int set_precision(openvino *o, jl_error *err)
{
    static const char key[] = "INFERENCE_PRECISION_HINT";
    const char *name = jl_precision_name(o->configuration.precision);
    switch (o->configuration.precision) {
    case JL_PRECISION_FP32:
    case JL_PRECISION_INT8:
        return set_property(o, key, "f32", err);
    case JL_PRECISION_BF16:
    case JL_PRECISION_FP16: {
        bool half = o->configuration.precision == JL_PRECISION_FP16;
        if (!has_capability(o, half ? "FP16" : "BF16"))
            return jl_fail(err, JL_ERR_UNSUPPORTED,
                           "this processor has no %s arithmetic that OpenVINO could use", name);
        return set_property(o, key, half ? "f16" : "bf16", err);
    }
    case JL_PRECISION_NATIVE:
        return 0;
    default:
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "%s is arithmetic of NVIDIA GPUs; OpenVINO has none", name);
    }
}

static int set_hint(openvino *o, jl_error *err)
{
    const char *hint = jl_configuration_option(&o->configuration, "hint");
    if (hint && strcmp(hint, "latency") != 0 && strcmp(hint, "throughput") != 0)
        return jl_fail(err, JL_ERR_USAGE, "+hint=%s is neither latency nor throughput", hint);
    if (!hint && !o->matched) return 0;
    bool throughput = hint && !strcmp(hint, "throughput");
    return set_property(o, "PERFORMANCE_HINT", throughput ? "THROUGHPUT" : "LATENCY", err);
}

static int set_properties(openvino *o, int in_flight, jl_error *err)
{
    static const char prefix[] = "property.";
    const jl_configuration *c = &o->configuration;
    int rc = jl_configuration_int(c, "threads", 1, 4096, 0, &o->threads, err);
    if (!rc) rc = jl_configuration_int(c, "streams", 1, 4096, 0, &o->streams, err);
    if (!rc) rc = set_precision(o, err);
    if (!rc) rc = set_hint(o, err);
    if (rc) return rc;
    if (o->threads == 0 && o->matched) o->threads = jl_cpu_cores(NULL);
    /* The throughput hint chooses the streams itself. */
    if (o->streams == 0 && o->matched && !jl_configuration_option(c, "hint"))
        o->streams = in_flight;
    if (o->threads) rc = set_number(o, "INFERENCE_NUM_THREADS", o->threads, err);
    if (!rc && o->streams) rc = set_number(o, "NUM_STREAMS", o->streams, err);
    for (size_t i = 0; !rc && i < c->option_count; i++)
        if (!strncmp(c->options[i].key, prefix, sizeof prefix - 1))
            rc = set_property(o, c->options[i].key + sizeof prefix - 1, c->options[i].value, err);
    return rc;
}

static int read_model(openvino *o, const jl_load_request *r, ov_model **model, jl_error *err)
{
    if (!r->model_path)
        return jl_fail(err, JL_ERR_USAGE, "OpenVINO needs an ONNX file of %s", r->model_name);
    if (access(r->model_path, R_OK) < 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot read %s", r->model_path);
    jl_error words = {0};
    int rc = openvino_check(&o->library,
                            o->library.api.core_read_model(o->core, r->model_path, NULL, model),
                            &words, "read the model");
    if (!rc) return 0;
    /* A file that no reader takes is not a model; what a reader took and refused is unsupported. */
    bool no_model = strcasestr(words.msg, "unable to read the model") != NULL;
    return jl_fail(err, no_model ? JL_ERR_FORMAT : rc, "%s", words.msg);
}

/* Fixed shapes, as the inputs have them: the matched regime compares compiled with compiled. */
static int fix_shapes(openvino *o, const ov_model *model, const jl_load_request *r, jl_error *err)
{
    const ov_api *a = &o->library.api;
    const char **names = calloc(r->input_count + 1, sizeof *names);
    ov_partial_shape *shapes = calloc(r->input_count + 1, sizeof *shapes);
    size_t made = 0;
    int rc = names && shapes ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for shapes");
    for (; !rc && made < r->input_count; made++) {
        const jl_tensor *t = &r->inputs[made];
        names[made] = t->name;
        rc = openvino_check(&o->library,
                            a->partial_shape_create_static(t->rank, t->dims, &shapes[made]), err,
                            "make a shape");
        if (rc) break;
    }
    if (!rc && made > 0)
        rc = openvino_check(&o->library, a->model_reshape(model, names, shapes, made), err,
                            "give the model the shapes of the inputs");
    for (size_t i = 0; i < made; i++)
        a->partial_shape_free(&shapes[i]);
    free(shapes);
    free(names);
    return rc;
}

static int choose_shapes(openvino *o, jl_error *err)
{
    const char *shapes = jl_configuration_option(&o->configuration, "shapes");
    if (shapes && strcmp(shapes, "fixed") != 0 && strcmp(shapes, "model") != 0)
        return jl_fail(err, JL_ERR_USAGE, "+shapes=%s is neither fixed nor model", shapes);
    o->fixed_shapes = shapes ? !strcmp(shapes, "fixed") : o->matched;
    return 0;
}

static int openvino_load(void *ctx, const jl_load_request *r, jl_error *err)
{
    openvino *o = ctx;
    const ov_api *a = &o->library.api;
    ov_model *model = NULL;
    o->placement = r->placement;
    if (o->configuration.device != 0)
        return jl_fail(err, JL_ERR_MISSING, "the CPU is device 0; there is no device %d",
                       o->configuration.device);
    if (r->in_flight > MAX_IN_FLIGHT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "more than %d calls in flight", MAX_IN_FLIGHT);
    int rc = choose_shapes(o, err);
    if (!rc) rc = openvino_check(&o->library, a->core_create(&o->core), err, "start");
    if (!rc) rc = set_properties(o, r->in_flight < 1 ? 1 : r->in_flight, err);
    if (!rc) rc = read_model(o, r, &model, err);
    if (rc) return rc;
    rc = openvino_make_inputs(o, model, r, err);
    if (!rc && o->fixed_shapes) rc = fix_shapes(o, model, r, err);
    if (!rc)
        rc = openvino_check(&o->library,
                            a->core_compile_model(o->core, model, "CPU", 0, &o->compiled), err,
                            "compile the model");
    a->model_free(model);
    return rc ? rc : openvino_make_requests(o, r, err);
}

static int openvino_infer(void *ctx, jl_error *err)
{
    openvino *o = ctx;
    int status = o->library.api.infer_request_infer(o->requests[0]);
    return status ? openvino_check(&o->library, status, err, "run the model") : 0;
}

static int openvino_submit(void *ctx, int slot, jl_error *err)
{
    openvino *o = ctx;
    if (slot < 0 || slot >= o->request_count)
        return jl_fail(err, JL_ERR_USAGE, "there is no slot %d", slot);
    int status = o->library.api.infer_request_start_async(o->requests[slot]);
    return status ? openvino_check(&o->library, status, err, "start the model") : 0;
}

static int openvino_wait(void *ctx, int slot, jl_error *err)
{
    openvino *o = ctx;
    int status = o->library.api.infer_request_wait(o->requests[slot]);
    return status ? openvino_check(&o->library, status, err, "run the model") : 0;
}

static void add_property(openvino *o, const jl_facts *f, const char *fact, const char *key)
{
    char *value;
    if (o->library.api.compiled_model_get_property(o->compiled, key, &value)) return;
    f->add(f->ctx, fact, value);
    o->library.api.free(value);
}

static int openvino_describe(void *ctx, const jl_facts *f, jl_error *err)
{
    openvino *o = ctx;
    char name[96];
    (void)err;
    jl_cpu_name(name, sizeof name);
    f->add(f->ctx, "version", o->library.version);
    f->add(f->ctx, "library", o->library.path);
    f->add(f->ctx, "device", name);
    f->add(f->ctx, "regime", o->matched ? "matched" : "native");
    f->add(f->ctx, "placement", o->placement == JL_IO_HOST ? "host" : "device");
    f->add(f->ctx, "shapes", o->fixed_shapes ? "fixed" : "as in the model");
    /* What the library made of it, read back. */
    add_property(o, f, "threads", "INFERENCE_NUM_THREADS");
    add_property(o, f, "streams", "NUM_STREAMS");
    add_property(o, f, "hint", "PERFORMANCE_HINT");
    add_property(o, f, "inference_precision", "INFERENCE_PRECISION_HINT");
    add_property(o, f, "cpu_pinning", "ENABLE_CPU_PINNING");
    add_property(o, f, "execution_devices", "EXECUTION_DEVICES");
    return 0;
}

static int64_t openvino_device_memory_bytes(void *ctx)
{
    (void)ctx;
    return -1;
}

static void openvino_close(void *ctx)
{
    openvino *o = ctx;
    if (!o) return;
    openvino_free_io(o);
    if (o->compiled) o->library.api.compiled_model_free(o->compiled);
    if (o->core) o->library.api.core_free(o->core);
    free(o);
}

static int openvino_probe(const jl_configuration *c, jl_device *devices, size_t capacity,
                          size_t *count, const jl_facts *facts, jl_error *err)
{
    static const jl_configuration plain = {.runtime = "openvino"};
    openvino_library l;
    *count = 0;
    int rc = openvino_library_open(&l, c ? c : &plain, err);
    if (rc) return rc;
    if (facts) {
        facts->add(facts->ctx, "version", l.version);
        facts->add(facts->ctx, "library", l.path);
    }
    if (capacity > 0) {
        devices[0] = (jl_device){.provider = "cpu"};
        jl_cpu_name(devices[0].name, sizeof devices->name);
        *count = 1;
    }
    return 0;
}

const jl_runtime jl_runtime_openvino = {
    .abi = JL_RUNTIME_ABI,
    .name = "openvino",
    .summary = "OpenVINO on the CPU, by its C interface",
    .providers = providers,
    .options = options,
    .probe = openvino_probe,
    .open = openvino_open,
    .load = openvino_load,
    .refresh = openvino_refresh,
    .infer = openvino_infer,
    .submit = openvino_submit,
    .wait = openvino_wait,
    .outputs = openvino_outputs,
    .describe = openvino_describe,
    .device_memory_bytes = openvino_device_memory_bytes,
    .close = openvino_close,
    .ends_with_process = true,
};
