/* Expressions as numbers, when their symbols are bound, and as text. */
#include "model/dim_pool.h"

bool jl_dims_bind(jl_dims *d, jl_str symbol, int64_t value)
{
    uint32_t a = jl_map_get_in(&d->atoms_by_key, ATOM_SYMBOL, symbol);
    if (a == JL_MAP_NONE) return false;
    d->atoms[a - 1].bound = value;
    d->epoch++;
    return true;
}

static bool eval_atom(jl_dims *d, uint32_t number, int64_t *value, jl_str *missing)
{
    atom *a = &d->atoms[number - 1];
    if (a->kind == ATOM_SYMBOL || a->kind == ATOM_UNKNOWN) {
        if (a->bound < 0 && missing) *missing = a->kind == ATOM_SYMBOL ? a->name : JL_STR("?");
        *value = a->bound;
        return a->bound >= 0;
    }
    if (a->epoch != d->epoch) {
        int64_t x, y;
        if (!jl_dim_eval(d, a->a, &x, missing) || !jl_dim_eval(d, a->b, &y, missing)) return false;
        if (a->kind == ATOM_FLOOR && (y == 0 || (x == INT64_MIN && y == -1))) return false;
        a->value = a->kind == ATOM_MIN ? (x < y ? x : y) : dim_floor(x, y);
        a->epoch = d->epoch;
    }
    *value = a->value;
    return true;
}

bool jl_dim_eval(jl_dims *d, jl_dim a, int64_t *value, jl_str *missing)
{
    if (missing) *missing = (jl_str){0};
    if (!a.expr) {
        *value = a.k;
        return true;
    }
    const poly p = d->polys[a.expr - 1];
    int64_t sum = 0;
    for (uint32_t i = 0; i < p.n; i++) {
        int64_t product = p.terms[i].c, factor;
        for (uint32_t k = 0; k < p.terms[i].n; k++) {
            if (!eval_atom(d, p.terms[i].atoms[k], &factor, missing)) return false;
            if (__builtin_mul_overflow(product, factor, &product)) return false;
        }
        if (__builtin_add_overflow(sum, product, &sum)) return false;
    }
    *value = sum;
    return true;
}

static void print_atom(const jl_dims *d, uint32_t number, jl_buf *out)
{
    const atom *a = &d->atoms[number - 1];
    switch (a->kind) {
    case ATOM_SYMBOL:
        jl_buf_append(out, a->name.p, a->name.n);
        return;
    case ATOM_UNKNOWN:
        jl_buf_printf(out, "?%u", number);
        return;
    case ATOM_FLOOR:
    case ATOM_MIN:
        break;
    }
    if (a->nesting > 4) { /* readers gain nothing, and it could grow without end */
        jl_buf_printf(out, "e%u", number);
        return;
    }
    bool is_floor = a->kind == ATOM_FLOOR;
    jl_buf_puts(out, is_floor ? "floor((" : "min(");
    jl_dim_print(d, a->a, out);
    jl_buf_puts(out, is_floor ? ")/(" : ", ");
    jl_dim_print(d, a->b, out);
    jl_buf_puts(out, is_floor ? "))" : ")");
}

void jl_dim_print(const jl_dims *d, jl_dim a, jl_buf *out)
{
    if (!a.expr) {
        jl_buf_printf(out, "%lld", (long long)a.k);
        return;
    }
    const poly *p = &d->polys[a.expr - 1];
    for (uint32_t i = 0; i < p->n; i++) {
        const term *t = &p->terms[i];
        if (i) jl_buf_puts(out, " + ");
        for (uint32_t k = 0; k < t->n; k++) {
            if (k) jl_buf_puts(out, "*");
            print_atom(d, t->atoms[k], out);
        }
        if (t->c != 1 || !t->n) jl_buf_printf(out, "%s%lld", t->n ? "*" : "", (long long)t->c);
    }
}
