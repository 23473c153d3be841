/* Ratios between devices: unpaired, since no round spans two devices, and for joules with the
 * gain errors of both sensors. */
#ifndef JOULELINE_DEVICES_H
#define JOULELINE_DEVICES_H

#include "jouleline/study_table.h"

typedef struct jl_device_ratio {
    uint32_t base, new_cell; /* same model, configuration, batch and in-flight */
    uint32_t n1, n2;         /* values of base and of new */
    jl_value ratio;          /* new / base: two-sample Hodges-Lehmann of logarithms */
    jl_interval interval;    /* of the runs alone */
    jl_interval with_gain;   /* for joules: widened by both gain errors; absent when one is
                                unknown; for latency the same as interval */
    jl_value effect;         /* rank-biserial: above 0, new takes more */
    jl_value p;              /* Mann-Whitney, Holm over the pair of devices and the metric */
} jl_device_ratio;

typedef struct jl_device_ratios {
    jl_device_ratio *items; /* by device pair (base < new), configuration, batch, model */
    size_t count;
} jl_device_ratios;

/* Every two devices, over the cells that ran on both; nothing where the metric was not measured.
 * Fails for lack of memory only. */
int jl_compare_devices(const jl_study_table *t, jl_metric metric, jl_device_ratios *out,
                       jl_error *err);
void jl_device_ratios_free(jl_device_ratios *r);

/* -1: new takes less, 1: more, at alpha and outside the gain error; 0: no direction claimed. */
int jl_device_direction(const jl_device_ratio *r, double alpha);

#endif
