/* A study's cells, and what each needs on disk before it can run. */
#ifndef JL_STUDY_PLAN_H
#define JL_STUDY_PLAN_H

#include "base/arena.h"
#include "jouleline/configuration.h"
#include "jouleline/model.h"
#include "jouleline/outcome.h"
#include "jouleline/runtime.h"
#include "jouleline/study.h"
#include "runtime/inputs.h"
#include "study/child.h"

enum { JL_PLAN_PRECISIONS = JL_PRECISION_COUNT };
/* Probes run in the first rounds only: a median of three is enough for a roof. */
enum { JL_PLAN_PROBE_ROUNDS = 3, JL_PLAN_PROBES = 10 /* kinds and sizes, at most */ };

/* What one call of a model at one batch costs by its graph; NAN where not known. */
typedef struct jl_plan_cost {
    double flop, moved_bytes, nodes;
} jl_plan_cost;

typedef struct jl_plan_batch {
    int64_t batch;
    const char *inputs_path; /* safetensors */
    const char *inputs_key;  /* hash of their content */
    const char *reason;      /* why there are no inputs, or NULL */
    jl_plan_cost cost[JL_PLAN_PRECISIONS];
} jl_plan_batch;

/* What a configuration makes of a model before any runtime sees it, where it names a converter. */
typedef struct jl_plan_file {
    const char *path;      /* NULL: reason */
    const char *converter; /* package and version, a fact of the run */
    const char *reason, *stage;
    jl_outcome outcome;
    int signal;
} jl_plan_file;

typedef struct jl_plan_model {
    const char *name, *onnx, *torch; /* onnx: path, NULL for a zoo model until prepared */
    bool zoo;                        /* made by the zoo: a classifier or a probe */
    bool probe; /* in the first rounds, in no comparison, at a batch of its own */
    bool needs_onnx, needs_weights, needs_fp16, needs_bf16, needs_int8;
    const char *uid, *family, *weights, *fp16, *bf16, *int8; /* after preparation */
    const char *items_are;
    const char *reason; /* why it cannot be measured (outcome invalid), or NULL */
    const char *fp16_reason, *bf16_reason, *int8_reason;
    jl_dtype arithmetic; /* of the ONNX file, after preparation (jl_model_arithmetic) */
    int64_t bytes, parameters, opset;
    jl_plan_batch *batches; /* as the spec has them */
    size_t batch_count;
    jl_plan_file *files; /* one a configuration; only of those that name a converter */
    jl_id id;
} jl_plan_model;

typedef enum jl_converter_kind {
    JL_CONVERTER_OWN, /* this program's, or none needed */
    JL_CONVERTER_MIXED,
    JL_CONVERTER_PYTHON,
    JL_CONVERTER_FILE,
} jl_converter_kind;

typedef struct jl_converter { /* see study/converter.h */
    jl_converter_kind kind;
    const char *name;
    char package[48], version[32]; /* of a Python package, once it was probed */
    char wanted[32];               /* version asked for, or "" */
} jl_converter;

typedef struct jl_plan_configuration {
    jl_configuration parsed;
    const char *text; /* canonical */
    const jl_runtime *runtime;
    jl_converter converter;
    jl_launch launch;
    jl_nursery *nursery; /* NULL: by exec */
    char driver[32];     /* of a real GPU, or "" */
    char version[64];    /* of the runtime's library, or "" */
    bool absent;         /* the runtime or the device is not here: reason */
    bool told_emulated;  /* the user knows */
    const char *reason;
    jl_device device;
    jl_id id, device_id;
} jl_plan_configuration;

typedef struct jl_plan_cell {
    size_t model, configuration, batch; /* indices */
    int64_t in_flight;
    jl_id id;
    int failures; /* in a row */
    bool told_numerical, told_elsewhere;
    const char *last_failure;
    jl_outcome last_outcome;
} jl_plan_cell;

typedef struct jl_plan {
    const jl_study_spec *spec;
    jl_arena *arena;
    jl_plan_model *models;
    jl_plan_configuration *configurations;
    jl_plan_cell *cells;
    size_t model_count, configuration_count, cell_count; /* probes are the last of each */
    size_t probe_count, probe_cell_count;                /* among them */
    const char *spec_json; /* everything that makes it the same study */
} jl_plan;

/* Parses the words. JL_ERR_USAGE or JL_ERR_MISSING names the word at fault. */
int jl_plan_new(const jl_study_spec *spec, jl_arena *arena, jl_plan *plan, jl_error *err);

/* Appends the probes that fit each configuration and their cells, when the study wants them. */
int jl_plan_add_probes(jl_plan *plan, jl_error *err);
/* How many runs the probes add to `rounds` rounds from number `first` (counted from 1) on. */
/* How many of the first rounds have probes. */
size_t jl_plan_probe_rounds(const jl_plan *plan);
size_t jl_plan_probe_runs(const jl_plan *plan, size_t first, size_t rounds);

/* Exports, converts and describes the models in helper children, makes the inputs (files in
 * `scratch`). A model that cannot be used keeps its reason and fails nothing. `interrupted` ends
 * it between two models. */
int jl_plan_prepare(jl_plan *plan, const char *scratch, const jl_study_events *events,
                    const volatile sig_atomic_t *interrupted, jl_error *err);

/* The ONNX file (or the program) that a configuration takes; path NULL without a reason: it needs
 * none. */
jl_plan_file jl_plan_file_of(const jl_plan *p, size_t model, size_t configuration);

/* Inputs of a plan's model by the study's words; `model` is its file (NULL: a program for PyTorch).
 */
int jl_plan_inputs(const jl_plan *p, const jl_plan_model *of, const jl_model *model, int64_t batch,
                   uint64_t seed, jl_inputs *inputs, jl_error *err);
/* Seed of the inputs that are measured: the study's where one is given, else the same for all, so
 * that studies of several machines measure the same inputs and share references. */
uint64_t jl_plan_input_seed(const jl_plan *plan);
/* Inputs that ranges are seen on: their seeds are not the study's, so that nothing is measured on
 * them. */
#define JL_PLAN_SAMPLE_SEED UINT64_C(0x43414C49)

/* Asks every runtime in a helper child what it finds; what is absent keeps its reason. */
int jl_plan_probe(jl_plan *plan, int fake_device_fd, jl_error *err);

static inline void jl_study_say(const jl_study_events *e, const char *line)
{
    if (e && e->say) e->say(e->ctx, line);
}

#endif
