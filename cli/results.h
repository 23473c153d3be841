/* The results of a study as report and run print them: one sentence, then one row a cell. */
#ifndef JL_RESULTS_H
#define JL_RESULTS_H

#include <stdio.h>

#include "jouleline/store.h"

/* The sentence on the best configuration of every device, with rounds and whether measured or
 * simulated; says what is lacking when there is no comparison. */
int jl_print_headline(FILE *to, const jl_study_data *d, jl_error *err);

typedef enum jl_results_format {
    JL_RESULTS_TABLE,
    JL_RESULTS_MD,
    JL_RESULTS_CSV,
    JL_RESULTS_JSON,
} jl_results_format;

int jl_print_results(FILE *to, const jl_study_data *d, jl_results_format format, jl_error *err);

#endif
