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
 *   no-joules   small without energies
 *   errors      small with what runs state of their errors, two calls in flight, idle powers */
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

/* Cell 0 repeats as its runs state, cell 1 worse, cell 2 was unsettled, cell 3 takes no more than
 * idle and has two calls in flight; the sleeping idle power drifts by 0.5 W a round. */
static void add_errors(small *s)
{
    enum { VALUES = SMALL_CELLS * SMALL_ROUNDS };
    static double net[VALUES], details[JL_DETAIL_COUNT][VALUES];
    static jl_study_cell cells[SMALL_CELLS];
    static jl_study_idle idles[2 * SMALL_ROUNDS];
    memcpy(cells, s->t.cells, sizeof cells);
    cells[2].unsettled = 4;
    cells[3].in_flight = 2;
    s->t.cells = cells;
    for (int i = 0; i < VALUES; i++) {
        int cell = i / SMALL_ROUNDS, sign = i % 2 ? 1 : -1;
        double j = s->energy[i];
        net[i] = cell < 3 ? 0.5 * j : 1e-4 * sign;
        details[JL_DETAIL_NET_WAKING_SE][i] = 0.01 * j;
        details[JL_DETAIL_ENERGY_SE][i] = (cell == 1 ? 0.001 : 0.012) * j;
        details[JL_DETAIL_ENERGY_SENSOR_SE][i] = 0.0006 * j;
        details[JL_DETAIL_DRIFT][i] = cell == 2 ? 0.031 : 0.001 * sign;
        details[JL_DETAIL_POWER_CHECK][i] = 0.002 * sign;
        details[JL_DETAIL_THROUGHPUT][i] = 1e9 / s->latency[i] * (cell == 3 ? 1.9 : 0.99);
    }
    for (size_t r = 0; r < SMALL_ROUNDS; r++)
        for (size_t waking = 0; waking < 2; waking++)
            idles[2 * r + waking] =
                (jl_study_idle){.waking = waking,
                                .round = r,
                                .power_w = waking ? 60 + 0.1 * (double)(r % 3)
                                                  : 20 + 0.5 * (double)r + 0.2 * (double)(r % 2),
                                .power_se_w = 0.3,
                                .sm_clock_mhz = waking ? 1980 : 345,
                                .temperature_c = 40};
    s->t.values[JL_ENERGY_NET_WAKING] = net;
    for (int k = 0; k < JL_DETAIL_COUNT; k++)
        s->t.details[k] = details[k];
    s->t.idles = idles;
    s->t.idle_count = 2 * SMALL_ROUNDS;
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
    if (!strcmp(kind, "errors")) add_errors(&s);
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
