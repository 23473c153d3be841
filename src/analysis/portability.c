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
            *r = (jl_portability_row){c->model, c->configuration, c->device, c->outcome, 0,
                                      0,        c->batch,         c->batch,  c->message};
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
    }
    qsort(out->rows, out->count, sizeof *out->rows, by_rows);
    return 0;
}

void jl_portability_free(jl_portability *p)
{
    free(p->rows);
    *p = (jl_portability){0};
}

static const char *fact(const jl_study_cell *c, const char *name)
{
    for (size_t i = 0; i < c->fact_count; i++)
        if (!strcmp(c->facts[i].name, name)) return c->facts[i].value;
    return NULL;
}

bool jl_audit_next(const jl_study_cell *a, const jl_study_cell *b, size_t *from, const char **name,
                   const char **value_a, const char **value_b)
{
    for (; *from < a->fact_count + b->fact_count; ++*from) {
        bool of_a = *from < a->fact_count;
        *name = of_a ? a->facts[*from].name : b->facts[*from - a->fact_count].name;
        *value_a = fact(a, *name);
        *value_b = fact(b, *name);
        if (!of_a && *value_a) continue; /* seen from the other side */
        if ((!*value_a && !*value_b) || jl_same_word(*value_a, *value_b)) continue;
        ++*from;
        return true;
    }
    return false;
}
