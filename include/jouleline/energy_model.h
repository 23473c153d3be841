/* Where the joules go: E = P_static t + e_flop FLOP + e_byte bytes, per call, fitted by
 * non-negative least squares on relative errors over cells of all batches and the probes.
 * A good prediction says nothing about the split: a coefficient whose interval is wider than
 * half its value, or whose column the others nearly make up, is "not identifiable". */
#ifndef JOULELINE_ENERGY_MODEL_H
#define JOULELINE_ENERGY_MODEL_H

#include "jouleline/study_table.h"

typedef struct jl_energy_row {
    uint32_t model;                    /* rows of one model are resampled and left out together */
    bool probe;                        /* always in the fit, never resampled or left out */
    double t_s, flop, bytes, energy_j; /* of one call */
} jl_energy_row;

enum { JL_ENERGY_STATIC, JL_ENERGY_ARITHMETIC, JL_ENERGY_TRAFFIC, JL_ENERGY_TERMS };
/* "static power", "arithmetic", "memory traffic". */
const char *jl_energy_term_name(int term);

typedef struct jl_coefficient {
    double value;         /* W, J/flop, J/byte */
    jl_interval interval; /* percentiles over resampled models */
    double inflation;     /* 1 / sine of the angle to the other columns; 1: independent */
    jl_value identified;  /* the value, or JL_NOT_IDENTIFIABLE */
} jl_coefficient;

typedef struct jl_energy_fit {
    jl_why why;            /* JL_TOO_FEW: fewer than four models, or fewer rows than five */
    size_t rows, left_out; /* left_out: an unknown or not positive time, flop, byte or energy */
    size_t models, probes;
    double condition; /* of the weighted design with columns of unit length */
    jl_coefficient term[JL_ENERGY_TERMS];
    jl_value error;           /* mean |relative error| on models left out of the fit */
    jl_value error_time_only; /* the same of E = P t */
    jl_value error_flop_only; /* the same of E = a FLOP */
} jl_energy_fit;

/* resamples 0: 999. */
int jl_energy_fit_rows(const jl_energy_row *rows, size_t n, size_t resamples, uint64_t seed,
                       jl_energy_fit *out, jl_error *err);

/* The joules of one call by term (coefficient times amount: together the fit's prediction, not
 * the measured value); JL_NOT_IDENTIFIABLE where the coefficient is not. */
void jl_energy_split(const jl_energy_fit *fit, const jl_energy_row *row,
                     jl_value split_j[JL_ENERGY_TERMS]);
/* The fit's joules of one call, identifiable split or not; absent without a fit. */
jl_value jl_energy_predict(const jl_energy_fit *fit, double t_s, double flop, double bytes);

/* The row of a cell, from medians over rounds, its time from joules and mean power where that is
 * known; false when something is unknown. */
bool jl_energy_row_of(const jl_study_table *t, size_t cell, jl_energy_row *out);
/* The fit over all cells of a device and configuration, every batch, and its probes. */
int jl_study_energy_fit(const jl_study_table *t, uint32_t device, uint32_t configuration,
                        uint64_t seed, jl_energy_fit *out, jl_error *err);
/* All of them, device by device: device_count x configuration_count. JL_TOO_FEW where a device ran
 * no models on a configuration, and everywhere when no joules were measured. */
int jl_study_energy_fits(const jl_study_table *t, uint64_t seed, jl_energy_fit *out, jl_error *err);

#endif
