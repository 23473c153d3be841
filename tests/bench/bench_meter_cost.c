/* What meters cost the measured process: calls with and without reads in the parent, in turns.
 *
 * A child runs mobilenet_v2; before each call it tells its parent whether to read the (fake) sensor
 * in the sampler's rhythm (reads of 5 ms without pause for 20 of every 100 ms) until the call ends,
 * or to be still. Calls with reads, without, and without again (A/A) take turns in random order,
 * inference by inference. The median log ratio must lie within 0.5 %, its 95 % order-statistic
 * interval included. It needs a core of its own for the parent: a busy machine measures itself.
 *
 * usage: bench_meter_cost [ROUNDS] (2,500)
 *
 * Ends with 0 (pass), 1 (fail) or 4 (inconclusive). */
#include <linux/futex.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "jouleline/meter.h"
#include "jouleline/runtime.h"
#include "jouleline/statistics.h"
#include "jouleline/zoo.h"
#include "runtime/inputs.h"

enum { PASS = 0, FAIL = 1, INCONCLUSIVE = 4, WARM = 50 };
enum { STILL, READ, DONE };
static const int64_t TICK_NS = 100000000;
static const double LIMIT = 0.005, LEVEL = 0.95;

typedef struct shared {
    _Atomic uint32_t state;
    _Atomic uint64_t reads; /* that took place while a call ran */
    double ns[];            /* 3 a round */
} shared;

static void tell(shared *s, uint32_t state)
{
    atomic_store(&s->state, state);
    syscall(SYS_futex, &s->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int play(shared *s, const char *model, const jl_inputs *inputs, size_t rounds)
{
    jl_configuration c;
    const jl_runtime *r;
    void *ctx = NULL;
    jl_error err = {0};
    int rc = jl_configuration_parse("ort-cpu/fp32+threads=1", &c, &err);
    if (!rc) rc = jl_runtime_of(&c, &r, &err);
    if (!rc) rc = r->open(&c, &ctx, &err);
    jl_load_request q = {.configuration = &c,
                         .model_name = "mobilenet_v2",
                         .model_path = model,
                         .batch = 1,
                         .inputs = inputs->tensors,
                         .input_count = inputs->count,
                         .in_flight = 1};
    if (!rc) rc = r->load(ctx, &q, &err);
    jl_rng rng = {7};
    for (int i = 0; !rc && i < WARM; i++)
        rc = r->infer(ctx, &err);
    for (size_t i = 0; !rc && i < rounds; i++) {
        int order[3] = {0, 1, 2};
        jl_rng_shuffle(&rng, order, 3, sizeof *order);
        for (int k = 0; !rc && k < 3; k++) {
            tell(s, order[k] == 2 ? READ : STILL);
            usleep(300); /* the parent starts to read before the call does */
            int64_t start_ns = jl_now_ns();
            rc = r->infer(ctx, &err);
            s->ns[3 * i + (size_t)order[k]] = (double)(jl_now_ns() - start_ns);
        }
    }
    if (rc) printf("%s\n", err.msg);
    tell(s, DONE);
    return rc != 0;
}

/* How long until the sampler would read again; 0 while it does. */
static int64_t pause_ns(void)
{
    int64_t phase_ns = jl_now_ns() % TICK_NS;
    return phase_ns < TICK_NS / 5 ? 0 : TICK_NS - phase_ns;
}

static void read_when_told(shared *s, jl_meter_set *set)
{
    uint32_t state;
    while ((state = atomic_load(&s->state)) != DONE) {
        jl_meter_reading reading;
        struct timespec wait = {0, pause_ns()};
        if (state == STILL)
            syscall(SYS_futex, &s->state, FUTEX_WAIT, STILL, NULL, NULL, 0);
        else if (wait.tv_nsec)
            syscall(SYS_futex, &s->state, FUTEX_WAIT, READ, &wait, NULL, 0);
        else if (!jl_meter_set_read(set, 0, JL_READ_ENERGY, &reading, NULL))
            atomic_fetch_add(&s->reads, 1);
    }
}

static int compare(const char *what, const double *ns, size_t rounds, int kind)
{
    double *d = malloc(rounds * sizeof *d);
    jl_summary s;
    if (!d) return FAIL;
    for (size_t i = 0; i < rounds; i++)
        d[i] = log(ns[3 * i + (size_t)kind] / ns[3 * i]);
    int rc = jl_summarise(d, rounds, LEVEL, &s, NULL);
    free(d);
    if (rc || s.median_interval.why) return INCONCLUSIVE;
    double low = s.median_interval.low, high = s.median_interval.high;
    printf("  %-28s %+.4f %% [%+.4f, %+.4f]\n", what, 100 * s.median.value, 100 * low, 100 * high);
    if (low > -LIMIT && high < LIMIT) return PASS;
    return low > LIMIT || high < -LIMIT ? FAIL : INCONCLUSIVE;
}

static jl_meter_set *fake_meter(jl_error *err)
{
    const char *build = getenv("BUILD");
    char spec[512];
    const char *specs = spec;
    jl_meter_set *set = NULL;
    snprintf(spec, sizeof spec, "nvml:%s/tests/nvml/libnvidia-ml.so.1",
             build ? build : "build/release");
    setenv("FAKE_NVML_CALL_S", "0.005", 1);
    jl_meter_set_open(&specs, 1, NULL, &set, err);
    return set;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2500;
    char model[] = "/tmp/jl_meter_cost_XXXXXX";
    static const jl_input_spec spec = {
        .name = "input", .dtype = JL_FLOAT, .rank = 4, .dims = {1, 3, 224, 224}};
    jl_inputs inputs;
    jl_error err = {0};
    int fd = mkstemp(model), status = 1;
    if (fd < 0 || rounds < 10) return FAIL;
    close(fd);
    shared *s = mmap(NULL, sizeof *s + 3 * rounds * sizeof(double), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    jl_meter_set *set = fake_meter(&err);
    if (s == MAP_FAILED || !set || jl_zoo_export("mobilenet_v2", NULL, model, &err) ||
        jl_inputs_make(&spec, 1, NULL, 1, 1, &inputs, &err)) {
        printf("%s\n", err.msg);
        unlink(model);
        return FAIL;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int rc = play(s, model, &inputs, rounds);
        fflush(stdout);
        _exit(rc);
    }
    read_when_told(s, set);
    waitpid(pid, &status, 0);
    jl_meter_set_close(set);
    jl_inputs_free(&inputs);
    unlink(model);
    if (status) return FAIL;
    printf("ort-cpu/fp32+threads=1, mobilenet_v2: %zu rounds, %.1f reads a call when on\n", rounds,
           (double)atomic_load(&s->reads) / (double)rounds);
    compare("A/A (no reads, no reads)", s->ns, rounds, 1);
    int verdict = compare("reads over no reads", s->ns, rounds, 2);
    printf("  %s: within %.1f %%\n",
           verdict == PASS   ? "pass"
           : verdict == FAIL ? "fail"
                             : "inconclusive",
           100 * LIMIT);
    return verdict;
}
