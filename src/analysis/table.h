/* Small readings of a study table. */
#ifndef JL_ANALYSIS_TABLE_H
#define JL_ANALYSIS_TABLE_H

#include "jouleline/study_table.h"

/* The median over rounds of one cell. */
jl_value jl_cell_median(const jl_study_table *t, jl_metric metric, size_t cell);

/* Equal words; NULL equals nothing. */
bool jl_same_word(const char *a, const char *b);

/* Sorts cell indices so that those to compare lie together. */
typedef enum jl_cell_order {
    JL_BY_MODEL,        /* device, model, batch, in-flight, configuration */
    JL_BY_CONFIGURATION /* device, configuration, batch, in-flight, model */
} jl_cell_order;
void jl_sort_cells(const jl_study_table *t, uint32_t *cells, size_t count, jl_cell_order order);

#endif
