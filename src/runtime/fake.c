/* A simulated device with known roofs, powers and failures. A call takes
 *     t = max(FLOP / compute roof, bytes / memory roof, nodes x dispatch time)
 * and the device takes P_static t + e_flop FLOP + e_byte bytes over it: the truth that the
 * roofline and the energy model have to find again. Time passes for real, in a spin, since the
 * timed loop reads the real clock; power goes to the page of base/fake_device.h whose descriptor
 * is in JOULELINE_FAKE_DEVICE_FD, when that is set. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fake_device.h"
#include "base/rng.h"
#include "jouleline/clock.h"
#include "runtime/registry.h"

/* A device as it is without options; speed of fp32. */
static const struct preset {
    const char *provider;
    int index;
    double gflops, gbps, dispatch_us, static_w, sleep_w, pj_flop, pj_byte;
} presets[] = {
    {"gpu", 0, 20000, 1000, 3, 60, 20, 10, 60},
    {"gpu", 1, 10000, 600, 3, 40, 15, 14, 80},
    {"cpu", 0, 400, 40, 1, 25, 10, 60, 200},
};
enum { PRESETS = sizeof presets / sizeof *presets };

/* Compute roof and joules of a FLOP, relative to fp32. */
static const struct {
    double speed, energy;
} by_precision[JL_PRECISION_COUNT] = {
    [JL_PRECISION_FP32] = {1, 1},     [JL_PRECISION_TF32] = {4, 0.5},
    [JL_PRECISION_FP16] = {8, 0.3},   [JL_PRECISION_BF16] = {8, 0.3},
    [JL_PRECISION_INT8] = {16, 0.15}, [JL_PRECISION_NATIVE] = {1, 1},
};

typedef enum fail_mode {
    FAIL_NONE,
    FAIL_LOAD,
    FAIL_UNSUPPORTED,
    FAIL_MISSING,
    FAIL_OOM,
    FAIL_CRASH,
    FAIL_HANG,
    FAIL_NAN,
    FAIL_WRONG,
    FAIL_MODES,
} fail_mode;
static const char *const fail_names[FAIL_MODES] = {
    "none", "load", "unsupported", "missing", "oom", "crash", "hang", "nan", "wrong",
};

enum { MAX_IN_FLIGHT = 64, CLASSES = 1000 };

typedef struct fake {
    jl_configuration configuration;
    const struct preset *preset;
    double gflops, gbps, dispatch_us, static_w, sleep_w, pj_flop, pj_byte; /* after options */
    double first_ms, noise, run_noise;
    bool work;
    fail_mode fail;
    long fail_call, fail_above;
    jl_fake_device *page;
    jl_rng rng;
    double call_ns, dynamic_j; /* of one call, without noise */
    long calls;
    int in_flight;
    int64_t free_ns, done_ns[MAX_IN_FLIGHT];
    int outstanding;
    int64_t memory_bytes;
    jl_tensor output;
} fake;

static const char *const providers[] = {"gpu", "cpu", NULL};
static const jl_runtime_option options[] = {
    {"gflops", "compute roof in fp32, 1e9 FLOP/s"},
    {"gbps", "memory roof, 1e9 bytes/s"},
    {"dispatch_us", "microseconds to dispatch one node"},
    {"static_w", "watts of a device that is awake"},
    {"sleep_w", "watts of a device without a session"},
    {"pj_flop", "picojoules of one FLOP in fp32"},
    {"pj_byte", "picojoules of one byte moved"},
    {"first_ms", "milliseconds by which the first call is longer, as where kernels are built"},
    {"noise", "standard deviation of the log time of a call"},
    {"run_noise", "standard deviation of the log time of a whole run"},
    {"seed", "seed of the noise; 0 draws another one for every run"},
    {"work", "0: a call returns at once and takes no energy"},
    {"fail", "load, unsupported, missing, oom, crash, hang, nan or wrong"},
    {"fail_call", "crash and hang at this call (1 is the first; 0 while loading)"},
    {"fail_above", "fail only at batches larger than this"},
    {"fail_model", "fail only with the model of this name"},
    {NULL, NULL},
};

static void spin_until(int64_t t_ns)
{
    while (jl_now_ns() < t_ns)
        continue;
}

static int parse_options(fake *f, jl_error *err)
{
    const jl_configuration *c = &f->configuration;
    const struct preset *p = f->preset;
    const struct {
        const char *key;
        double low, high, otherwise, *to;
    } numbers[] = {
        {"gflops", 1e-3, 1e9, p->gflops, &f->gflops},
        {"gbps", 1e-3, 1e9, p->gbps, &f->gbps},
        {"dispatch_us", 0, 1e6, p->dispatch_us, &f->dispatch_us},
        {"static_w", 0, 1e5, p->static_w, &f->static_w},
        {"sleep_w", 0, 1e5, p->sleep_w, &f->sleep_w},
        {"pj_flop", 0, 1e6, p->pj_flop, &f->pj_flop},
        {"pj_byte", 0, 1e6, p->pj_byte, &f->pj_byte},
        {"first_ms", 0, 1e6, 0, &f->first_ms},
        {"noise", 0, 1, 0.01, &f->noise},
        {"run_noise", 0, 1, 0.005, &f->run_noise},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int rc = jl_configuration_double(c, numbers[i].key, numbers[i].low, numbers[i].high,
                                         numbers[i].otherwise, numbers[i].to, err);
        if (rc) return rc;
    }
    long seed;
    int rc = jl_configuration_int(c, "seed", 0, 1L << 40, 0, &seed, err);
    if (!rc) rc = jl_configuration_int(c, "fail_call", 0, 1L << 40, 1, &f->fail_call, err);
    if (!rc) rc = jl_configuration_int(c, "fail_above", 0, 1L << 30, 0, &f->fail_above, err);
    if (!rc) rc = jl_configuration_bool(c, "work", true, &f->work, err);
    if (rc) return rc;
    uint64_t run = (uint64_t)jl_now_ns() ^ (uint64_t)getpid() << 40;
    f->rng.state = jl_mix64(seed ? (uint64_t)seed : run);
    const char *fail = jl_configuration_option(c, "fail");
    for (int i = 0; fail && i < FAIL_MODES; i++)
        if (!strcmp(fail, fail_names[i])) {
            f->fail = (fail_mode)i;
            return 0;
        }
    return fail ? jl_fail(err, JL_ERR_USAGE, "+fail=%s is no failure of the fake runtime", fail)
                : 0;
}

static int map_page(fake *f, jl_error *err)
{
    const char *text = getenv("JOULELINE_FAKE_DEVICE_FD");
    if (!text || !*text) return 0;
    void *p = mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(text), 0);
    if (p == MAP_FAILED)
        return jl_fail_errno(err, JL_ERR_IO, "JOULELINE_FAKE_DEVICE_FD=%s cannot be mapped", text);
    f->page = p;
    if (f->page->magic != JL_FAKE_DEVICE_MAGIC || f->page->version != JL_FAKE_DEVICE_VERSION)
        return jl_fail(err, JL_ERR_FORMAT, "JOULELINE_FAKE_DEVICE_FD=%s is no fake device", text);
    return 0;
}

static void set_power(fake *f, int64_t now_ns, double power_w)
{
    if (f->page) jl_fake_device_set(f->page, now_ns, power_w);
}

static int find_preset(const jl_configuration *c, const struct preset **found, jl_error *err)
{
    int count = 0;
    for (size_t i = 0; i < PRESETS; i++)
        if (!strcmp(presets[i].provider, c->provider)) {
            count++;
            if (presets[i].index == c->device) {
                *found = &presets[i];
                return 0;
            }
        }
    return jl_fail(err, JL_ERR_MISSING, "there is no simulated %s %d: there are %d, counted from 0",
                   c->provider, c->device, count);
}

static void name_device(const struct preset *p, jl_device *d)
{
    *d = (jl_device){.index = p->index, .simulated = true};
    snprintf(d->provider, sizeof d->provider, "%s", p->provider);
    snprintf(d->name, sizeof d->name, "simulated %s %d", p->provider, p->index);
    snprintf(d->uuid, sizeof d->uuid, "FAKE-%s-%d", p->provider, p->index);
}

static int fake_probe(const jl_configuration *c, jl_device *devices, size_t capacity, size_t *count,
                      const jl_facts *facts, jl_error *err)
{
    (void)err;
    *count = 0;
    for (size_t i = 0; i < PRESETS; i++)
        if ((!c || !c->provider[0] || !strcmp(c->provider, presets[i].provider)) &&
            *count < capacity)
            name_device(&presets[i], &devices[(*count)++]);
    if (facts) facts->add(facts->ctx, "version", JL_VERSION);
    return 0;
}

static void fake_close(void *ctx)
{
    fake *f = ctx;
    if (!f) return;
    set_power(f, jl_now_ns(), f->sleep_w);
    if (f->page) munmap(f->page, JL_FAKE_DEVICE_BYTES);
    free(f->output.data);
    free(f);
}

static int fake_open(const jl_configuration *c, void **ctx, jl_error *err)
{
    fake *f = calloc(1, sizeof *f);
    if (!f) return jl_fail(err, JL_ERR_MEMORY, "no memory for a simulated device");
    f->configuration = *c;
    int rc = find_preset(c, &f->preset, err);
    if (!rc) rc = parse_options(f, err);
    if (rc) {
        free(f);
        return rc;
    }
    *ctx = f;
    return 0;
}

static void crash_or_hang(const fake *f)
{
    if (f->fail == FAIL_CRASH) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    while (f->fail == FAIL_HANG)
        pause();
}

static int fail_while_loading(const fake *f, const jl_load_request *r, jl_error *err)
{
    switch (f->fail) {
    case FAIL_LOAD:
        return jl_fail(err, JL_ERR, "the simulated load of %s failed", r->model_name);
    case FAIL_UNSUPPORTED:
        return jl_fail(err, JL_ERR_UNSUPPORTED, "simulated: no kernel for %s of %s",
                       jl_precision_name(f->configuration.precision), r->model_name);
    case FAIL_MISSING:
        return jl_fail(err, JL_ERR_MISSING, "simulated: the device is not here");
    case FAIL_OOM:
        return jl_fail(err, JL_ERR_DEVICE_MEMORY, "simulated: out of device memory at batch %lld",
                       (long long)r->batch);
    default:
        return 0;
    }
}

/* Bytes of one item of the first input, or of all of it when its first axis is not the batch. */
static uint64_t item_hash(const jl_load_request *r, int64_t item)
{
    uint64_t h = jl_mix64((uint64_t)item);
    if (r->input_count == 0 || !r->inputs[0].data) return h;
    const jl_tensor *t = &r->inputs[0];
    bool split = t->rank > 0 && t->dims[0] == r->batch && r->batch > 0;
    size_t n = split ? t->size_bytes / (size_t)r->batch : t->size_bytes;
    const unsigned char *p = (const unsigned char *)t->data + (split ? (size_t)item * n : 0);
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = 0;
        memcpy(&word, p + i, n - i < sizeof word ? n - i : sizeof word);
        h = jl_mix64(h ^ word);
    }
    return h;
}

/* Seeded logits of the inputs, rounded as the precision would. */
static int make_output(fake *f, const jl_load_request *r, bool failing, jl_error *err)
{
    jl_tensor *t = &f->output;
    *t = (jl_tensor){.name = "logits", .dtype = JL_FLOAT, .rank = 2, .dims = {r->batch, CLASSES}};
    t->size_bytes = (size_t)r->batch * CLASSES * sizeof(float);
    t->data = malloc(t->size_bytes);
    if (!t->data)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for %lld outputs", (long long)r->batch);
    float *y = t->data;
    for (int64_t item = 0; item < r->batch; item++) {
        jl_rng g = {item_hash(r, item)};
        for (int k = 0; k < CLASSES; k++, y++) {
            *y = (float)jl_rng_normal(&g);
            switch (f->configuration.precision) {
            case JL_PRECISION_FP16:
                *y = jl_float_from_half(jl_half_from_float(*y));
                break;
            case JL_PRECISION_BF16:
                *y = jl_float_from_bf16(jl_bf16_from_float(*y));
                break;
            case JL_PRECISION_INT8:
                *y = roundf(*y * 32) / 32;
                break;
            default:
                break;
            }
            if (failing && f->fail == FAIL_NAN) *y = NAN;
            if (failing && f->fail == FAIL_WRONG && k % 2) *y = -*y;
        }
    }
    return 0;
}

static int fake_load(void *ctx, const jl_load_request *r, jl_error *err)
{
    fake *f = ctx;
    if (r->batch < 1) return jl_fail(err, JL_ERR_USAGE, "the batch is %lld", (long long)r->batch);
    if (r->in_flight > MAX_IN_FLIGHT)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "more than %d calls in flight", MAX_IN_FLIGHT);
    int rc = map_page(f, err);
    if (rc) return rc;
    const char *only = jl_configuration_option(&f->configuration, "fail_model");
    bool failing =
        f->fail != FAIL_NONE && r->batch > f->fail_above && (!only || !strcmp(only, r->model_name));
    if (failing) {
        rc = fail_while_loading(f, r, err);
        if (rc) return rc;
        if (f->fail_call == 0) crash_or_hang(f);
    } else {
        f->fail = FAIL_NONE;
    }
    jl_precision p = f->configuration.precision;
    double compute_ns = r->cost_flop / (f->gflops * by_precision[p].speed);
    double memory_ns = r->cost_bytes / f->gbps;
    double dispatch_ns = fmax(r->cost_nodes, 1) * f->dispatch_us * 1e3;
    f->in_flight = r->in_flight < 1 ? 1 : r->in_flight;
    f->call_ns = fmax(fmax(compute_ns, memory_ns), dispatch_ns / f->in_flight) *
                 exp(f->run_noise * jl_rng_normal(&f->rng));
    f->dynamic_j =
        1e-12 * (f->pj_flop * by_precision[p].energy * r->cost_flop + f->pj_byte * r->cost_bytes);
    size_t input_bytes = 0;
    for (size_t i = 0; i < r->input_count; i++)
        input_bytes += r->inputs[i].size_bytes;
    f->memory_bytes = (64 << 20) + 8 * (int64_t)input_bytes;
    rc = make_output(f, r, failing, err);
    if (!rc) set_power(f, jl_now_ns(), f->static_w);
    return rc;
}

/* The next call's time; crashes or hangs when its turn has come. */
static int64_t begin_call(fake *f)
{
    if (++f->calls == f->fail_call) crash_or_hang(f);
    double noise = f->noise > 0 ? exp(f->noise * jl_rng_normal(&f->rng)) : 1;
    return (int64_t)(f->call_ns * noise + (f->calls == 1 ? 1e6 * f->first_ms : 0));
}

static int call_without_work(fake *f)
{
    if (++f->calls == f->fail_call) crash_or_hang(f);
    return 0;
}

static int fake_submit(void *ctx, int slot, jl_error *err)
{
    fake *f = ctx;
    if (slot < 0 || slot >= f->in_flight)
        return jl_fail(err, JL_ERR_USAGE, "there is no slot %d", slot);
    if (!f->work) return call_without_work(f);
    int64_t t_ns = begin_call(f), now_ns = jl_now_ns();
    bool idle = f->outstanding++ == 0;
    if (!idle && f->free_ns < now_ns) { /* it ran dry before this call came */
        set_power(f, f->free_ns, f->static_w);
        idle = true;
    }
    if (idle) {
        f->free_ns = now_ns;
        set_power(f, now_ns, f->static_w + f->dynamic_j / ((double)t_ns * 1e-9 + 1e-12));
    }
    f->free_ns += t_ns;
    f->done_ns[slot] = f->free_ns;
    return 0;
}

static int fake_wait(void *ctx, int slot, jl_error *err)
{
    fake *f = ctx;
    (void)err;
    if (!f->work) return 0;
    spin_until(f->done_ns[slot]);
    if (--f->outstanding == 0) set_power(f, f->free_ns, f->static_w);
    return 0;
}

static int fake_infer(void *ctx, jl_error *err)
{
    if (!((fake *)ctx)->work) return call_without_work(ctx);
    int rc = fake_submit(ctx, 0, err);
    return rc ? rc : fake_wait(ctx, 0, err);
}

static int fake_outputs(void *ctx, const jl_tensor **outputs, size_t *count, jl_error *err)
{
    (void)err;
    *outputs = &((fake *)ctx)->output;
    *count = 1;
    return 0;
}

static int fake_describe(void *ctx, const jl_facts *facts, jl_error *err)
{
    const fake *f = ctx;
    (void)err;
    jl_device d;
    name_device(f->preset, &d);
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"roof_gflops", f->gflops * by_precision[f->configuration.precision].speed},
        {"roof_gbps", f->gbps},
        {"dispatch_us", f->dispatch_us},
        {"static_w", f->static_w},
        {"sleep_w", f->sleep_w},
        {"pj_flop", f->pj_flop * by_precision[f->configuration.precision].energy},
        {"pj_byte", f->pj_byte},
    };
    facts->add(facts->ctx, "version", JL_VERSION);
    facts->add(facts->ctx, "device", d.name);
    facts->add(facts->ctx, "device_uuid", d.uuid);
    facts->add(facts->ctx, "simulated", "1");
    facts->add(facts->ctx, "nodes_elsewhere", "0");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.9g", numbers[i].value);
        facts->add(facts->ctx, numbers[i].key, text);
    }
    return 0;
}

static int64_t fake_device_memory_bytes(void *ctx)
{
    return ((fake *)ctx)->memory_bytes;
}

const jl_runtime jl_runtime_fake = {
    .abi = JL_RUNTIME_ABI,
    .name = "fake",
    .summary = "a simulated device with known roofs, powers and failures",
    .simulated = true,
    .providers = providers,
    .options = options,
    .probe = fake_probe,
    .open = fake_open,
    .load = fake_load,
    .infer = fake_infer,
    .submit = fake_submit,
    .wait = fake_wait,
    .outputs = fake_outputs,
    .describe = fake_describe,
    .device_memory_bytes = fake_device_memory_bytes,
    .close = fake_close,
};
