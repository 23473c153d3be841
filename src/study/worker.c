#include "study/worker.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "jouleline/clock.h"
#include "jouleline/outcome.h"
#include "jouleline/runtime.h"
#include "study/tensors.h"
#include "study/wire.h"

typedef struct session {
    int control;
    const char *start;
    jl_ring ring;
    jl_arena *arena;
    jl_configuration configuration;
    const jl_runtime *runtime;
    void *ctx;
    bool loaded, called;
    const char *card; /* the only GPU that this process sees, or NULL */
    int in_flight;
} session;

void jl_worker_bind(void)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1) _exit(127); /* the parent had died before */
}

static json_t *simple(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

/* Runtimes' words are not always UTF-8. */
static json_t *words(const char *text)
{
    json_t *j = json_string(text);
    if (j) return j;
    char clean[1024];
    size_t n = 0;
    for (; *text && n + 1 < sizeof clean; text++)
        clean[n++] = (unsigned char)*text < 0x80 ? *text : '?';
    clean[n] = '\0';
    return json_string(clean);
}

static json_t *outcome_message(const char *stage, const jl_error *e)
{
    const char *name = jl_outcome_name(jl_outcome_of_error(e->code));
    return json_pack("{s:s, s:s, s:s, s:o}", "type", "outcome", "outcome", name, "stage", stage,
                     "message", words(e->msg));
}

static void add_fact(void *ctx, const char *key, const char *value)
{
    json_object_set_new(ctx, key, words(value));
}

static json_t *hello(session *s)
{
    (void)s;
    return json_pack("{s:s, s:i, s:s, s:n, s:i, s:s}", "type", "hello", "protocol", JL_PROTOCOL,
                     "runtime", "jouleline", "version", "pid", (int)getpid(), "start", s->start);
}

static json_t *describe_tensors(const jl_tensor *tensors, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        for (int k = 0; k < tensors[i].rank; k++)
            json_array_append_new(shape, json_integer(tensors[i].dims[k]));
        json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "name",
                                             tensors[i].name ? tensors[i].name : "", "dtype",
                                             jl_dtype_name(tensors[i].dtype), "shape", shape));
    }
    return all;
}

/* The driver starts every GPU that it shows to a process, a tenth of a second each: this one is
 * shown the card that it runs on, by its UUID, as number 0. What a user hid stays hidden, and a
 * single part of a card (MIG), whose name is its own, stays as it was named. */
static void see_one_card(session *s, const char *uuid)
{
    const char *seen = getenv("CUDA_VISIBLE_DEVICES");
    if (!uuid || strncmp(uuid, "GPU-", 4) != 0 || (seen && *seen && !strchr(seen, ','))) return;
    if (setenv("CUDA_VISIBLE_DEVICES", uuid, 1) != 0) return;
    s->configuration.device = 0;
    s->card = getenv("CUDA_VISIBLE_DEVICES");
}

/* NULL members of the request stay NULL; a missing cost is 0, for which runtimes are prepared. */
static int read_request(session *s, const json_t *m, jl_load_request *r, jl_error *err)
{
    const char *text = jl_json_text(m, "configuration", ""), *io = jl_json_text(m, "io", "device");
    const char *inputs_path = jl_json_text(m, "inputs_path", NULL);
    const json_t *cost = json_object_get(m, "cost");
    int64_t in_flight = jl_json_whole(m, "in_flight", 1);
    int rc = jl_configuration_parse(text, &s->configuration, err);
    if (!rc) rc = jl_runtime_of(&s->configuration, &s->runtime, err);
    if (rc) return rc;
    see_one_card(s, jl_json_text(m, "device_uuid", NULL));
    if (strcmp(io, "device") != 0 && strcmp(io, "host") != 0)
        return jl_fail(err, JL_ERR_USAGE, "io is '%s', not device or host", io);
    if (in_flight < 1 || in_flight > 1024)
        return jl_fail(err, JL_ERR_USAGE, "%lld calls in flight", (long long)in_flight);
    *r = (jl_load_request){
        .configuration = &s->configuration,
        .model_name = jl_json_text(m, "model_name", ""),
        .model_path = jl_json_text(m, "model_path", NULL),
        .weights_path = jl_json_text(m, "weights_path", NULL),
        .batch = jl_json_whole(m, "batch", 1),
        .placement = strcmp(io, "host") ? JL_IO_DEVICE : JL_IO_HOST,
        .in_flight = (int)in_flight,
        .trust = json_is_true(json_object_get(m, "trust")),
        .cost_flop = jl_json_number(cost, "flop", 0),
        .cost_bytes = jl_json_number(cost, "bytes", 0),
        .cost_nodes = jl_json_number(cost, "nodes", 0),
        .scratch = jl_json_text(m, "scratch", NULL),
    };
    s->in_flight = r->in_flight;
    jl_tensor *inputs = NULL;
    if (inputs_path) rc = jl_tensors_read(inputs_path, s->arena, &inputs, &r->input_count, err);
    r->inputs = inputs;
    return rc;
}

static int load(session *s, const json_t *m, json_t **answer, jl_error *err)
{
    if (s->ctx) return jl_fail(err, JL_ERR_USAGE, "a worker loads once");
    jl_load_request r;
    int rc = read_request(s, m, &r, err);
    if (rc) return rc;
    int64_t start_ns = jl_now_ns();
    rc = s->runtime->open(&s->configuration, &s->ctx, err);
    if (!rc) rc = s->runtime->load(s->ctx, &r, err);
    int64_t load_ns = jl_now_ns() - start_ns;
    if (rc) return rc;
    s->loaded = true;
    JL_JSON *facts = json_object();
    jl_facts sink = {.add = add_fact, .ctx = facts};
    rc = s->runtime->describe(s->ctx, &sink, err);
    if (rc) return rc;
    if (s->card) add_fact(facts, "visible_devices", s->card);
    *answer = json_pack("{s:s, s:I, s:O, s:o, s:o}", "type", "loaded", "load_ns",
                        (json_int_t)load_ns, "facts", facts, "inputs",
                        describe_tensors(r.inputs, r.input_count), "outputs", json_array());
    return 0;
}

/* VmHWM: getrusage would include the parent's memory from before exec or fork. */
static json_t *peak_rss(void)
{
    char line[256];
    long long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld", &kib) != 1) kib = -1;
    if (f) fclose(f);
    return kib < 0 ? json_null() : json_integer(kib * 1024);
}

static int timed(session *s, const json_t *m, bool warm, json_t **answer, jl_error *err)
{
    if (!s->loaded) return jl_fail(err, JL_ERR_USAGE, "nothing is loaded");
    int64_t min_calls = warm ? jl_json_whole(m, "min_calls", 1) : 1;
    jl_loop l = {.runtime = s->runtime,
                 .session = s->ctx,
                 .ring = &s->ring,
                 .in_flight = s->in_flight,
                 .min_calls = min_calls > 0 ? (uint64_t)min_calls : 1,
                 .max_ns = jl_json_whole(m, "max_ns", 10 * JL_NS_PER_S),
                 .state = warm ? JL_RING_WARMING : JL_RING_MEASURING};
    jl_loop_result r;
    int rc = jl_loop_run(&l, &r, err);
    if (rc) return rc;
    s->called = true;
    if (warm) {
        *answer = json_pack("{s:s, s:I, s:I, s:s}", "type", "warmed", "calls", (json_int_t)r.calls,
                            "first_call_ns", (json_int_t)(s->ring.pairs[1] - s->ring.pairs[0]),
                            "stopped", r.stopped);
        return 0;
    }
    int64_t device = s->runtime->device_memory_bytes ? s->runtime->device_memory_bytes(s->ctx) : -1;
    *answer = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "type", "measured", "calls",
                        (json_int_t)r.calls, "start_ns", (json_int_t)r.start_ns, "end_ns",
                        (json_int_t)r.end_ns, "cpu_ns", (json_int_t)r.cpu_ns, "stopped", r.stopped,
                        "peak_rss_bytes", peak_rss(), "device_memory_bytes",
                        device < 0 ? json_null() : json_integer(device));
    return 0;
}

static int check(session *s, const json_t *m, json_t **answer, jl_error *err)
{
    const char *path = jl_json_text(m, "path", NULL);
    if (!path) return jl_fail(err, JL_ERR_USAGE, "check has no path");
    if (!s->called) return jl_fail(err, JL_ERR_USAGE, "there was no call yet");
    const jl_tensor *outputs;
    size_t count;
    int rc = s->runtime->outputs(s->ctx, &outputs, &count, err);
    if (!rc) rc = jl_tensors_write(path, outputs, count, err);
    if (!rc) *answer = json_pack("{s:s, s:s}", "type", "checked", "path", path);
    return rc;
}

/* Answers one request; false after `bye`. */
static bool serve_one(session *s, const json_t *m, json_t **answer)
{
    jl_error e = {0};
    const char *type = jl_json_text(m, "type", "");
    int rc = 0;
    if (!strcmp(type, "hello")) {
        *answer = hello(s);
    } else if (!strcmp(type, "load")) {
        rc = load(s, m, answer, &e);
    } else if (!strcmp(type, "warm") || !strcmp(type, "measure")) {
        rc = timed(s, m, type[0] == 'w', answer, &e);
    } else if (!strcmp(type, "check")) {
        rc = check(s, m, answer, &e);
    } else if (!strcmp(type, "bye")) {
        *answer = simple("bye");
        return false;
    } else {
        *answer = json_pack("{s:s, s:o}", "type", "error", "message",
                            json_sprintf("unknown request '%s'", type));
    }
    if (rc) *answer = outcome_message(type, &e);
    return true;
}

int jl_worker_serve(int control_fd, int ring_fd, const char *start)
{
    session s = {.control = control_fd, .start = start, .arena = jl_arena_new()};
    jl_error e = {0};
    int rc = s.arena ? jl_ring_map(&s.ring, ring_fd, &e)
                     : jl_fail(&e, JL_ERR_MEMORY, "no memory for a worker");
    if (rc) {
        jl_wire_send(control_fd, json_pack("{s:s, s:s}", "type", "error", "message", e.msg), NULL,
                     0, NULL);
        jl_arena_free(s.arena);
        return 1;
    }
    for (bool more = true; more && !rc;) {
        json_t *answer = NULL;
        JL_JSON *m = NULL;
        rc = jl_wire_receive(control_fd, INT64_MAX, &m, NULL, &e);
        if (rc == JL_ERR_TIMEOUT) { /* a signal */
            rc = 0;
            continue;
        }
        if (!rc) more = serve_one(&s, m, &answer);
        bool leaves = !more && s.runtime && s.runtime->ends_with_process;
        if (!rc && !more && !leaves && s.runtime && s.ctx) {
            s.runtime->close(s.ctx);
            s.ctx = NULL;
        }
        if (!rc) rc = jl_wire_send(control_fd, answer, NULL, 0, &e);
        if (!rc && leaves) _exit(0);
    }
    if (rc == JL_ERR_FORMAT)
        jl_wire_send(control_fd, json_pack("{s:s, s:s}", "type", "error", "message", e.msg), NULL,
                     0, NULL);
    if (s.runtime && s.ctx) s.runtime->close(s.ctx);
    jl_ring_close(&s.ring);
    jl_arena_free(s.arena);
    return rc && rc != JL_ERR_CRASH ? 1 : 0; /* the parent may just close the channel */
}
