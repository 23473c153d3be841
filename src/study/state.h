/* What the parts of a study share: setup.c makes it, attempt.c measures a cell, schedule.c goes
 * through the rounds. */
#ifndef JL_STUDY_STATE_H
#define JL_STUDY_STATE_H

#include "base/paths.h"
#include "study/plan.h"
#include "study/record.h"

enum { JL_STUDY_NURSERIES = 16 };

typedef struct jl_study_state {
    const jl_study_spec *spec;
    const jl_study_events *events;
    const volatile sig_atomic_t *interrupted;
    jl_study_result *result;
    jl_store *store;
    jl_arena *arena;
    jl_plan plan;
    jl_path scratch;
    jl_ring ring;
    jl_bench_rules rules;
    jl_nursery nurseries[JL_STUDY_NURSERIES];
    size_t nursery_count;
    int fake_fd;
    jl_meter_set *meters;
    jl_metering *metering;
    jl_id *meter_ids;
    jl_id host, boot, id, round;
    uint64_t seed;            /* of the orders of the study's rounds */
    const char *watched_uuid; /* of the run under way */
    jl_idle **waking;         /* one a configuration: this round's, shared along a device */
    int64_t deadline_ns, round_began_ns, longest_cell_ns;
    double loaded_mhz; /* highest clock of a run so far; 0: none */
    size_t runs_planned, runs_done;
} jl_study_state;

/* Everything before the first round: plan, host, study, devices, models, references, meters. */
int jl_study_set_up(jl_study_state *s, jl_error *err);
/* Releases what jl_study_set_up made, after a failure too. */
void jl_study_tear_down(jl_study_state *s);

/* Runs a cell of the round, again when it was disturbed, and stores every attempt. */
int jl_study_run_cell(jl_study_state *s, jl_plan_cell *c, int64_t position, jl_error *err);

#endif
