/* The results of a study as report and run print them: one sentence, then sections. */
#ifndef JL_RESULTS_H
#define JL_RESULTS_H

#include <stdio.h>

#include "jouleline/store.h"
#include "report/sections.h"

/* The sentence on the best configuration of every device, with rounds and whether measured or
 * simulated; says what is lacking when there is no comparison. Wrapped at `width` characters. */
int jl_print_headline(FILE *to, const jl_study_data *d, size_t width, jl_error *err);

/* The named sections in the given order; with none: the cells, what failed if something did, and
 * the findings (as CSV the cells alone). `headline`: the sentence first, for readers. JL_ERR_USAGE
 * for a name that is no section. */
int jl_print_sections(FILE *to, const jl_study_data *d, bool headline, const char *const *names,
                      size_t count, const jl_report_options *options, jl_report_format format,
                      jl_error *err);

/* Lays a report out for the stream. */
int jl_print_report(FILE *to, const jl_report *r, jl_report_format format, jl_error *err);

#endif
