/* What a table, its roofs and its energy models say of a cell that would run otherwise. */
#ifndef JL_ANALYSIS_CURES_H
#define JL_ANALYSIS_CURES_H

#include "jouleline/paradox.h"

typedef struct jl_outlook {
    const jl_study_table *t;
    const jl_energy_fit *fits;       /* device x configuration, or NULL */
    jl_roof_place *places;           /* one a cell, as the next four: a study has many more pairs */
    jl_value *latency_ns, *energy_j; /* medians */
    jl_energy_row *rows;             /* t_s 0: unknown */
    double *expected;      /* one a cell: the share of the binding roof that other models of its
                              family (or of any, where there are not two) reach in its place;
                              NaN unknown */
    struct jl_neighbours { /* one a cell: cells of the same model and device, or JL_NO_CELL */
        uint32_t larger;   /* the largest batch that ran */
        uint32_t smaller;  /* the smallest batch that ran */
        uint32_t graphs;   /* the same with CUDA Graphs */
        uint32_t runtime;  /* the other runtime of this precision that takes least energy */
    } * neighbours;
} jl_outlook;

int jl_outlook_make(const jl_study_table *t, const jl_energy_fit *fits, jl_outlook *o,
                    jl_error *err);
void jl_outlook_free(jl_outlook *o);

/* The cures of a cause that help the cell, the best first; returns how many. */
size_t jl_find_cures(const jl_outlook *o, uint32_t cell, jl_cause cause,
                     jl_cure_gain cures[JL_CURES]);

#endif
