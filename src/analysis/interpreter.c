#include "jouleline/interpreter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/comparison.h"
#include "jouleline/paired.h"
#include "jouleline/portability.h"

/* The next "key=value" of a configuration's options, without those that say which file is run:
 * pytorch has none of them. Empty at the end. */
static const char *next_option(const char *at, size_t *n)
{
    for (at = at ? at : ""; *at; at += *n) {
        at += *at == '+';
        *n = strcspn(at, "+");
        if (strncmp(at, "trace=", 6) != 0 && strncmp(at, "lib=", 4) != 0 &&
            strncmp(at, "version=", 8) != 0)
            return at;
    }
    *n = 0;
    return at;
}

static bool same_settings(const char *a, const char *b)
{
    size_t n, m;
    a = next_option(a, &n);
    b = next_option(b, &m);
    while (n && n == m && !memcmp(a, b, n)) {
        a = next_option(a + n, &n);
        b = next_option(b + m, &m);
    }
    return n == 0 && m == 0;
}

static bool is_pair(const jl_study_table *t, const jl_study_cell *python, const jl_study_cell *cpp)
{
    const jl_study_configuration *a = &t->configurations[python->configuration],
                                 *b = &t->configurations[cpp->configuration];
    return jl_same_word(a->runtime, "pytorch") && jl_same_word(b->runtime, "libtorch") &&
           python->device == cpp->device && python->model == cpp->model &&
           python->batch == cpp->batch && python->in_flight == cpp->in_flight &&
           jl_same_word(a->provider, b->provider) && jl_same_word(a->precision, b->precision) &&
           same_settings(a->options, b->options);
}

static const char *fact(const jl_study_cell *c, const char *name)
{
    for (size_t i = 0; i < c->fact_count; i++)
        if (!strcmp(c->facts[i].name, name)) return c->facts[i].value;
    return NULL;
}

/* 2.11.0+cu130 and 2.11.0 are one torch, and so are Debian's 1.13.0a0+gitunknown and 1.13.0. */
static bool same_version(const char *a, const char *b)
{
    static const char digits[] = "0123456789.";
    size_t n = a ? strspn(a, digits) : 0, m = b ? strspn(b, digits) : 0;
    return n && n == m && !strncmp(a, b, n);
}

static bool held_equal(const jl_study_table *t, const jl_study_cell *a, const jl_study_cell *b)
{
    jl_audit x = jl_audit_begin(t, a, t, b);
    const char *name, *left, *right;
    while (jl_audit_next(&x, &name, &left, &right))
        if (strcmp(name, "start") != 0) return false; /* over before the first call */
    return true;
}

static int estimate(const jl_study_table *t, jl_metric metric, double level, double *d,
                    jl_interpreter_share *s, jl_error *err)
{
    jl_shift shift;
    const double *python = t->values[metric] + s->pytorch * t->rounds,
                 *cpp = t->values[metric] + s->libtorch * t->rounds;
    jl_log_ratios(t, metric, s->pytorch, s->libtorch, d);
    int rc = jl_hodges_lehmann(d, t->rounds, level, &shift, err);
    if (rc) return rc;
    s->n = (uint32_t)shift.n;
    s->share = shift.estimate.why ? shift.estimate : jl_some(1 - exp(shift.estimate.value));
    s->share_between = shift.interval;
    if (!shift.interval.why) {
        s->share_between.low = 1 - exp(shift.interval.high);
        s->share_between.high = 1 - exp(shift.interval.low);
    }
    for (size_t r = 0; r < t->rounds; r++)
        if (!isnan(d[r])) d[r] = python[r] - cpp[r];
    rc = jl_hodges_lehmann(d, t->rounds, level, &shift, err);
    s->difference = shift.estimate;
    s->between = shift.interval;
    return rc;
}

static int add(const jl_study_table *t, jl_metric metric, double level, uint32_t python,
               uint32_t cpp, double *d, jl_interpreter_shares *out, jl_error *err)
{
    const jl_study_cell *a = &t->cells[python], *b = &t->cells[cpp];
    jl_interpreter_share *s = &out->items[out->count++];
    *s = (jl_interpreter_share){.pytorch = python,
                                .libtorch = cpp,
                                .same_operators = jl_same_word(fact(b, "same_operators"), "1"),
                                .same_torch = same_version(fact(a, "version"), fact(b, "version"))};
    s->alone = s->same_operators && s->same_torch && held_equal(t, a, b);
    return estimate(t, metric, level, d, s, err);
}

int jl_find_interpreter_shares(const jl_study_table *t, jl_metric metric, double level,
                               jl_interpreter_shares *out, jl_error *err)
{
    *out = (jl_interpreter_shares){0};
    if (!t->values[metric]) return 0;
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    JL_OWNED double *d = malloc((t->rounds + 1) * sizeof *d);
    size_t ran = 0, room = 0;
    if (!order || !d) return jl_no_memory(err);
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && !jl_cell_is_probe(t, i)) order[ran++] = i;
    jl_sort_cells(t, order, ran, JL_BY_MODEL);
    int rc = 0;
    for (size_t i = 0; i < ran && !rc; i++) {
        const jl_study_cell *a = &t->cells[order[i]];
        if (!jl_same_word(t->configurations[a->configuration].runtime, "pytorch")) continue;
        for (size_t k = 0; k < ran && !rc; k++) {
            if (!is_pair(t, a, &t->cells[order[k]])) continue;
            if (out->count == room) {
                room = room ? 2 * room : 16;
                void *more = realloc(out->items, room * sizeof *out->items);
                if (!more) rc = jl_no_memory(err);
                if (rc) break;
                out->items = more;
            }
            rc = add(t, metric, level, order[i], order[k], d, out, err);
        }
    }
    if (rc) jl_interpreter_shares_free(out);
    return rc;
}

void jl_interpreter_shares_free(jl_interpreter_shares *s)
{
    free(s->items);
    *s = (jl_interpreter_shares){0};
}
