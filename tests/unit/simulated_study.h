/* A study on a device whose roofs and energy coefficients are known. */
#ifndef SIMULATED_STUDY_H
#define SIMULATED_STUDY_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "jouleline/study_table.h"

enum {
    SIM_MODELS = 15,
    SIM_PROBES = 3,
    SIM_ALL = SIM_MODELS + SIM_PROBES,
    SIM_ROUNDS = 10,
    SIM_BATCHES = 3,
    SIM_CELLS = SIM_MODELS * SIM_BATCHES + SIM_PROBES
};

static const double sim_flop_per_s = 1e13, sim_bytes_per_s = 5e11, sim_dispatch_per_s = 1e5;
static const double sim_static_w = 60, sim_flop_j = 5e-12, sim_byte_j = 8e-11, sim_waking_w = 45;

typedef struct sim {
    jl_study_table t;
    jl_study_model models[SIM_ALL];
    jl_study_configuration configuration;
    jl_study_device device;
    jl_study_cell cells[SIM_CELLS];
    double latency[SIM_CELLS * SIM_ROUNDS], energy[SIM_CELLS * SIM_ROUNDS],
        net[SIM_CELLS * SIM_ROUNDS];
    double true_energy[SIM_CELLS]; /* per item */
} sim;

static inline double sim_time_s(const jl_study_cell *c)
{
    return fmax(c->flop / sim_flop_per_s,
                fmax(c->bytes / sim_bytes_per_s, c->dispatches / sim_dispatch_per_s));
}

/* `noise`: the relative standard deviation of a run. batches: 1, 8, 32, or only 1. */
static inline void sim_make(sim *s, double noise, bool only_batch_1, bool with_probes)
{
    static const double gflop[SIM_MODELS] = {0.6,  0.8,  0.3, 1.9,  0.12, 3.6, 7.3, 8.2,
                                             30.9, 11.4, 5.7, 33.7, 9.0,  8.9, 3.0};
    static const double mbyte[SIM_MODELS] = {45,  60,  30,  130, 20,  75,  150, 190,
                                             620, 280, 170, 700, 260, 300, 110};
    static const double nodes[SIM_MODELS] = {150, 240, 220, 360, 90,  60,  110, 120,
                                             40,  310, 420, 380, 520, 300, 260};
    memset(s, 0, sizeof *s);
    jl_rng rng = {7};
    s->configuration = (jl_study_configuration){
        .name = "fake-sim/fp32", .runtime = "fake", .provider = "sim", .precision = "fp32"};
    s->device = (jl_study_device){.name = "simulated",
                                  .simulated = true,
                                  .gain_error = NAN,
                                  .idle_sleeping_w = 20,
                                  .idle_waking_w = sim_waking_w};
    size_t n = 0;
    for (uint32_t m = 0; m < SIM_ALL; m++) {
        static const char *const names[] = {"m0",  "m1",  "m2",  "m3",     "m4",     "m5",
                                            "m6",  "m7",  "m8",  "m9",     "m10",    "m11",
                                            "m12", "m13", "m14", "matmul", "stream", "chain"};
        s->models[m] =
            (jl_study_model){names[m], m < 5 ? "lightweight" : "standard", m >= SIM_MODELS};
        if (m >= SIM_MODELS && !with_probes) continue;
        for (uint32_t b = 0; b < (m < SIM_MODELS && !only_batch_1 ? SIM_BATCHES : 1); b++) {
            uint32_t batch = b == 0 ? 1 : b == 1 ? 8 : 32;
            jl_study_cell *c = &s->cells[n++];
            *c = (jl_study_cell){.model = m, .batch = batch, .in_flight = 1};
            if (m < SIM_MODELS) {
                c->flop = gflop[m] * 1e9 * batch;
                c->bytes = mbyte[m] * 1e6 * batch;
                c->dispatches = nodes[m];
            } else {
                c->flop = m == SIM_MODELS ? 2e12 : 1e6;
                c->bytes = m == SIM_MODELS + 1 ? 4e10 : 1e7;
                c->dispatches = m == SIM_MODELS + 2 ? 2000 : 1;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        const jl_study_cell *c = &s->cells[i];
        double t_s = sim_time_s(c);
        double j = sim_static_w * t_s + sim_flop_j * c->flop + sim_byte_j * c->bytes;
        s->true_energy[i] = j / c->batch;
        for (size_t r = 0; r < SIM_ROUNDS; r++) {
            s->latency[i * SIM_ROUNDS + r] = t_s * 1e9 * exp(noise * jl_rng_normal(&rng));
            s->energy[i * SIM_ROUNDS + r] = j / c->batch * exp(noise * jl_rng_normal(&rng));
            s->net[i * SIM_ROUNDS + r] =
                s->energy[i * SIM_ROUNDS + r] - sim_waking_w * t_s / c->batch;
        }
    }
    s->t = (jl_study_table){
        .name = "simulated",
        .models = s->models,
        .model_count = SIM_ALL,
        .configurations = &s->configuration,
        .configuration_count = 1,
        .devices = &s->device,
        .device_count = 1,
        .cells = s->cells,
        .cell_count = n,
        .rounds = SIM_ROUNDS,
        .values = {
            [JL_LATENCY] = s->latency, [JL_ENERGY] = s->energy, [JL_ENERGY_NET_WAKING] = s->net}};
}

#endif
