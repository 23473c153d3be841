/* A meter plugin, hook by hook. Build it with nothing but this header folder:
 *
 *     cc -shared -fPIC -I include -o meter_plugin.so examples/meter_plugin.c
 *     jouleline measure --meter plugin:./meter_plugin.so,watts.txt -- sleep 2
 *
 * It shows the watts that somebody else writes into a file. Copy it and replace the bodies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jouleline/meter.h"

typedef struct file_meter {
    char path[1024];
    jl_meter_domain domain;
} file_meter;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * JL_NS_PER_S + t.tv_nsec;
}

static int fail(jl_error *err, int code, const char *what, const char *path)
{
    if (err) {
        err->code = code;
        snprintf(err->msg, sizeof err->msg, "%s %.900s", what, path);
    }
    return code;
}

static int read_watts(const char *path, double *watts)
{
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    int ok = fscanf(f, "%lf", watts) == 1 && *watts >= 0;
    fclose(f);
    return ok;
}

/* Does it work here? `what` says what was found or why not, `fix` the step that would help. */
static void file_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    double watts;
    const char *path = options->args ? options->args : "watts.txt";
    *out = (jl_meter_probe){.works = read_watts(path, &watts)};
    snprintf(out->what, sizeof out->what, "%s %.400s", out->works ? "watts from" : "no watts in",
             path);
    if (!out->works) snprintf(out->fix, sizeof out->fix, "echo 42 >%s", path);
}

/* What followed the library's name and a comma is in options->args. */
static int file_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    double watts;
    file_meter *m = calloc(1, sizeof *m);
    if (!m) return JL_ERR_MEMORY;
    snprintf(m->path, sizeof m->path, "%s", options->args ? options->args : "watts.txt");
    if (!read_watts(m->path, &watts)) {
        fail(err, JL_ERR_MISSING, "there is no number of watts in", m->path);
        free(m);
        return JL_ERR_MISSING;
    }
    /* Say what the sensor is: how often it updates, what its readings average over, and how wrong
     * its scale may be. A sensor that counts joules sets has_counter instead of has_power. */
    m->domain = (jl_meter_domain){.id = "file:0",
                                  .meter = "file",
                                  .label = "watts from a file",
                                  .kind = JL_DOMAIN_WALL,
                                  .unit = -1,
                                  .parent = -1,
                                  .has_power = true,
                                  .quantum_w = 0.1,
                                  .tick_s = 0.1,
                                  .power_average_s = 0,
                                  .gain_rel = 0.05};
    *ctx = m;
    return 0;
}

static const jl_meter_domain *file_domains(void *ctx, size_t *count)
{
    *count = 1;
    return &((file_meter *)ctx)->domain;
}

/* Called from one thread a domain, often: open what you can beforehand. Note the time on both
 * sides of the call that reads the sensor. JL_ERR_MISSING: it is gone for good. */
static int file_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out, jl_error *err)
{
    file_meter *m = ctx;
    (void)domain;
    if (!(want & JL_READ_POWER)) return 0;
    out->t_before_ns = now_ns();
    if (!read_watts(m->path, &out->power_w))
        return fail(err, JL_ERR_IO, "there is no number of watts in", m->path);
    out->t_after_ns = now_ns();
    out->valid = JL_READ_POWER;
    return 0;
}

static const jl_meter_vtable file_meter_table = {
    .abi = JL_METER_ABI,
    .name = "file",
    .summary = "watts from a file",
    .probe = file_probe,
    .open = file_open,
    .domains = file_domains,
    .read = file_read,
    .close = free,
};

/* The one symbol that jouleline looks for. */
const jl_meter_vtable *jouleline_meter(void);
const jl_meter_vtable *jouleline_meter(void)
{
    return &file_meter_table;
}
