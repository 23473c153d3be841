/* Writes a store whose content is known: make_store KIND FILE.db
 *
 *   reference   the numbers of a published study
 *   simulated   a device of known roofs and energy coefficients, with probe models
 *   slower      the same, every call and joule 10 % more
 *   small       two configurations, two models, ten rounds
 *   small-worse small with one configuration 10 % slower
 *   one         small with one round
 *   empty       small before its first round
 *   ties        small with every value the same
 *   holes       small with two incomplete rounds and a run missing
 *   no-joules   small without energies */
#include <stdio.h>
#include <string.h>

#include "../fixtures/store_of_table.h"
#include "../unit/reference_study.h"
#include "../unit/simulated_study.h"

static ref_study reference;
static sim simulated;

enum { SMALL_ROUNDS = 10, SMALL_CELLS = 4 };

typedef struct small {
    jl_study_table t;
    double latency[SMALL_CELLS * SMALL_ROUNDS], energy[SMALL_CELLS * SMALL_ROUNDS];
    bool pairs[SMALL_ROUNDS];
} small;

static void make_small(small *s, double factor, double noise)
{
    static const jl_study_model models[] = {{"resnet18", "standard", false},
                                            {"mobilenet_v2", "lightweight", false}};
    static const jl_study_configuration configurations[] = {{.name = "ort-cpu/fp32"},
                                                            {.name = "ort-cpu/fp32+threads=1"}};
    static const jl_study_device device = {.name = "a processor",
                                           .uuid = "cpu-0",
                                           .gain_error = 0.05,
                                           .idle_sleeping_w = NAN,
                                           .idle_waking_w = NAN};
    static jl_study_cell cells[SMALL_CELLS];
    jl_rng rng = {3};
    for (uint32_t i = 0; i < SMALL_CELLS; i++) {
        cells[i] = (jl_study_cell){.model = i / 2,
                                   .configuration = i % 2,
                                   .batch = 1,
                                   .in_flight = 1,
                                   .flop = 1e9,
                                   .bytes = 1e7,
                                   .dispatches = 50};
        double ms = (i < 2 ? 20 : 10) * (i % 2 ? 1.5 * factor : 1);
        for (int r = 0; r < SMALL_ROUNDS; r++) {
            s->latency[i * SMALL_ROUNDS + (size_t)r] = ms * 1e6 * exp(noise * jl_rng_normal(&rng));
            s->energy[i * SMALL_ROUNDS + (size_t)r] = ms * 0.02 * exp(noise * jl_rng_normal(&rng));
            s->pairs[r] = true;
        }
    }
    s->t = (jl_study_table){.name = "small",
                            .models = models,
                            .model_count = 2,
                            .configurations = configurations,
                            .configuration_count = 2,
                            .devices = &device,
                            .device_count = 1,
                            .cells = cells,
                            .cell_count = SMALL_CELLS,
                            .rounds = SMALL_ROUNDS,
                            .pairs = s->pairs,
                            .values = {[JL_LATENCY] = s->latency, [JL_ENERGY] = s->energy}};
}

/* The first round alone: rows are as long as the rounds. */
static void keep_one_round(small *s)
{
    for (int i = 0; i < SMALL_CELLS; i++) {
        s->latency[i] = s->latency[i * SMALL_ROUNDS];
        s->energy[i] = s->energy[i * SMALL_ROUNDS];
    }
    s->t.rounds = 1;
}

static const jl_study_table *table_named(const char *kind)
{
    static small s;
    if (!strcmp(kind, "reference")) {
        ref_inputs in = ref_published();
        ref_make(&reference, &in);
        return &reference.t;
    }
    if (!strcmp(kind, "simulated") || !strcmp(kind, "slower")) {
        sim_make(&simulated, 0.01, false, true);
        size_t n = simulated.t.cell_count * SIM_ROUNDS;
        for (size_t i = 0; i < n && !strcmp(kind, "slower"); i++) {
            simulated.latency[i] *= 1.1;
            simulated.energy[i] *= 1.1;
            simulated.net[i] *= 1.1;
        }
        return &simulated.t;
    }
    make_small(&s, strcmp(kind, "small-worse") ? 1 : 1.1, strcmp(kind, "ties") ? 0.01 : 0);
    if (!strcmp(kind, "one")) keep_one_round(&s);
    if (!strcmp(kind, "empty")) s.t.rounds = 0;
    if (!strcmp(kind, "holes")) {
        s.pairs[2] = s.pairs[5] = false;
        s.latency[7] = NAN;
    }
    if (!strcmp(kind, "no-joules")) s.t.values[JL_ENERGY] = NULL;
    return &s.t;
}

int main(int argc, char **argv)
{
    jl_error err = {0};
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: make_store KIND FILE.db [HOST]\n");
        return 2;
    }
    if (!store_of_table(argv[2], table_named(argv[1]), argc == 4 ? argv[3] : "here", &err))
        return 0;
    fprintf(stderr, "make_store: %s\n", err.msg);
    return 1;
}
