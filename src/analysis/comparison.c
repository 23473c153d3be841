#include "jouleline/comparison.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "analysis/max_t.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/multiplicity.h"

enum { MOST_THREADS = 64 };

/* The cells of one device, model, batch and in-flight, and where their comparisons go. */
typedef struct group {
    size_t first, count, out;
} group;

typedef struct job {
    const jl_study_table *t;
    const jl_comparison_options *o;
    double level;
    uint32_t *order; /* cells that ran, grouped */
    size_t ran;
    group *groups;
    size_t group_count;
    double *logs; /* cells x rounds */
    jl_comparison *out;
    size_t out_count;
} job;

typedef struct worker {
    const job *j;
    unsigned first, stride;
    int rc;
    jl_error err;
} worker;

static void job_free(job *j)
{
    free(j->order);
    free(j->groups);
    free(j->logs);
}

static void log_row(const jl_study_table *t, jl_metric metric, size_t cell, double *out)
{
    const double *values = t->values[metric] ? t->values[metric] + cell * t->rounds : NULL;
    for (size_t r = 0; r < t->rounds; r++) {
        bool usable = values && (!t->pairs || t->pairs[r]) && values[r] > 0 && isfinite(values[r]);
        out[r] = usable ? log(values[r]) : NAN;
    }
}

void jl_log_ratios(const jl_study_table *t, jl_metric metric, uint32_t base, uint32_t new_cell,
                   double *out)
{
    const double *a = t->values[metric], *b = a;
    for (size_t r = 0; r < t->rounds; r++) {
        out[r] = NAN;
        if (!a || (t->pairs && !t->pairs[r])) continue;
        double x = a[base * t->rounds + r], y = b[new_cell * t->rounds + r];
        if (x > 0 && y > 0 && isfinite(x) && isfinite(y)) out[r] = log(y) - log(x);
    }
}

static bool same_group(const jl_study_cell *x, const jl_study_cell *y)
{
    return x->device == y->device && x->model == y->model && x->batch == y->batch &&
           x->in_flight == y->in_flight;
}

/* How many comparisons a group of cells makes: all pairs, or each other cell with the baseline. */
static size_t comparisons_of(const job *j, const group *g)
{
    if (j->o->baseline == JL_ALL_PAIRS) return g->count * (g->count - 1) / 2;
    for (size_t i = 0; i < g->count; i++)
        if (j->t->cells[j->order[g->first + i]].configuration == j->o->baseline)
            return g->count - 1;
    return 0;
}

static int make_groups(job *j, jl_error *err)
{
    const jl_study_table *t = j->t;
    j->order = malloc((t->cell_count + 1) * sizeof *j->order);
    j->groups = malloc((t->cell_count + 1) * sizeof *j->groups);
    if (!j->order || !j->groups) return jl_no_memory(err);
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && !t->models[t->cells[i].model].probe)
            j->order[j->ran++] = (uint32_t)i;
    jl_sort_cells(t, j->order, j->ran, JL_BY_MODEL);
    for (size_t i = 0; i < j->ran;) {
        size_t end = i + 1;
        while (end < j->ran && same_group(&t->cells[j->order[i]], &t->cells[j->order[end]]))
            end++;
        group g = {i, end - i, j->out_count};
        size_t made = comparisons_of(j, &g);
        if (made) j->groups[j->group_count++] = g;
        j->out_count += made;
        i = end;
    }
    return 0;
}

static int compare_pair(const job *j, jl_signed_nulls *nulls, uint32_t base, uint32_t new_cell,
                        double *d, jl_comparison *c, jl_error *err)
{
    const double *a = j->logs + base * j->t->rounds, *b = j->logs + new_cell * j->t->rounds;
    uint32_t n = 0, one_sided = 0;
    for (size_t r = 0; r < j->t->rounds; r++) {
        double difference = b[r] - a[r];
        if (!isnan(difference))
            d[n++] = difference;
        else
            one_sided += isnan(a[r]) != isnan(b[r]);
    }
    *c = (jl_comparison){.base = base, .new_cell = new_cell, .n = n, .left_out = one_sided};
    jl_signed_rank w;
    jl_shift s;
    int rc = jl_wilcoxon_with(nulls, d, n, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, err);
    if (!rc) rc = jl_hodges_lehmann_with(nulls, d, n, j->level, &s, err);
    if (rc) return rc;
    c->ties = w.ties;
    c->p = w.p;
    c->p_least = w.p_least;
    c->effect = w.rank_biserial;
    c->ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
    c->interval = s.interval;
    if (!s.interval.why) {
        c->interval.low = exp(s.interval.low);
        c->interval.high = exp(s.interval.high);
    }
    c->p_study = c->p_study_bonferroni = jl_none(JL_NOT_TESTED);
    return 0;
}

/* Family (a): the comparisons of one group. */
static int correct_group(jl_comparison *c, size_t count, jl_value *p, jl_value *q, jl_error *err)
{
    for (size_t i = 0; i < count; i++)
        p[i] = c[i].p;
    jl_bonferroni(p, count, count, q);
    for (size_t i = 0; i < count; i++)
        c[i].p_bonferroni = q[i];
    int rc = jl_holm(p, count, count, q, err);
    for (size_t i = 0; !rc && i < count; i++) {
        c[i].p_holm = q[i];
        c[i].family = (uint32_t)count;
    }
    return rc;
}

static int compare_group(const job *j, jl_signed_nulls *nulls, const group *g, double *d,
                         jl_error *err)
{
    const uint32_t *cells = j->order + g->first;
    jl_comparison *c = j->out + g->out;
    size_t made = 0;
    int rc = 0;
    for (size_t a = 0; a < g->count; a++) {
        bool all = j->o->baseline == JL_ALL_PAIRS;
        if (!all && j->t->cells[cells[a]].configuration != j->o->baseline) continue;
        for (size_t b = all ? a + 1 : 0; b < g->count && !rc; b++)
            if (b != a) rc = compare_pair(j, nulls, cells[a], cells[b], d, &c[made++], err);
        if (!all) break;
    }
    if (rc) return rc;
    JL_OWNED jl_value *p = malloc((made + 1) * sizeof *p), *q = malloc((made + 1) * sizeof *q);
    return p && q ? correct_group(c, made, p, q, err) : jl_no_memory(err);
}

static void *work(void *argument)
{
    worker *w = argument;
    __attribute__((cleanup(jl_signed_nulls_free))) jl_signed_nulls nulls = {0};
    JL_OWNED double *d = malloc((w->j->t->rounds + 1) * sizeof *d);
    if (!d) w->rc = jl_no_memory(&w->err);
    for (size_t g = w->first; g < w->j->group_count && !w->rc; g += w->stride)
        w->rc = compare_group(w->j, &nulls, &w->j->groups[g], d, &w->err);
    return NULL;
}

static unsigned threads_of(const job *j)
{
    if (j->o->threads < 1) return 1;
    return j->o->threads > MOST_THREADS ? MOST_THREADS : j->o->threads;
}

static int run_threads(const job *j, jl_error *err)
{
    unsigned threads = threads_of(j);
    worker workers[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    bool started[MOST_THREADS] = {false};
    for (unsigned i = 0; i < threads; i++)
        workers[i] = (worker){.j = j, .first = i, .stride = threads};
    for (unsigned i = 1; i < threads; i++)
        started[i] = pthread_create(&ids[i], NULL, work, &workers[i]) == 0;
    for (unsigned i = 0; i < threads; i++) {
        if (started[i])
            pthread_join(ids[i], NULL);
        else
            work(&workers[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        if (workers[i].rc) return jl_fail(err, workers[i].rc, "%s", workers[i].err.msg);
    return 0;
}

/* Comparisons first .. end - 1 of family (b), added to flips of their own. */
typedef struct share {
    const job *j;
    const size_t *columns;
    size_t used, first, end;
    jl_sign_flips flips;
    jl_value *statistic; /* of the comparison `first` */
    double *d;
} share;

static void *add_share(void *argument)
{
    share *s = argument;
    size_t rounds = s->j->t->rounds;
    for (size_t i = s->first; i < s->end; i++) {
        const jl_comparison *c = &s->j->out[i];
        const double *a = s->j->logs + c->base * rounds, *b = s->j->logs + c->new_cell * rounds;
        for (size_t k = 0; k < s->used; k++)
            s->d[k] = b[s->columns[k]] - a[s->columns[k]];
        jl_sign_flips_add(&s->flips, s->d, 0, &s->statistic[i - s->first]);
    }
    return NULL;
}

/* Rounds in which any cell of the device has a value. */
static size_t rounds_held(const job *j, uint32_t device, size_t *columns)
{
    const jl_study_table *t = j->t;
    size_t used = 0;
    for (size_t r = 0; r < t->rounds; r++) {
        bool holds = false;
        for (size_t i = 0; i < j->ran && !holds; i++)
            holds = t->cells[j->order[i]].device == device &&
                    !isnan(j->logs[j->order[i] * t->rounds + r]);
        if (holds) columns[used++] = r;
    }
    return used;
}

/* Adds every share in a thread of its own; the first then holds the maxima of all. */
static void add_shares(share *shares, unsigned count)
{
    pthread_t ids[MOST_THREADS];
    bool started[MOST_THREADS] = {false};
    for (unsigned i = 1; i < count; i++)
        started[i] = pthread_create(&ids[i], NULL, add_share, &shares[i]) == 0;
    for (unsigned i = 0; i < count; i++) {
        if (started[i])
            pthread_join(ids[i], NULL);
        else
            add_share(&shares[i]);
        if (i) jl_sign_flips_merge(&shares[0].flips, &shares[i].flips);
    }
    jl_sign_flips_finish(&shares[0].flips);
}

/* Family (b) of the comparisons first .. end - 1, which are those of one device. */
static int correct_study(const job *j, size_t first, size_t end, jl_error *err)
{
    enum { WORTH_A_THREAD = 256 };
    const jl_study_table *t = j->t;
    size_t m = end - first;
    unsigned threads = m < WORTH_A_THREAD ? 1 : threads_of(j);
    JL_OWNED size_t *columns = malloc((t->rounds + 1) * sizeof *columns);
    JL_OWNED double *d = malloc(threads * (t->rounds + 1) * sizeof *d);
    JL_OWNED jl_value *statistic = malloc(m * sizeof *statistic);
    JL_OWNED share *shares = calloc(threads, sizeof *shares);
    if (!columns || !d || !statistic || !shares) return jl_no_memory(err);
    size_t used = rounds_held(j, t->cells[j->out[first].base].device, columns);
    size_t draws = j->o->draws ? j->o->draws : jl_usual_draws(m);
    jl_max_t_options o = {.draws = draws, .seed = j->o->seed};
    int rc = 0;
    for (unsigned i = 0; i < threads && !rc; i++) {
        size_t from = first + m * i / threads;
        shares[i] = (share){.j = j,
                            .columns = columns,
                            .used = used,
                            .first = from,
                            .end = first + m * (i + 1) / threads,
                            .statistic = statistic + (from - first),
                            .d = d + i * (t->rounds + 1)};
        rc = jl_sign_flips_start(&shares[i].flips, used, &o, err);
    }
    if (!rc) add_shares(shares, threads);
    for (size_t i = 0; i < m && !rc; i++) {
        jl_comparison *c = &j->out[first + i];
        c->p_study = jl_sign_flips_p(&shares[0].flips, statistic[i]);
        c->p_study_bonferroni = c->p.why ? c->p : jl_some(fmin(1, c->p.value * (double)m));
        c->study_family = (uint32_t)m;
    }
    for (unsigned i = 0; i < threads; i++)
        jl_sign_flips_free(&shares[i].flips);
    return rc;
}

static int check_options(const jl_study_table *t, const jl_comparison_options *o, jl_error *err)
{
    if ((unsigned)o->metric >= JL_METRIC_COUNT || o->level >= 1)
        return jl_fail(err, JL_ERR_USAGE, "compare: metric %d, level %g", (int)o->metric, o->level);
    if (o->baseline != JL_ALL_PAIRS && o->baseline >= t->configuration_count)
        return jl_fail(err, JL_ERR_USAGE, "compare: baseline %u of %zu configurations", o->baseline,
                       t->configuration_count);
    return 0;
}

int jl_count_comparisons(const jl_study_table *t, const jl_comparison_options *o, size_t *count,
                         jl_error *err)
{
    __attribute__((cleanup(job_free))) job j = {.t = t, .o = o};
    int rc = check_options(t, o, err);
    if (!rc) rc = make_groups(&j, err);
    *count = j.out_count;
    return rc;
}

int jl_compare_study(const jl_study_table *t, const jl_comparison_options *o, jl_comparisons *out,
                     jl_error *err)
{
    __attribute__((cleanup(job_free))) job j = {.t = t, .o = o, .level = o->level};
    if (!(o->level > 0)) j.level = 0.95;
    int rc = check_options(t, o, err);
    if (!rc) rc = make_groups(&j, err);
    if (rc) return rc;
    j.logs = malloc((t->cell_count * t->rounds + 1) * sizeof *j.logs);
    j.out = calloc(j.out_count + 1, sizeof *j.out);
    if (!j.logs || !j.out) rc = jl_no_memory(err);
    for (size_t i = 0; !rc && i < t->cell_count; i++)
        log_row(t, o->metric, i, j.logs + i * t->rounds);
    if (!rc) rc = run_threads(&j, err);
    for (size_t i = 0; o->study_wide && !rc && i < j.out_count;) {
        size_t end = i + 1;
        uint32_t device = t->cells[j.out[i].base].device;
        while (end < j.out_count && t->cells[j.out[end].base].device == device)
            end++;
        rc = correct_study(&j, i, end, err);
        i = end;
    }
    if (rc) {
        free(j.out);
        return rc;
    }
    *out = (jl_comparisons){j.out, j.out_count};
    return 0;
}

void jl_comparisons_free(jl_comparisons *c)
{
    free(c->items);
    *c = (jl_comparisons){0};
}
