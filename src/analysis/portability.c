#include "jouleline/portability.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

static int by_rows(const void *a, const void *b)
{
    const jl_portability_row *x = a, *y = b;
    const uint32_t p[] = {x->configuration, (uint32_t)x->outcome, x->model, x->device};
    const uint32_t q[] = {y->configuration, (uint32_t)y->outcome, y->model, y->device};
    for (int i = 0; i < 4; i++)
        if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
    return 0;
}

/* The row of a cell's model, configuration, device and outcome, or NULL. */
static jl_portability_row *row_of(jl_portability *p, const jl_study_cell *c)
{
    for (size_t i = p->count; i-- > 0;) {
        jl_portability_row *r = &p->rows[i];
        if (r->model == c->model && r->configuration == c->configuration &&
            r->device == c->device && r->outcome == c->outcome)
            return r;
    }
    return NULL;
}

static bool same_head(const char *a, const char *b)
{
    size_t n = strcspn(a, "+");
    return n == strcspn(b, "+") && !strncmp(a, b, n);
}

/* Whether the configuration ran every cell that it has of the row's model and device. */
static bool all_ran(const jl_study_table *t, const jl_portability_row *r, uint32_t configuration)
{
    uint32_t cells = 0;
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        if (c->model != r->model || c->device != r->device || c->configuration != configuration)
            continue;
        if (c->outcome != JL_OUTCOME_OK) return false;
        cells++;
    }
    return cells >= r->of;
}

static uint32_t cure(const jl_study_table *t, const jl_portability_row *r)
{
    const char *name = t->configurations[r->configuration].name;
    for (uint32_t k = 0; k < t->configuration_count; k++)
        if (k != r->configuration && same_head(name, t->configurations[k].name) && all_ran(t, r, k))
            return k;
    return JL_NO_CONFIGURATION;
}

int jl_find_failures(const jl_study_table *t, jl_portability *out, jl_error *err)
{
    *out = (jl_portability){malloc((t->cell_count + 1) * sizeof *out->rows), 0};
    if (!out->rows) return jl_no_memory(err);
    for (size_t i = 0; i < t->cell_count; i++) {
        const jl_study_cell *c = &t->cells[i];
        if (c->outcome == JL_OUTCOME_OK || t->models[c->model].probe) continue;
        jl_portability_row *r = row_of(out, c);
        if (!r) {
            r = &out->rows[out->count++];
            *r = (jl_portability_row){.model = c->model,
                                      .configuration = c->configuration,
                                      .device = c->device,
                                      .outcome = c->outcome,
                                      .least_batch = c->batch,
                                      .most_batch = c->batch,
                                      .message = c->message};
        }
        r->cells++;
        r->least_batch = c->batch < r->least_batch ? c->batch : r->least_batch;
        r->most_batch = c->batch > r->most_batch ? c->batch : r->most_batch;
    }
    for (size_t i = 0; i < out->count; i++) {
        jl_portability_row *r = &out->rows[i];
        for (size_t k = 0; k < t->cell_count; k++)
            r->of += t->cells[k].model == r->model && t->cells[k].device == r->device &&
                     t->cells[k].configuration == r->configuration;
        r->runs_as = cure(t, r);
    }
    qsort(out->rows, out->count, sizeof *out->rows, by_rows);
    return 0;
}

void jl_portability_free(jl_portability *p)
{
    free(p->rows);
    *p = (jl_portability){0};
}

static const char *fact(const jl_study_fact *facts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(facts[i].name, name)) return facts[i].value;
    return NULL;
}

jl_audit jl_audit_begin(const jl_study_table *ta, const jl_study_cell *a, const jl_study_table *tb,
                        const jl_study_cell *b)
{
    const jl_study_device *da = &ta->devices[a->device], *db = &tb->devices[b->device];
    jl_audit x = {.runtimes = !jl_same_word(ta->configurations[a->configuration].runtime,
                                            tb->configurations[b->configuration].runtime),
                  .a = {a->facts},
                  .b = {b->facts}};
    x.count_a[0] = a->fact_count;
    x.count_b[0] = b->fact_count;
    if (da == db) return x;
    x.a[1] = da->facts;
    x.b[1] = db->facts;
    x.count_a[1] = da->fact_count;
    x.count_b[1] = db->fact_count;
    return x;
}

/* A fact that comes with the runtime: another one cannot have the same. */
static bool of_runtime(const char *name)
{
    static const char *const names[] = {"version",     "library", "optimization", "python",
                                        "torchvision", "cuda",    "dispatch",     "same_operators"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

bool jl_audit_next(jl_audit *x, const char **name, const char **value_a, const char **value_b)
{
    for (; x->set < 2; x->set++, x->from = 0) {
        const jl_study_fact *a = x->a[x->set], *b = x->b[x->set];
        size_t count_a = x->count_a[x->set], count_b = x->count_b[x->set];
        while (x->from < count_a + count_b) {
            size_t at = x->from++;
            *name = at < count_a ? a[at].name : b[at - count_a].name;
            *value_a = fact(a, count_a, *name);
            *value_b = fact(b, count_b, *name);
            if (at >= count_a && *value_a) continue; /* seen from the other side */
            const char *only = !*value_a ? *value_b : !*value_b ? *value_a : NULL;
            if (x->runtimes && (of_runtime(*name) || jl_same_word(only, "0"))) continue;
            if ((*value_a || *value_b) && !jl_same_word(*value_a, *value_b)) return true;
        }
    }
    return false;
}
