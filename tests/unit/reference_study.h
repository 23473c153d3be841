/* A study whose numbers are those that a published one states (two GPUs, four configurations,
 * batch 1, 8, 32, ten rounds, and INT8 on a CPU): every statement is one input here. */
#ifndef REFERENCE_STUDY_H
#define REFERENCE_STUDY_H

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "jouleline/study_table.h"

enum {
    REF_MODELS = 15,
    REF_LIGHT = 8,
    REF_STANDARD = 4,
    REF_PROBES = 3,
    REF_ROUNDS = 10,
    REF_MOST_CELLS = 2 * 4 * 3 * REF_MODELS + 2 * REF_MODELS + REF_PROBES
};
enum { PT32, ORT32, PT16, ORT16, CPU32, CPU8, REF_CONFIGURATIONS };
enum { EFFICIENTNET_B3 = 3, RESNET18 = 8, VIT = 12, SWIN = 13 };

static const double REF_FLOP_PER_S = 13e12, REF_BYTES_PER_S = 360e9; /* of B */

typedef struct ref_inputs {
    double runtime_gain[REF_MODELS]; /* A, FP32, batch 1: PyTorch time / ONNX Runtime time */
    double fp16_a[REF_MODELS];       /* A, PyTorch: FP16 time / FP32 time */
    double fp16_b_32[REF_MODELS];    /* B, PyTorch, batch 32: FP32 time / FP16 time */
    double fp16_b_1[REF_MODELS];     /* the same at batch 1 */
    double a_over_b[REF_MODELS];     /* PyTorch FP32, batch 1: time on B / time on A */
    double int8_saving[REF_MODELS];  /* energy saved */
    int int8_agree[REF_MODELS];      /* of 1000 */
    double intensity[REF_MODELS];    /* FLOP / byte */
    double joules[REF_MODELS];       /* B, PyTorch FP32, batch 32 */
    jl_outcome efficientnet_fp16_a;  /* A, batch 32 */
    jl_outcome attention_ort_fp16;
} ref_inputs;

typedef struct ref_study {
    jl_study_table t;
    jl_study_model models[REF_MODELS + REF_PROBES];
    jl_study_configuration configurations[REF_CONFIGURATIONS];
    jl_study_device devices[3];
    jl_study_cell cells[REF_MOST_CELLS];
    double latency[REF_MOST_CELLS * REF_ROUNDS], energy[REF_MOST_CELLS * REF_ROUNDS];
} ref_study;

static inline ref_inputs ref_published(void)
{
    ref_inputs in = {.efficientnet_fp16_a = JL_OUTCOME_NUMERICAL,
                     .attention_ort_fp16 = JL_OUTCOME_UNSUPPORTED};
    static const double layernorm_gain[] = {1.05, 0.76, 1.34}, layernorm_fp16[] = {3.79, 2.5, 2.35};
    static const double attention[] = {1.045, 1.04, 1.05};
    for (int m = 0; m < REF_MODELS; m++) {
        int family = m < REF_LIGHT ? 0 : m < REF_LIGHT + REF_STANDARD ? 1 : 2;
        int k = m - REF_LIGHT - REF_STANDARD, side = m % 2 ? 1 : -1;
        in.runtime_gain[m] = family == 0   ? 2.79 + side * 0.35 / sqrt(8 / 7.0)
                             : family == 1 ? 1.16 + side * 0.18 / sqrt(4 / 3.0)
                                           : layernorm_gain[k];
        in.fp16_a[m] = family == 0   ? 1.16 + side * 0.05
                       : family == 1 ? 2.15 + side * 0.2
                                     : layernorm_fp16[k];
        in.fp16_b_32[m] = family == 0 ? 1 : 1.95 + (m - 11) * 0.05;
        in.fp16_b_1[m] = family == 2 ? attention[k] : 1;
        in.a_over_b[m] = m < 12 ? 1.59 + 0.25 * m / 11 : 0.8;
        in.int8_saving[m] = m < REF_LIGHT ? 0.54 + 0.44 * m / (REF_LIGHT - 1) : 0.4;
        in.int8_agree[m] = m < REF_LIGHT ? 980 + 20 * m / (REF_LIGHT - 1) : 990;
        in.intensity[m] =
            m < REF_LIGHT ? 20 + 14.9 * m / (REF_LIGHT - 1) : 60 + 5 * (m - REF_LIGHT);
        in.joules[m] = m < REF_LIGHT ? 0.30 + 0.01 * m : 0.20 + 0.01 * (m - REF_LIGHT);
    }
    return in;
}

static inline double ref_batch_time(double batch)
{
    return pow(batch, 0.8);
}

/* Milliseconds of one call. */
static inline double ref_time_ms(const ref_inputs *in, const jl_study_cell *c)
{
    uint32_t m = c->model;
    double pt32 = (2 + 0.3 * m) * ref_batch_time(c->batch);
    if (c->device == 1) pt32 *= in->a_over_b[m];
    double fp16 = c->device == 0  ? in->fp16_a[m]
                  : c->batch == 1 ? 1 / in->fp16_b_1[m]
                                  : 1 / in->fp16_b_32[m];
    switch (c->configuration) {
    case PT32:
        return pt32;
    case PT16:
        return pt32 * fp16;
    case ORT32:
        return pt32 / in->runtime_gain[m];
    case ORT16:
        return pt32 * fp16 / in->runtime_gain[m];
    case CPU32:
        return 40 + m;
    default:
        return (40 + m) * (1 - in->int8_saving[m]);
    }
}

static inline void ref_add(ref_study *s, uint32_t m, uint32_t configuration, uint32_t device,
                           uint32_t batch, const ref_inputs *in)
{
    jl_study_cell *c = &s->cells[s->t.cell_count++];
    /* On B in PyTorch FP32 at batch 32 every model reaches 70 % of its roof. */
    jl_study_cell reference = {.model = m, .configuration = PT32, .device = 1, .batch = 32};
    double rate = m < REF_LIGHT ? REF_BYTES_PER_S * in->intensity[m] : REF_FLOP_PER_S;
    double flop = 0.7 * ref_time_ms(in, &reference) * 1e-3 * rate / 32 * batch;
    *c = (jl_study_cell){.model = m,
                         .configuration = configuration,
                         .device = device,
                         .batch = batch,
                         .in_flight = 1,
                         .flop = flop,
                         .bytes = flop / in->intensity[m],
                         .dispatches = 100};
    bool fp16 = configuration == PT16 || configuration == ORT16;
    if (m == EFFICIENTNET_B3 && fp16 && batch == 32 && device == 0)
        c->outcome = in->efficientnet_fp16_a;
    if ((m == VIT || m == SWIN) && configuration == ORT16) {
        c->outcome = in->attention_ort_fp16;
        c->message = "Type Error: Type parameter (T) of Optype (Add) bound to different types";
    }
    if (configuration == CPU8) {
        c->checked_items = 1000;
        c->agree_items = (uint64_t)in->int8_agree[m];
    }
}

static inline void ref_probe(ref_study *s, uint32_t m, double flop, double bytes, double nodes)
{
    s->cells[s->t.cell_count++] = (jl_study_cell){.model = m,
                                                  .configuration = PT32,
                                                  .device = 1,
                                                  .batch = 1,
                                                  .in_flight = 1,
                                                  .flop = flop,
                                                  .bytes = bytes,
                                                  .dispatches = nodes};
}

static inline void ref_fill(ref_study *s, const ref_inputs *in)
{
    jl_rng rng = {5};
    for (size_t i = 0; i < s->t.cell_count; i++) {
        const jl_study_cell *c = &s->cells[i];
        bool probe = c->model >= REF_MODELS;
        double ms = probe ? 10 : ref_time_ms(in, c), joules = 0.02 * ms / c->batch;
        if (!probe && c->device == 1 && c->configuration == PT32 && c->batch == 32)
            joules = in->joules[c->model];
        if (c->device == 2)
            joules = 1.5 * (c->configuration == CPU8 ? 1 - in->int8_saving[c->model] : 1);
        for (size_t r = 0; r < REF_ROUNDS; r++) {
            bool ran = c->outcome == JL_OUTCOME_OK;
            s->latency[i * REF_ROUNDS + r] = ran ? ms * 1e6 * exp(2e-4 * jl_rng_normal(&rng)) : NAN;
            s->energy[i * REF_ROUNDS + r] = ran ? joules * exp(2e-4 * jl_rng_normal(&rng)) : NAN;
        }
    }
}

static inline void ref_make(ref_study *s, const ref_inputs *in)
{
    static const char *const names[] = {"mobilenet_v2",    "mobilenet_v3_large",
                                        "efficientnet_b0", "efficientnet_b3",
                                        "mnasnet1_0",      "shufflenet_v2_x1_0",
                                        "squeezenet1_1",   "mobilenet_v3_small",
                                        "resnet18",        "resnet50",
                                        "vgg16",           "densenet121",
                                        "vit_b_16",        "swin_t",
                                        "convnext_tiny",   "matmul",
                                        "stream",          "chain"};
    static const uint32_t batches[] = {1, 8, 32};
    memset(s, 0, sizeof *s);
    for (int m = 0; m < REF_MODELS + REF_PROBES; m++)
        s->models[m] = (jl_study_model){names[m],
                                        m < REF_LIGHT                  ? "lightweight"
                                        : m < REF_LIGHT + REF_STANDARD ? "standard"
                                        : m < REF_MODELS               ? "layernorm"
                                                                       : NULL,
                                        m >= REF_MODELS};
    static const char *const parts[][4] = {
        {"pytorch-cuda/fp32", "pytorch", "cuda", "fp32"}, {"ort-cuda/fp32", "ort", "cuda", "fp32"},
        {"pytorch-cuda/fp16", "pytorch", "cuda", "fp16"}, {"ort-cuda/fp16", "ort", "cuda", "fp16"},
        {"ort-cpu/fp32", "ort", "cpu", "fp32"},           {"ort-cpu/int8", "ort", "cpu", "int8"}};
    for (int c = 0; c < REF_CONFIGURATIONS; c++)
        s->configurations[c] = (jl_study_configuration){.name = parts[c][0],
                                                        .runtime = parts[c][1],
                                                        .provider = parts[c][2],
                                                        .precision = parts[c][3]};
    static const char *const devices[] = {"GeForce GTX 1650", "GeForce RTX 3060", "the CPU"};
    for (int d = 0; d < 3; d++)
        s->devices[d] = (jl_study_device){
            .name = devices[d], .gain_error = 0.05, .idle_sleeping_w = NAN, .idle_waking_w = NAN};
    for (uint32_t d = 0; d < 2; d++)
        for (uint32_t c = PT32; c <= ORT16; c++)
            for (int b = 0; b < 3; b++)
                for (uint32_t m = 0; m < REF_MODELS; m++)
                    ref_add(s, m, c, d, batches[b], in);
    for (uint32_t m = 0; m < REF_MODELS; m++)
        for (uint32_t c = CPU32; c <= CPU8; c++)
            ref_add(s, m, c, 2, 1, in);
    ref_probe(s, REF_MODELS, REF_FLOP_PER_S * 0.01, 1e8, 1);
    ref_probe(s, REF_MODELS + 1, 1e8, REF_BYTES_PER_S * 0.01, 1);
    ref_probe(s, REF_MODELS + 2, 1e6, 1e6, 1000);
    s->t = (jl_study_table){.name = "reference",
                            .models = s->models,
                            .model_count = REF_MODELS + REF_PROBES,
                            .configurations = s->configurations,
                            .configuration_count = REF_CONFIGURATIONS,
                            .devices = s->devices,
                            .device_count = 3,
                            .cells = s->cells,
                            .cell_count = s->t.cell_count,
                            .rounds = REF_ROUNDS,
                            .values = {[JL_LATENCY] = s->latency, [JL_ENERGY] = s->energy}};
    ref_fill(s, in);
}

#endif
