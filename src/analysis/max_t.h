/* The maxima of the sign-flip test, built from any number of comparisons without holding them
 * all. */
#ifndef JL_ANALYSIS_MAX_T_H
#define JL_ANALYSIS_MAX_T_H

#include "jouleline/paired.h"

typedef struct jl_sign_flips {
    size_t n, groups; /* rounds, and groups of six of them */
    size_t count;     /* sign vectors; the first is the observed one */
    bool exact;
    jl_alternative alternative;
    unsigned char *patterns; /* count x groups: which of six rounds are turned */
    double *maxima;          /* count: the largest statistic under each sign vector */
    double *tables, *rows;   /* scratch of one block */
    size_t width;            /* comparisons waiting in rows */
} jl_sign_flips;

/* The draws for so many comparisons: 9,999, fewer for huge families, at least 999. */
size_t jl_usual_draws(size_t comparisons);

/* n rounds. draws is used above 15 rounds. */
int jl_sign_flips_start(jl_sign_flips *f, size_t n, const jl_max_t_options *o, jl_error *err);
void jl_sign_flips_free(jl_sign_flips *f);
/* Adds a comparison (n differences, NaN where missing) less `origin`; *statistic is its sum over
 * the root of its sum of squares, absent below two differences. */
void jl_sign_flips_add(jl_sign_flips *f, const double *d, double origin, jl_value *statistic);
/* Adds what a part holds; both were started with the same options. */
void jl_sign_flips_merge(jl_sign_flips *f, jl_sign_flips *part);
/* After the last comparison: sorts the maxima. */
void jl_sign_flips_finish(jl_sign_flips *f);
/* The corrected p of a statistic. */
jl_value jl_sign_flips_p(const jl_sign_flips *f, jl_value statistic);

#endif
