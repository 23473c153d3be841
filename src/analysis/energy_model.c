#include "jouleline/energy_model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "base/rng.h"
#include "jouleline/nnls.h"

enum { FEWEST_MODELS = 4, FEWEST_ROWS = 5, USUAL_RESAMPLES = 999, TERMS = JL_ENERGY_TERMS };
static const double WORST_INFLATION = 100, LEVEL = 0.95;

const char *jl_energy_term_name(int term)
{
    static const char *const names[] = {"static power", "arithmetic", "memory traffic"};
    return (unsigned)term < TERMS ? names[term] : "unknown term";
}

/* Rows of relative weight: each divided by its energy, so that every value to fit is 1. */
typedef struct design {
    double *a, *ones; /* n x 3, n */
    size_t n, models;
    size_t *start; /* models + 2: rows are sorted by group */
    double *work;  /* n x 3, for resampled designs */
} design;

static void design_free(design *d)
{
    free(d->a);
    free(d->ones);
    free(d->start);
    free(d->work);
}

static bool usable(const jl_energy_row *r)
{
    const double v[] = {r->t_s, r->flop, r->bytes, r->energy_j};
    for (int i = 0; i < 4; i++)
        if (!(v[i] >= 0 && v[i] <= JL_LARGEST)) return false;
    return r->energy_j > 0 && r->t_s > 0;
}

static int by_model(const void *a, const void *b)
{
    const jl_energy_row *x = a, *y = b;
    if (x->probe != y->probe) return x->probe ? 1 : -1;
    return (x->model > y->model) - (x->model < y->model);
}

static int design_make(const jl_energy_row *rows, size_t n, design *d, jl_error *err)
{
    JL_OWNED jl_energy_row *sorted = malloc((n + 1) * sizeof *sorted);
    d->a = calloc(n * TERMS + 1, sizeof *d->a);
    d->work = calloc(2 * n * TERMS + 1, sizeof *d->work);
    d->ones = calloc(2 * n + 1, sizeof *d->ones);
    d->start = calloc(n + 2, sizeof *d->start);
    if (!sorted || !d->a || !d->work || !d->ones || !d->start) return jl_no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (usable(&rows[i])) sorted[d->n++] = rows[i];
    qsort(sorted, d->n, sizeof *sorted, by_model);
    for (size_t i = 0; i < d->n; i++) {
        const jl_energy_row *r = &sorted[i];
        bool first = !r->probe && (i == 0 || r->model != sorted[i - 1].model);
        if (first) d->start[d->models++] = i;
        const double v[] = {r->t_s, r->flop, r->bytes};
        for (int k = 0; k < TERMS; k++)
            d->a[i * TERMS + (size_t)k] = v[k] / r->energy_j;
        d->ones[i] = d->ones[n + i] = 1;
    }
    size_t probes_from = d->n;
    while (probes_from > 0 && sorted[probes_from - 1].probe)
        probes_from--;
    d->start[d->models] = probes_from;
    d->start[d->models + 1] = d->n;
    return 0;
}

/* The fit over the models listed (and the probes); the columns in use are `columns` of TERMS. */
static int fit(const design *d, const size_t *models, size_t count, const int *columns, size_t p,
               double *x, jl_error *err)
{
    size_t m = 0, limit = 2 * d->n;
    for (size_t i = 0; i <= count; i++) {
        size_t g = i < count ? models[i] : d->models; /* the probes last */
        for (size_t r = d->start[g]; r < d->start[g + 1] && m < limit; r++, m++)
            for (size_t k = 0; k < p; k++)
                d->work[m * p + k] = d->a[r * TERMS + (size_t)columns[k]];
    }
    return jl_nnls(d->work, d->ones, m, p, x, NULL, err);
}

static const int all_columns[TERMS] = {0, 1, 2};

static double cosine(const design *d, size_t k, size_t l)
{
    double kk = 0, ll = 0, kl = 0;
    for (size_t i = 0; i < d->n; i++) {
        double x = d->a[i * TERMS + k], y = d->a[i * TERMS + l];
        kk += x * x;
        ll += y * y;
        kl += x * y;
    }
    return kk > 0 && ll > 0 ? kl / sqrt(kk) / sqrt(ll) : 0;
}

/* 1 / sine of the angle between column k and the plane of the other two. */
static double inflation(const design *d, size_t k)
{
    size_t a = (k + 1) % TERMS, b = (k + 2) % TERMS;
    double ab = cosine(d, a, b), ka = cosine(d, k, a), kb = cosine(d, k, b);
    double apart = 1 - ab * ab, outside = 1 - ka * ka;
    if (apart > 1e-12) outside -= (kb - ab * ka) * (kb - ab * ka) / apart;
    return outside > 1e-14 ? 1 / sqrt(outside) : DBL_MAX;
}

static int intervals(const design *d, size_t resamples, uint64_t seed, jl_energy_fit *out,
                     jl_error *err)
{
    JL_OWNED double *found = malloc((resamples * TERMS + 1) * sizeof *found);
    JL_OWNED size_t *models = malloc((d->models + 1) * sizeof *models);
    if (!found || !models) return jl_no_memory(err);
    jl_rng rng = {seed};
    size_t largest = 0;
    for (size_t g = 0; g < d->models; g++)
        largest = d->start[g + 1] - d->start[g] > largest ? d->start[g + 1] - d->start[g] : largest;
    for (size_t r = 0; r < resamples; r++) {
        size_t rows = d->n - d->start[d->models];
        for (size_t i = 0; i < d->models; i++) {
            models[i] = jl_rng_below(&rng, d->models);
            rows += d->start[models[i] + 1] - d->start[models[i]];
        }
        if (rows > 2 * d->n) { /* only with very unequal models: drawn again */
            r--;
            continue;
        }
        double x[TERMS];
        int rc = fit(d, models, d->models, all_columns, TERMS, x, err);
        if (rc) return rc;
        for (size_t k = 0; k < TERMS; k++)
            found[k * resamples + r] = x[k];
    }
    for (size_t k = 0; k < TERMS; k++) {
        double *f = found + k * resamples;
        jl_sort_doubles(f, resamples);
        size_t skip = (size_t)(0.5 * (1 - LEVEL) * (double)(resamples + 1));
        skip = skip ? skip - 1 : 0;
        out->term[k].interval = (jl_interval){f[skip], f[resamples - 1 - skip], LEVEL, JL_KNOWN};
    }
    return 0;
}

/* Mean |relative error| on models left out. */
static int left_out_error(const design *d, const int *columns, size_t p, jl_value *out,
                          jl_error *err)
{
    JL_OWNED size_t *models = malloc((d->models + 1) * sizeof *models);
    if (!models) return jl_no_memory(err);
    double sum = 0;
    size_t count = 0;
    for (size_t g = 0; g < d->models; g++) {
        size_t kept = 0;
        for (size_t i = 0; i < d->models; i++)
            if (i != g) models[kept++] = i;
        double x[TERMS];
        int rc = fit(d, models, kept, columns, p, x, err);
        if (rc) return rc;
        for (size_t r = d->start[g]; r < d->start[g + 1]; r++, count++) {
            double predicted = 0;
            for (size_t k = 0; k < p; k++)
                predicted += x[k] * d->a[r * TERMS + (size_t)columns[k]];
            sum += fabs(predicted - 1);
        }
    }
    *out = jl_some(sum / (double)count);
    return 0;
}

static void identify(jl_coefficient *c)
{
    double width = c->interval.high - c->interval.low;
    bool ok = c->value > 0 && width <= 0.5 * c->value && c->inflation <= WORST_INFLATION;
    c->identified = ok ? jl_some(c->value) : jl_none(JL_NOT_IDENTIFIABLE);
}

int jl_energy_fit_rows(const jl_energy_row *rows, size_t n, size_t resamples, uint64_t seed,
                       jl_energy_fit *out, jl_error *err)
{
    static const int time_only[] = {JL_ENERGY_STATIC}, flop_only[] = {JL_ENERGY_ARITHMETIC};
    __attribute__((cleanup(design_free))) design d = {0};
    int rc = design_make(rows, n, &d, err);
    if (rc) return rc;
    *out = (jl_energy_fit){.why = JL_TOO_FEW,
                           .rows = d.n,
                           .left_out = n - d.n,
                           .models = d.models,
                           .probes = d.n - d.start[d.models],
                           .error = jl_none(JL_TOO_FEW),
                           .error_time_only = jl_none(JL_TOO_FEW),
                           .error_flop_only = jl_none(JL_TOO_FEW)};
    for (int k = 0; k < TERMS; k++) {
        out->term[k].interval.why = JL_TOO_FEW;
        out->term[k].identified = jl_none(JL_TOO_FEW);
    }
    if (d.models < FEWEST_MODELS || d.n < FEWEST_ROWS) return 0;
    JL_OWNED size_t *models = malloc((d.models + 1) * sizeof *models);
    if (!models) return jl_no_memory(err);
    for (size_t g = 0; g < d.models; g++)
        models[g] = g;
    double x[TERMS];
    rc = fit(&d, models, d.models, all_columns, TERMS, x, err);
    if (!rc) rc = jl_condition_number(d.a, d.n, TERMS, &out->condition, err);
    if (!rc) rc = intervals(&d, resamples ? resamples : USUAL_RESAMPLES, seed, out, err);
    if (!rc) rc = left_out_error(&d, all_columns, TERMS, &out->error, err);
    if (!rc) rc = left_out_error(&d, time_only, 1, &out->error_time_only, err);
    if (!rc) rc = left_out_error(&d, flop_only, 1, &out->error_flop_only, err);
    if (rc) return rc;
    for (int k = 0; k < TERMS; k++) {
        out->term[k].value = x[k];
        out->term[k].inflation = inflation(&d, (size_t)k);
        identify(&out->term[k]);
    }
    out->why = JL_KNOWN;
    return 0;
}

void jl_energy_split(const jl_energy_fit *fit, const jl_energy_row *row,
                     jl_value split_j[JL_ENERGY_TERMS])
{
    const double v[] = {row->t_s, row->flop, row->bytes};
    for (int k = 0; k < TERMS; k++) {
        jl_value e = fit->why ? jl_none(fit->why) : fit->term[k].identified;
        split_j[k] = e.why                             ? e
                     : v[k] >= 0 && v[k] <= JL_LARGEST ? jl_some(e.value * v[k])
                                                       : jl_none(JL_NO_VALUES);
    }
}

jl_value jl_energy_predict(const jl_energy_fit *fit, double t_s, double flop, double bytes)
{
    if (fit->why) return jl_none(fit->why);
    double j = fit->term[JL_ENERGY_STATIC].value * t_s +
               fit->term[JL_ENERGY_ARITHMETIC].value * flop +
               fit->term[JL_ENERGY_TRAFFIC].value * bytes;
    return j >= 0 && j <= JL_LARGEST ? jl_some(j) : jl_none(JL_NO_VALUES);
}

bool jl_energy_row_of(const jl_study_table *t, size_t cell, jl_energy_row *out)
{
    const jl_study_cell *c = &t->cells[cell];
    jl_value latency_ns = jl_cell_median(t, JL_LATENCY, cell);
    jl_value per_item_j = jl_cell_median(t, JL_ENERGY, cell);
    *out = (jl_energy_row){
        .model = c->model, .probe = t->models[c->model].probe, .flop = c->flop, .bytes = c->bytes};
    if (latency_ns.why || per_item_j.why || c->outcome != JL_OUTCOME_OK) return false;
    out->energy_j = per_item_j.value * c->batch;
    /* The time that the joules were taken over, pauses and slow calls included, is longer than a
     * median. Without the power: with calls in flight a device spends latency / in_flight on
     * each. */
    out->t_s = c->power_w > 0 ? out->energy_j / c->power_w : latency_ns.value * 1e-9 / c->in_flight;
    return usable(out);
}

int jl_study_energy_fit(const jl_study_table *t, uint32_t device, uint32_t configuration,
                        uint64_t seed, jl_energy_fit *out, jl_error *err)
{
    JL_OWNED jl_energy_row *rows = malloc((t->cell_count + 1) * sizeof *rows);
    if (!rows) return jl_no_memory(err);
    size_t n = 0;
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device && t->cells[i].configuration == configuration)
            n += jl_energy_row_of(t, i, &rows[n]);
    return jl_energy_fit_rows(rows, n, 0, seed, out, err);
}

int jl_study_energy_fits(const jl_study_table *t, uint64_t seed, jl_energy_fit *out, jl_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < t->device_count && !rc; i++)
        for (uint32_t k = 0; k < t->configuration_count && !rc; k++, out++) {
            *out = (jl_energy_fit){.why = JL_TOO_FEW};
            if (t->values[JL_ENERGY]) rc = jl_study_energy_fit(t, i, k, seed, out, err);
        }
    return rc;
}
