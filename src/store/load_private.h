/* What the files share that read a study into arrays. */
#ifndef JL_STORE_LOAD_PRIVATE_H
#define JL_STORE_LOAD_PRIVATE_H

#include "base/arena.h"
#include "jouleline/study_table.h"
#include "store/sql.h"

struct jl_study_data {
    jl_study_table table;
    jl_arena *arena;
    double *values[JL_METRIC_COUNT], *details[JL_DETAIL_COUNT];
    bool *pairs;
    char no_energy[512], meters[256];
    size_t complete, studies;
    bool borrows_probes, borrowed;
    jl_study_runs runs;
};

/* Ids of a table's rows to places in an array; ids are dense in a store. */
typedef struct places {
    uint32_t *at;
    int64_t limit;
} places;

/* A cell of the store on one device. */
typedef struct slot {
    jl_id cell, device;
    uint32_t next; /* other devices of the cell */
    uint32_t ok, failed, powers;
    double power_sum_w;
    jl_id facts;
    bool probe;         /* of a roofline probe, which is none of the study's models */
    jl_id checked;      /* the last run whose agreement counts; 0: none yet */
    uint32_t with_seed; /* what it was checked on */
} slot;

/* Where the numbers of a run go. */
typedef struct run_place {
    uint32_t slot;  /* UINT32_MAX: not of this study, or it does not count */
    uint32_t round; /* UINT32_MAX: it gives no numbers */
    uint32_t seed;  /* of its inputs, cut to 32 bits */
} run_place;

typedef struct loader {
    jl_store *s;
    jl_study_data *d;
    jl_id study;
    bool alone; /* chosen by its uid: not joined with others of its specification */
    int tail;   /* percentile: 90, 95, 99 */
    bool has_tail, has_cpu;
    places models, configurations, devices, cells, rounds, facts;
    run_place *runs;   /* by the run's id */
    bool *probe_cells; /* by the cell's id */
    int64_t run_limit;
    slot *slots;
    jl_study_cell *out;
    uint32_t slot_count, slot_room;
    struct fact_list {
        const jl_study_fact *items;
        size_t count;
    } * fact_lists;
} loader;

/* ?2: 1 for the one study alone. */
#define SAME_STUDY                                                                                 \
    "(SELECT id FROM study WHERE id = ?1 OR (NOT ?2 AND "                                          \
    "spec = (SELECT spec FROM study WHERE id = ?1)))"

int jl_load_no_memory(jl_error *err);
/* A column of a row: text in the arena, NULL or NAN where it is missing. */
const char *jl_load_text(loader *l, sqlite3_stmt *q, int column);
double jl_load_number(sqlite3_stmt *q, int column);
/* How many rows a count finds; where it has a ?, ?1 is the study and ?2 as in SAME_STUDY. */
int jl_load_count(loader *l, const char *sql, size_t *n, jl_error *err);
/* Room for the places of a table's ids, none of them taken. */
int jl_load_places(loader *l, places *p, const char *table, jl_error *err);
/* Whether an id is one of the table's: of a damaged store it may be any number. */
bool jl_load_has(const places *p, jl_id id);
void jl_load_set_place(places *p, jl_id id, uint32_t at);
/* The place of a row's id; UINT32_MAX: it has none. */
uint32_t jl_load_place(const places *p, jl_id id);
/* Where a run's numbers go; NULL: nowhere. */
const run_place *jl_load_run(const loader *l, jl_id run);
/* Keeps a detail of the run at `at` (cell and round); a missing value is no work. */
int jl_load_detail(loader *l, jl_detail which, size_t at, double value, jl_error *err);

/* In this order: each needs what those before it have read. */
int jl_load_factors(loader *l, jl_error *err);
int jl_load_runs(loader *l, jl_error *err);
int jl_load_energy(loader *l, jl_error *err);
int jl_load_idles(loader *l, jl_error *err);

#endif
