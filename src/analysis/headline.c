#include <math.h>
#include <stdlib.h>

#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/comparison.h"
#include "jouleline/contrast.h"

/* One configuration in the race. */
typedef struct runner {
    uint32_t configuration;
    size_t ran;     /* cells */
    double *series; /* rounds: mean log over the common cells; NaN where one is missing */
    double score;   /* mean of the series */
} runner;

static bool measured(const jl_study_table *t, jl_metric metric, uint32_t device)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device && !jl_cell_median(t, metric, i).why) return true;
    return false;
}

/* Configurations that ran at least half as many cells as the one that ran most. */
static size_t pick_runners(const jl_study_table *t, uint32_t device, runner *r)
{
    size_t most = 0, kept = 0;
    for (uint32_t c = 0; c < t->configuration_count; c++) {
        r[c] = (runner){.configuration = c};
        for (size_t i = 0; i < t->cell_count; i++)
            r[c].ran += t->cells[i].device == device && t->cells[i].configuration == c &&
                        t->cells[i].outcome == JL_OUTCOME_OK && !t->models[t->cells[i].model].probe;
        most = r[c].ran > most ? r[c].ran : most;
    }
    for (size_t c = 0; c < t->configuration_count; c++)
        if (r[c].ran > 0 && 2 * r[c].ran >= most) r[kept++] = r[c];
    return kept;
}

/* Adds the logs of every cell that all runners have; returns how many cells. */
static size_t sum_common(const jl_study_table *t, const jl_cell_lookup *lookup, jl_metric metric,
                         uint32_t device, runner *r, size_t count)
{
    size_t cells = 0;
    for (size_t i = 0; i < t->cell_count; i++) {
        jl_study_cell place = t->cells[i];
        if (place.device != device || place.configuration != r[0].configuration ||
            place.outcome != JL_OUTCOME_OK || t->models[place.model].probe)
            continue;
        bool common = true;
        for (size_t k = 0; k < count && common; k++) {
            place.configuration = r[k].configuration;
            uint32_t at = jl_cell_that_ran(lookup, &place);
            common = at != JL_NO_CELL && !jl_cell_median(t, metric, at).why;
        }
        if (!common) continue;
        cells++;
        for (size_t k = 0; k < count; k++) {
            place.configuration = r[k].configuration;
            const double *v = t->values[metric] + jl_cell_that_ran(lookup, &place) * t->rounds;
            for (size_t n = 0; n < t->rounds; n++) {
                bool usable = v[n] > 0 && isfinite(v[n]) && (!t->pairs || t->pairs[n]);
                r[k].series[n] += usable ? log(v[n]) : NAN;
            }
        }
    }
    return cells;
}

static int by_score(const void *a, const void *b)
{
    double x = ((const runner *)a)->score, y = ((const runner *)b)->score;
    return (x > y) - (x < y);
}

/* Scores over the rounds that every runner has. */
static size_t score(runner *r, size_t count, size_t rounds, size_t cells)
{
    size_t n = 0;
    for (size_t k = 0; k < count; k++)
        r[k].score = 0;
    for (size_t i = 0; i < rounds; i++) {
        bool whole = true;
        for (size_t k = 0; k < count; k++)
            whole &= !isnan(r[k].series[i]);
        for (size_t k = 0; k < count; k++) {
            if (whole)
                r[k].score += r[k].series[i] /= (double)cells;
            else
                r[k].series[i] = NAN;
        }
        n += whole;
    }
    return n;
}

/* To take less than every other is shown when it is shown against each alone (intersection-union),
 * so the largest p counts and no correction is due; two-sided, since the values chose the
 * direction. */
static int decide(const runner *r, size_t count, size_t rounds, jl_headline *out, jl_error *err)
{
    JL_OWNED double *d = malloc((rounds + 1) * sizeof *d);
    if (!d) return jl_no_memory(err);
    for (size_t k = 1; k < count; k++) {
        for (size_t i = 0; i < rounds; i++)
            d[i] = r[0].series[i] - r[k].series[i];
        jl_signed_rank w;
        int rc = jl_wilcoxon(d, rounds, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, err);
        if (rc) return rc;
        if (k == 1 || w.p.why || w.p.value > out->p.value) out->p = w.p;
        if (w.p.why) break;
    }
    for (size_t i = 0; i < rounds; i++)
        d[i] = r[0].series[i] - r[1].series[i];
    jl_shift s;
    int rc = jl_hodges_lehmann(d, rounds, 0.95, &s, err);
    if (rc) return rc;
    out->ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
    out->interval = s.interval;
    if (!s.interval.why) {
        out->interval.low = exp(s.interval.low);
        out->interval.high = exp(s.interval.high);
    }
    return 0;
}

int jl_find_headline(const jl_study_table *t, uint32_t device, jl_headline *out, jl_error *err)
{
    jl_metric metric = measured(t, JL_ENERGY, device) ? JL_ENERGY : JL_LATENCY;
    jl_value none = jl_none(JL_TOO_FEW);
    *out = (jl_headline){.why = JL_TOO_FEW,
                         .metric = metric,
                         .device = device,
                         .ratio = none,
                         .interval = {.why = JL_TOO_FEW},
                         .p = none};
    if (!t->values[metric]) return 0;
    JL_OWNED runner *r = calloc(t->configuration_count + 1, sizeof *r);
    JL_OWNED double *series = calloc(t->configuration_count * t->rounds + 1, sizeof *series);
    if (!r || !series) return jl_no_memory(err);
    size_t count = pick_runners(t, device, r);
    if (count < 2) return 0;
    for (size_t k = 0; k < count; k++)
        r[k].series = series + k * t->rounds;
    __attribute__((cleanup(jl_cell_lookup_free))) jl_cell_lookup lookup = {0};
    int rc = jl_cell_lookup_make(t, &lookup, err);
    if (rc) return rc;
    size_t cells = sum_common(t, &lookup, metric, device, r, count);
    size_t n = cells ? score(r, count, t->rounds, cells) : 0;
    if (n == 0) return 0;
    qsort(r, count, sizeof *r, by_score);
    out->why = JL_KNOWN;
    out->best = r[0].configuration;
    out->next = r[1].configuration;
    out->cells = (uint32_t)cells;
    out->n = (uint32_t)n;
    return decide(r, count, t->rounds, out, err);
}
