#include "jouleline/roofline.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

const char *jl_roof_name(jl_roof r)
{
    static const char *const names[] = {"compute", "memory", "dispatch"};
    return (unsigned)r < JL_ROOF_COUNT ? names[r] : "unknown roof";
}

static bool positive(double v)
{
    return v > 0 && v <= JL_LARGEST;
}

jl_roofs jl_roofs_of_probes(const jl_work *work, const double *time_s, size_t n)
{
    jl_roofs roofs;
    for (int r = 0; r < JL_ROOF_COUNT; r++) {
        roofs.rate[r] = jl_none(JL_NO_VALUES);
        for (size_t i = 0; i < n; i++) {
            if (!positive(work[i].amount[r]) || !positive(time_s[i])) continue;
            double rate = work[i].amount[r] / time_s[i];
            if (roofs.rate[r].why || rate > roofs.rate[r].value) roofs.rate[r] = jl_some(rate);
        }
    }
    return roofs;
}

static jl_roof_place place(const jl_roofs *roofs, const jl_work *work, double time_s)
{
    jl_roof_place p = {.bound_s = jl_none(JL_NO_VALUES),
                       .fraction = jl_none(JL_NO_VALUES),
                       .intensity = jl_none(JL_NO_VALUES)};
    for (int r = 0; r < JL_ROOF_COUNT; r++) {
        bool known = !roofs->rate[r].why && work->amount[r] >= 0 && work->amount[r] <= JL_LARGEST;
        p.least_s[r] =
            known ? jl_some(work->amount[r] / roofs->rate[r].value) : jl_none(JL_NO_VALUES);
        p.partial |= !known;
        if (known && (p.bound_s.why || p.least_s[r].value > p.bound_s.value)) {
            p.bound_s = p.least_s[r];
            p.binds = (jl_roof)r;
        }
    }
    if (!p.bound_s.why && positive(time_s)) p.fraction = jl_some(p.bound_s.value / time_s);
    if (work->amount[JL_ROOF_COMPUTE] >= 0 && positive(work->amount[JL_ROOF_MEMORY]))
        p.intensity = jl_some(work->amount[JL_ROOF_COMPUTE] / work->amount[JL_ROOF_MEMORY]);
    return p;
}

void jl_roofline(const jl_roofs *roofs, const jl_work *work, const double *time_s, size_t n,
                 jl_roof_place *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = place(roofs, &work[i], time_s[i]);
}

static jl_work work_of(const jl_study_cell *c)
{
    return (jl_work){{c->flop, c->bytes, c->dispatches}};
}

int jl_study_roofs(const jl_study_table *t, uint32_t device, uint32_t configuration, jl_roofs *out,
                   jl_error *err)
{
    JL_OWNED jl_work *work = malloc((t->cell_count + 1) * sizeof *work);
    JL_OWNED double *time_s = malloc((t->cell_count + 1) * sizeof *time_s);
    if (!work || !time_s) return jl_no_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        if (c->device != device || c->configuration != configuration ||
            !t->models[c->model].probe || c->outcome != JL_OUTCOME_OK)
            continue;
        jl_value latency_ns = jl_cell_median(t, JL_LATENCY, i);
        work[n] = work_of(c);
        time_s[n++] = latency_ns.why ? NAN : latency_ns.value * 1e-9;
    }
    *out = jl_roofs_of_probes(work, time_s, n);
    return 0;
}

int jl_study_roofline(const jl_study_table *t, jl_roof_place *out, jl_error *err)
{
    size_t pairs = t->device_count * t->configuration_count;
    JL_OWNED jl_roofs *roofs = malloc((pairs + 1) * sizeof *roofs);
    JL_OWNED bool *made = calloc(pairs + 1, sizeof *made);
    if (!roofs || !made) return jl_no_memory(err);
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        size_t at = c->device * t->configuration_count + c->configuration;
        int rc = made[at] ? 0 : jl_study_roofs(t, c->device, c->configuration, &roofs[at], err);
        if (rc) return rc;
        made[at] = true;
        jl_value latency_ns = jl_cell_median(t, JL_LATENCY, i);
        jl_work work = work_of(c);
        out[i] = place(&roofs[at], &work, latency_ns.why ? NAN : latency_ns.value * 1e-9);
    }
    return 0;
}
