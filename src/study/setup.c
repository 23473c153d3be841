/* Before the first round. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/fake_device.h"
#include "jouleline/clock.h"
#include "study/converter.h"
#include "study/host.h"
#include "study/reference.h"
#include "study/state.h"

enum { RING_CALLS = 1 << 18 };
static const double FAKE_SLEEP_W = 20;

static int make_fake_device(jl_study_state *s, jl_error *err)
{
    const char *uuid = NULL;
    for (size_t i = 0; i < s->plan.configuration_count && !uuid; i++)
        if (s->plan.configurations[i].runtime->simulated)
            uuid = s->plan.configurations[i].parsed.provider;
    if (!uuid) return 0;
    s->fake_fd = memfd_create("jouleline-fake-device", MFD_CLOEXEC);
    if (s->fake_fd < 0 || ftruncate(s->fake_fd, JL_FAKE_DEVICE_BYTES) != 0)
        return jl_fail_errno(err, JL_ERR_IO, "cannot make a simulated device");
    jl_fake_device *d =
        mmap(NULL, JL_FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fake_fd, 0);
    if (d == MAP_FAILED) return jl_fail_errno(err, JL_ERR_IO, "cannot map a simulated device");
    jl_fake_device_init(d, jl_now_ns(), FAKE_SLEEP_W);
    snprintf(d->uuid, sizeof d->uuid, "FAKE-%s-0", uuid);
    munmap(d, JL_FAKE_DEVICE_BYTES);
    return 0;
}

static int open_meters(jl_study_state *s, jl_error *err)
{
    jl_meter_options options = {.fake_device_fd = s->fake_fd};
    int rc = jl_meter_set_open(s->spec->meters, s->spec->meter_count, &options, &s->meters, err);
    if (rc) return rc;
    size_t n = jl_meter_set_count(s->meters);
    s->meter_ids = jl_arena_array(s->arena, n + 1, sizeof *s->meter_ids);
    if (!s->meter_ids) return jl_fail(err, JL_ERR_MEMORY, "no memory for the meters");
    for (size_t i = 0; i < n && !rc; i++) {
        const jl_meter_domain *d = jl_meter_set_domain(s->meters, i);
        char uid[256];
        jl_host host;
        jl_host_describe(&host);
        snprintf(uid, sizeof uid, "%s/%s", host.uid, d->id);
        jl_meter_record r = {.uid = uid,
                             .name = d->meter,
                             .domain = d->id,
                             .kind = jl_domain_kind_name(d->kind),
                             .label = d->label,
                             .device_uid = *d->device_uuid ? d->device_uuid : NULL,
                             .tick_s = d->tick_s > 0 ? d->tick_s : NAN,
                             .gain_rel = d->gain_rel > 0 ? d->gain_rel : NAN,
                             .simulated = d->simulated,
                             .modelled = d->modelled};
        rc = jl_store_meter(s->store, s->host, &r, &s->meter_ids[i], err);
    }
    return rc || !n ? rc : jl_metering_start(s->meters, &jl_clock_real, &s->metering, err);
}

static int store_device(jl_study_state *s, jl_plan_configuration *c, jl_error *err)
{
    jl_host host;
    jl_host_describe(&host);
    char uid[128], processor[96];
    jl_cpu_name(processor, sizeof processor);
    /* Also of a provider with another name that computes on the processor. */
    bool cpu = !c->device.simulated && !*c->device.uuid &&
               (!strcmp(c->device.provider, "cpu") || !strcmp(c->device.name, processor));
    const char *kind = cpu ? "cpu" : c->device.provider;
    if (*c->device.uuid)
        snprintf(uid, sizeof uid, "%s", c->device.uuid);
    else
        snprintf(uid, sizeof uid, "%s-%s-%d", host.uid, kind, c->device.index);
    jl_device_record d = {.uid = uid,
                          .kind = kind,
                          .driver = *c->driver ? c->driver : NULL,
                          .name = cpu && *host.cpu ? host.cpu : c->device.name,
                          .position = c->device.index,
                          .simulated = c->device.simulated};
    return jl_store_device(s->store, s->host, &d, &c->device_id, err);
}

/* Where the kernel's module does not tell its version, a container for one, the board's meter may.
 */
static int drivers_from_meters(jl_study_state *s, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->plan.configuration_count && !rc; i++) {
        jl_plan_configuration *c = &s->plan.configurations[i];
        int gpu = c->absent || *c->driver || !*c->device.uuid
                      ? -1
                      : jl_meter_set_gpu(s->meters, c->device.uuid);
        if (gpu < 0) continue;
        snprintf(c->driver, sizeof c->driver, "%s",
                 jl_meter_set_domain(s->meters, (size_t)gpu)->driver);
        if (*c->driver) rc = store_device(s, c, err);
    }
    return rc;
}

static uint64_t drawn_seed(void)
{
    uint64_t seed = 0;
    while (!seed)
        if (getrandom(&seed, sizeof seed, 0) < 0) seed = (uint64_t)jl_now_ns();
    return seed >> 1; /* SQLite's numbers are signed */
}

static int find_study(jl_study_state *s, jl_error *err)
{
    char uid[33] = "";
    int rc = 0;
    if (s->spec->resume)
        rc = jl_store_study_find(s->store, s->plan.spec_json, &s->id, uid, &s->seed, err);
    if (rc) return rc;
    if (s->spec->resume && !s->id)
        jl_study_say(s->events, "nothing to resume: the store holds no study with these settings; "
                                "starting a new one");
    if (!s->id) {
        s->seed = s->spec->seed ? s->spec->seed : drawn_seed();
        jl_study_record r = {.name = s->spec->name, .spec = s->plan.spec_json, .seed = s->seed};
        jl_store_uid(r.uid);
        snprintf(uid, sizeof uid, "%s", r.uid);
        rc = jl_store_study(s->store, &r, &s->id, err);
    }
    memcpy(s->result->uid, uid, sizeof s->result->uid);
    return rc;
}

static int store_configuration(jl_study_state *s, jl_plan_configuration *c, jl_error *err)
{
    int rc = jl_store_configuration(s->store, c->text, &c->id, err);
    if (rc || c->absent) return rc;
    if (*c->device.uuid && !c->device.simulated)
        jl_host_gpu_driver(NULL, c->driver, sizeof c->driver);
    return store_device(s, c, err);
}

static int store_plan(jl_study_state *s, jl_error *err)
{
    jl_plan *p = &s->plan;
    int rc = 0;
    for (size_t i = 0; i < p->model_count && !rc; i++) {
        jl_plan_model *m = &p->models[i];
        char uid[160];
        snprintf(uid, sizeof uid, "unread-%s", m->name);
        jl_model_record r = {.uid = m->uid ? m->uid : uid,
                             .name = m->name,
                             .kind = m->probe ? "probe"
                                     : m->zoo ? "zoo"
                                              : "file",
                             .family = m->family,
                             .path = m->zoo    ? NULL
                                     : m->onnx ? m->onnx
                                               : m->torch,
                             .bytes = m->bytes,
                             .parameters = m->parameters,
                             .opset = m->opset};
        rc = jl_store_model(s->store, &r, &m->id, err);
    }
    for (size_t i = 0; i < p->configuration_count && !rc; i++)
        rc = store_configuration(s, &p->configurations[i], err);
    for (size_t i = 0; i < p->cell_count && !rc; i++) {
        jl_plan_cell *c = &p->cells[i];
        const jl_plan_model *m = &p->models[c->model];
        const jl_plan_batch *b = &m->batches[c->batch];
        const jl_plan_configuration *conf = &p->configurations[c->configuration];
        const jl_plan_cost *cost = &b->cost[conf->parsed.precision];
        jl_cell_record r = {.model = m->id,
                            .configuration = conf->id,
                            .batch = b->batch,
                            .in_flight = c->in_flight,
                            .io = s->spec->host_io ? "host" : "device",
                            .inputs = b->inputs_key ? b->inputs_key : "",
                            .flop = cost->flop,
                            .moved_bytes = cost->moved_bytes,
                            .nodes = cost->nodes};
        rc = jl_store_cell(s->store, s->id, &r, &c->id, err);
    }
    return rc;
}

static bool wants_fork(const jl_study_state *s, const jl_plan_configuration *c)
{
    if (s->spec->start == JL_START_AUTO) return !strcmp(c->parsed.runtime, "pytorch");
    return s->spec->start == JL_START_FORK;
}

/* One nursery a runtime and library. */
static int start_nurseries(jl_study_state *s, jl_error *err)
{
    jl_plan *p = &s->plan;
    const char *keys[JL_STUDY_NURSERIES];
    for (size_t i = 0; i < p->configuration_count; i++) {
        jl_plan_configuration *c = &p->configurations[i];
        if (c->absent || !wants_fork(s, c)) continue;
        const char *lib = jl_configuration_option(&c->parsed, "lib");
        const char *key = jl_arena_printf(s->arena, "%s-%s %s", c->parsed.runtime,
                                          c->parsed.provider, lib ? lib : "");
        for (size_t k = 0; key && k < s->nursery_count; k++)
            if (!strcmp(keys[k], key)) c->nursery = &s->nurseries[k];
        if (c->nursery || !key) continue;
        if (s->nursery_count == JL_STUDY_NURSERIES)
            return jl_fail(err, JL_ERR_LIMIT,
                           "more than %d libraries to fork from; use --start exec",
                           JL_STUDY_NURSERIES);
        jl_nursery *n = &s->nurseries[s->nursery_count];
        jl_error e = {0};
        if (jl_nursery_start(&c->launch, c->text, s->spec->timeout_ns, n, &e)) {
            char line[1200];
            snprintf(line, sizeof line, "%s; starting its workers one by one", e.msg);
            jl_study_say(s->events, line);
            continue;
        }
        keys[s->nursery_count++] = key;
        c->nursery = n;
    }
    return 0;
}

int jl_study_set_up(jl_study_state *s, jl_error *err)
{
    jl_host host;
    jl_host_describe(&host);
    int rc = jl_plan_new(s->spec, s->arena, &s->plan, err);
    if (!rc) rc = jl_store_claim(s->store, &host.record, &s->host, &s->boot, err);
    if (!rc) rc = find_study(s, err);
    if (!rc) rc = make_fake_device(s, err);
    if (!rc) rc = jl_plan_probe(&s->plan, s->fake_fd, err);
    if (!rc) rc = jl_converter_probe(&s->plan, err);
    if (!rc) rc = jl_plan_prepare(&s->plan, s->scratch.s, s->events, s->interrupted, err);
    s->waking = jl_arena_array(s->arena, s->plan.configuration_count + 1, sizeof *s->waking);
    if (!rc && !s->waking) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for a study");
    if (!rc) rc = store_plan(s, err);
    if (!rc) rc = jl_ring_create(&s->ring, RING_CALLS, err);
    if (!rc) rc = start_nurseries(s, err);
    if (!rc && !s->spec->no_check)
        rc = jl_reference_make(&s->plan, s->scratch.s, &s->ring, s->events, s->interrupted, err);
    if (!rc) rc = open_meters(s, err);
    if (!rc) rc = drivers_from_meters(s, err);
    s->result->cells = s->plan.cell_count - s->plan.probe_cell_count;
    return rc;
}

void jl_study_tear_down(jl_study_state *s)
{
    jl_metering_stop(s->metering);
    jl_meter_set_close(s->meters);
    for (size_t i = 0; i < s->nursery_count; i++)
        jl_nursery_end(&s->nurseries[i]);
    jl_ring_close(&s->ring);
    if (s->fake_fd > 0) close(s->fake_fd);
}
