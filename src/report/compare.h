/* Did it get worse? Cells of a base and of a new version, judged one by one. */
#ifndef JL_REPORT_COMPARE_H
#define JL_REPORT_COMPARE_H

#include "jouleline/verdict.h"
#include "report/sections.h"

/* A cell of the base and the same cell of the new version. */
typedef struct jl_match {
    uint32_t base, new_cell;
} jl_match;

typedef struct jl_compared {
    const jl_study_data *base, *new_data; /* the same when both were measured in the same rounds */
    const jl_match *matches;
    size_t count;
    double margins[2]; /* of latency and energy: 0.03 for 3 % */
    double level;      /* 0: 0.95 */
    uint64_t seed;
} jl_compared;

/* Adds the sheet of verdicts and a sentence on top; *worst is the verdict of everything. A cell
 * that ran in the base and fails in the new version is a regression. */
int jl_report_compared(jl_report *r, const jl_compared *c, jl_verdict_kind *worst,
                       const char **sentence, jl_error *err);

#endif
