/* The analysis of large studies: time and memory by size, and whether time grows linearly.
 * usage: bench_study_scale [MODELS] (100): MODELS models x 50 configurations x 8 batches x 25
 * rounds, two metrics. */
#include "base/rng.h"
#include "jouleline/clock.h"
#include "jouleline/comparison.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { CONFIGURATIONS = 50, BATCHES = 8, ROUNDS = 25 };

typedef struct study {
    jl_study_table t;
    jl_study_model *models;
    jl_study_configuration configurations[CONFIGURATIONS];
    jl_study_device device;
    jl_study_cell *cells;
    double *latency, *energy;
} study;

static void make(study *s, size_t models)
{
    size_t cells = models * CONFIGURATIONS * BATCHES;
    s->models = calloc(models, sizeof *s->models);
    s->cells = calloc(cells, sizeof *s->cells);
    s->latency = calloc(cells * ROUNDS, sizeof *s->latency);
    s->energy = calloc(cells * ROUNDS, sizeof *s->energy);
    if (!s->models || !s->cells || !s->latency || !s->energy) exit(1);
    jl_rng rng = {1};
    for (size_t i = 0; i < models; i++)
        s->models[i].name = "model";
    for (size_t i = 0; i < CONFIGURATIONS; i++)
        s->configurations[i] = (jl_study_configuration){
            .name = "c", .runtime = "r", .provider = "p", .precision = "fp32"};
    s->device = (jl_study_device){.name = "device", .simulated = true};
    for (size_t i = 0; i < cells; i++) {
        s->cells[i] = (jl_study_cell){.model = (uint32_t)(i / CONFIGURATIONS / BATCHES),
                                      .configuration = (uint32_t)(i % CONFIGURATIONS),
                                      .batch = (uint32_t)(1 + i / CONFIGURATIONS % BATCHES),
                                      .in_flight = 1};
        for (size_t r = 0; r < ROUNDS; r++) {
            s->latency[i * ROUNDS + r] = 1e6 * exp(0.02 * jl_rng_normal(&rng));
            s->energy[i * ROUNDS + r] = exp(0.02 * jl_rng_normal(&rng));
        }
    }
    s->t = (jl_study_table){.models = s->models,
                            .model_count = models,
                            .configurations = s->configurations,
                            .configuration_count = CONFIGURATIONS,
                            .devices = &s->device,
                            .device_count = 1,
                            .cells = s->cells,
                            .cell_count = cells,
                            .rounds = ROUNDS,
                            .values = {s->latency, s->energy}};
}

static double seconds_since(int64_t start_ns)
{
    return (double)(jl_now_ns() - start_ns) * 1e-9;
}

static double peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void compare(const study *s, uint32_t baseline, bool study_wide, unsigned threads)
{
    for (int metric = 0; metric < 2; metric++) {
        jl_comparisons c;
        jl_error err = {0};
        jl_comparison_options o = {.metric = (jl_metric)metric,
                                   .baseline = baseline,
                                   .study_wide = study_wide,
                                   .threads = threads};
        if (jl_compare_study(&s->t, &o, &c, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            exit(1);
        }
        jl_comparisons_free(&c);
    }
}

static double analyse(const study *s)
{
    int64_t start_ns = jl_now_ns();
    jl_summary *summaries = calloc(s->t.cell_count, sizeof *summaries);
    if (!summaries) exit(1);
    for (int metric = 0; metric < 2; metric++)
        if (jl_study_summaries(&s->t, (jl_metric)metric, 0.95, summaries, NULL)) exit(1);
    free(summaries);
    compare(s, 0, false, 1);
    return seconds_since(start_ns);
}

int main(int argc, char **argv)
{
    size_t models = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
    if (models < 1 || models > 1000) {
        fprintf(stderr, "usage: bench_study_scale [MODELS, 1 to 1000]\n");
        return 2;
    }
    study small = {0}, large = {0};
    make(&small, 1);
    analyse(&small); /* first touch */
    double small_s = analyse(&small);
    make(&large, models);
    double large_s = analyse(&large);
    printf("%zu runs: medians and one baseline, two metrics, %.4f s\n", small.t.cell_count * ROUNDS,
           small_s);
    bool ok = large_s <= 5 && peak_mib() <= 512;
    printf("%zu runs: the same, %.2f s (bound 5 s), peak %.0f MiB (bound 512); per run %.2f x\n",
           large.t.cell_count * ROUNDS, large_s, peak_mib(), large_s / small_s / (double)models);
    int64_t start_ns = jl_now_ns();
    compare(&large, JL_ALL_PAIRS, false, 2);
    double pairs_s = seconds_since(start_ns);
    printf("%zu pairs, two metrics, two threads: family (a) %.1f s (bound 60 s)\n",
           models * BATCHES * CONFIGURATIONS * (CONFIGURATIONS - 1) / 2, pairs_s);
    start_ns = jl_now_ns();
    compare(&large, JL_ALL_PAIRS, true, 2);
    double both_s = seconds_since(start_ns);
    printf("the same with family (b): %.1f s (bound 60 s), peak %.0f MiB\n", both_s, peak_mib());
    return ok && pairs_s <= 60 && both_s <= 60 ? 0 : 1;
}
