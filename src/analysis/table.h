/* Small readings of a study table. */
#ifndef JL_ANALYSIS_TABLE_H
#define JL_ANALYSIS_TABLE_H

#include "jouleline/study_table.h"

/* The median over rounds of one cell. */
jl_value jl_cell_median(const jl_study_table *t, jl_metric metric, size_t cell);

/* Equal words; NULL equals nothing. */
bool jl_same_word(const char *a, const char *b);

/* Equal, where NULL and "" are the same. */
bool jl_same_options(const char *a, const char *b);

/* Sorts cell indices so that those to compare lie together. */
typedef enum jl_cell_order {
    JL_BY_MODEL,        /* device, model, batch, in-flight, configuration */
    JL_BY_CONFIGURATION /* device, configuration, batch, in-flight, model */
} jl_cell_order;
void jl_sort_cells(const jl_study_table *t, uint32_t *cells, size_t count, jl_cell_order order);

/* Cells by their coordinates. */
typedef struct jl_cell_lookup {
    const jl_study_table *t;
    uint32_t *order;
} jl_cell_lookup;

int jl_cell_lookup_make(const jl_study_table *t, jl_cell_lookup *out, jl_error *err);
void jl_cell_lookup_free(jl_cell_lookup *l);
/* The index, or JL_NO_CELL when there is none. */
uint32_t jl_cell_at(const jl_cell_lookup *l, const jl_study_cell *place);
/* The same, or JL_NO_CELL when it did not run (outcome not ok). */
uint32_t jl_cell_that_ran(const jl_cell_lookup *l, const jl_study_cell *place);

#endif
