/* What the timed loop adds to a call of a small model on one thread, for every runtime in C.
 * A bare call of the library's C interface and one turn of the loop (stamps, the call through the
 * vtable, the store, the flag) take turns in random order, inference by inference, in one process
 * and one session; a second bare call is the A/A comparison beside it. The three are over before a
 * time slice is, so that other load mostly hits all of them or none; and 0.5 % of so short a call
 * is less than of any real one. The median log ratio must lie within 0.5 %, its 95 %
 * order-statistic interval included. usage: bench_overhead [ROUNDS [RUNTIME]] (20,000, all) Ends
 * with 0 (pass), 1 (fail) or 4 (inconclusive). */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "jouleline/clock.h"
#include "jouleline/statistics.h"
#include "jouleline/zoo.h"
#include "runtime/inputs.h"
#include "runtime/libtorch.h"
#include "runtime/openvino.h"
#include "runtime/ort.h"

enum { PASS = 0, FAIL = 1, INCONCLUSIVE = 4, WARM = 50 };
static const double LIMIT = 0.005, LEVEL = 0.95;
static const char model_name[] = "probe_matmul_64x256x1"; /* about 0.2 ms */

/* Of the three kinds of call: bare, bare again, a turn of the loop. */
typedef struct triple {
    double ns[3];
} triple;

static int bare_ort(void *ctx)
{
    ort *o = ctx;
    return o->library.api->RunWithBinding(o->session, o->run_options, o->slots[0].binding) != NULL;
}

static int bare_openvino(void *ctx)
{
    openvino *o = ctx;
    return o->library.api.infer_request_infer(o->requests[0]);
}

static int bare_libtorch(void *ctx)
{
    libtorch *t = ctx;
    jl_torch_message m;
    return t->api->infer(t->session, &m);
}

static const struct {
    const char *configuration;
    int (*bare)(void *ctx);
} cases[] = {
    {"ort-cpu/fp32+threads=1", bare_ort},
    {"openvino-cpu/fp32+threads=1", bare_openvino},
    {"libtorch-cpu/fp32+threads=1", bare_libtorch},
};

/* Where a turn of the timed loop puts its stamps. */
typedef struct ring {
    int64_t (*pairs)[2];
    _Atomic uint64_t write;
    _Atomic uint32_t stop;
} ring;

static int loop_turn(const jl_runtime *r, void *ctx, ring *to)
{
    uint64_t i = atomic_load_explicit(&to->write, memory_order_relaxed);
    int64_t start_ns = jl_now_ns();
    int rc = r->infer(ctx, NULL);
    int64_t end_ns = jl_now_ns();
    to->pairs[i][0] = start_ns;
    to->pairs[i][1] = end_ns;
    atomic_store_explicit(&to->write, i + 1, memory_order_release);
    return rc || atomic_load_explicit(&to->stop, memory_order_relaxed);
}

/* In random order, a row a round. */
static int measure(const jl_runtime *r, void *ctx, int (*bare)(void *), size_t rounds, triple *rows)
{
    ring to = {.pairs = calloc(rounds, sizeof *to.pairs)};
    jl_rng rng = {42};
    int rc = to.pairs ? 0 : -1;
    for (int i = 0; !rc && i < WARM; i++)
        rc = bare(ctx);
    for (size_t i = 0; !rc && i < rounds; i++) {
        int order[3] = {0, 1, 2};
        jl_rng_shuffle(&rng, order, 3, sizeof *order);
        int64_t last_ns = jl_now_ns();
        for (int k = 0; !rc && k < 3; k++) {
            rc = order[k] == 2 ? loop_turn(r, ctx, &to) : bare(ctx);
            int64_t now_ns = jl_now_ns();
            rows[i].ns[order[k]] = (double)(now_ns - last_ns);
            last_ns = now_ns;
        }
    }
    free(to.pairs);
    return rc;
}

/* Prints the median log ratio of call `kind` over the first; returns the verdict. The interval is
 * the sign test's: the order of every round is drawn on its own, so without a difference each sign
 * is a fair coin, whatever else the machine does. */
static int compare(const char *what, size_t rounds, const triple *t, int kind)
{
    JL_OWNED double *d = malloc(rounds * sizeof *d);
    jl_summary s;
    if (!d) return FAIL;
    for (size_t i = 0; i < rounds; i++)
        d[i] = log(t[i].ns[kind] / t[i].ns[0]);
    if (jl_summarise(d, rounds, LEVEL, &s, NULL) || s.median_interval.why) return INCONCLUSIVE;
    double low = s.median_interval.low, high = s.median_interval.high;
    printf("  %-16s %+.4f %% [%+.4f, %+.4f] (%.1f %% interval, half-width %.3f %%)\n", what,
           100 * s.median.value, 100 * low, 100 * high, 100 * s.median_interval.level,
           50 * (high - low));
    if (low > -LIMIT && high < LIMIT) return PASS;
    return low > LIMIT || high < -LIMIT ? FAIL : INCONCLUSIVE;
}

static int run_case(size_t k, const char *model, const jl_inputs *inputs, size_t rounds)
{
    jl_configuration c;
    const jl_runtime *r;
    void *ctx = NULL;
    jl_error err = {0};
    int rc = jl_configuration_parse(cases[k].configuration, &c, &err);
    if (!rc) rc = jl_runtime_of(&c, &r, &err);
    if (!rc) rc = r->open(&c, &ctx, &err);
    jl_load_request q = {.configuration = &c,
                         .model_name = model_name,
                         .model_path = model,
                         .batch = 1,
                         .inputs = inputs->tensors,
                         .input_count = inputs->count,
                         .in_flight = 1};
    if (!rc) rc = r->load(ctx, &q, &err);
    JL_OWNED triple *rows = calloc(rounds, sizeof *rows);
    if (!rc && (!rows || measure(r, ctx, cases[k].bare, rounds, rows)))
        rc = jl_fail(&err, JL_ERR, "a call failed");
    if (ctx) r->close(ctx);
    if (rc) {
        printf("%s: %s\n", cases[k].configuration, err.msg);
        return rc == JL_ERR_MISSING ? INCONCLUSIVE : FAIL;
    }
    double mean_ns = 0;
    for (size_t i = 0; i < rounds; i++)
        mean_ns += rows[i].ns[0] / (double)rounds;
    printf("%s, %s, batch 1: %zu rounds, bare call %.3f ms on average\n", cases[k].configuration,
           model_name, rounds, mean_ns * 1e-6);
    compare("A/A (bare, bare)", rounds, rows, 1);
    int verdict = compare("loop over bare", rounds, rows, 2);
    printf("  %s: within %.1f %%\n",
           verdict == PASS   ? "pass"
           : verdict == FAIL ? "fail"
                             : "inconclusive",
           100 * LIMIT);
    return verdict;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    char model[] = "/tmp/jl_overhead_XXXXXX";
    static const jl_input_spec spec = {
        .name = "input", .dtype = JL_FLOAT, .rank = 3, .dims = {1, 1, 256}};
    jl_inputs inputs;
    jl_error err = {0};
    int fd = mkstemp(model), worst = PASS;
    if (fd < 0 || rounds < 10) return FAIL;
    close(fd);
    if (jl_zoo_export(model_name, NULL, model, &err) ||
        jl_inputs_make(&spec, 1, NULL, 1, 1, &inputs, &err)) {
        printf("%s\n", err.msg);
        unlink(model);
        return FAIL;
    }
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        size_t n = strcspn(cases[k].configuration, "-");
        if (argc > 2 && (strlen(argv[2]) != n || strncmp(argv[2], cases[k].configuration, n) != 0))
            continue;
        int verdict = run_case(k, model, &inputs, rounds);
        if (verdict == FAIL || (verdict == INCONCLUSIVE && worst == PASS)) worst = verdict;
    }
    jl_inputs_free(&inputs);
    unlink(model);
    return worst;
}
