#include "model/dim_pool.h"

#include <stdlib.h>

jl_dims *jl_dims_new(void)
{
    jl_dims *d = calloc(1, sizeof *d);
    if (d && !(d->arena = jl_arena_new())) {
        free(d);
        return NULL;
    }
    if (d) d->epoch = 1;
    return d;
}

void jl_dims_free(jl_dims *d)
{
    if (!d) return;
    jl_arena_free(d->arena);
    jl_map_free(&d->exprs);
    jl_map_free(&d->atoms_by_key);
    free(d->polys);
    free(d->atoms);
    free(d->symbols);
    free(d);
}

bool jl_dims_overflowed(const jl_dims *d)
{
    return d->overflowed;
}

void jl_dims_clear_overflow(jl_dims *d)
{
    d->overflowed = false;
}

const jl_str *jl_dims_symbols(const jl_dims *d, size_t *n)
{
    *n = d->n_symbols;
    return d->symbols;
}

/* Memory running out is told like an overflow: the result is not usable. */
static jl_dim fail(jl_dims *d)
{
    d->overflowed = true;
    return jl_dim_k(0);
}

static bool grow(void **array, size_t size, size_t n, size_t *capacity)
{
    if (n < *capacity) return true;
    size_t wanted = *capacity ? *capacity * 2 : 32;
    void *p = reallocarray(*array, wanted, size);
    if (!p) return false;
    *array = p;
    *capacity = wanted;
    return true;
}

/* Atoms and expressions ----------------------------------------------------------------------- */

static uint32_t add_atom(jl_dims *d, const atom *a)
{
    if (!grow((void **)&d->atoms, sizeof *d->atoms, d->n_atoms, &d->atoms_capacity)) return 0;
    d->atoms[d->n_atoms] = *a;
    d->atoms[d->n_atoms].bound = -1;
    return (uint32_t)++d->n_atoms; /* numbers start at 1 */
}

static jl_dim intern(jl_dims *d, const term *terms, uint32_t n)
{
    if (n == 0) return jl_dim_k(0);
    if (n == 1 && terms[0].n == 0) return jl_dim_k(terms[0].c);
    jl_str key = {(const char *)terms, n * sizeof *terms};
    uint32_t e;
    if ((e = jl_map_get(&d->exprs, key)) != JL_MAP_NONE) return (jl_dim){0, e};
    term *kept = jl_arena_alloc(d->arena, key.n);
    if (!kept || !grow((void **)&d->polys, sizeof *d->polys, d->n_polys, &d->polys_capacity))
        return fail(d);
    memcpy(kept, terms, key.n);
    d->polys[d->n_polys++] = (poly){kept, n};
    e = (uint32_t)d->n_polys;
    if (!jl_map_set(&d->exprs, (jl_str){(const char *)kept, key.n}, e)) return fail(d);
    return (jl_dim){0, e};
}

static jl_dim from_atom(jl_dims *d, uint32_t a)
{
    if (!a) return fail(d);
    term t = {.c = 1, .n = 1, .atoms = {a}};
    return intern(d, &t, 1);
}

jl_dim jl_dim_symbol(jl_dims *d, jl_str name)
{
    uint32_t a;
    if ((a = jl_map_get_in(&d->atoms_by_key, ATOM_SYMBOL, name)) != JL_MAP_NONE)
        return from_atom(d, a);
    char *copy = jl_arena_strndup(d->arena, name.p ? name.p : "", name.n);
    if (!copy ||
        !grow((void **)&d->symbols, sizeof *d->symbols, d->n_symbols, &d->symbols_capacity))
        return fail(d);
    jl_str kept = {copy, name.n};
    a = add_atom(d, &(atom){.kind = ATOM_SYMBOL, .name = kept, .low = 1});
    if (!a || !jl_map_set_in(&d->atoms_by_key, ATOM_SYMBOL, kept, a)) return fail(d);
    d->symbols[d->n_symbols++] = kept;
    return from_atom(d, a);
}

jl_dim jl_dim_unknown(jl_dims *d)
{
    return from_atom(d, add_atom(d, &(atom){.kind = ATOM_UNKNOWN, .low = 0}));
}

/* What an expression beyond the limits becomes: of its value nothing is known, nor its sign. */
static jl_dim too_large(jl_dims *d)
{
    return from_atom(d, add_atom(d, &(atom){.kind = ATOM_UNKNOWN, .low = -1}));
}

/* A polynomial view of any jl_dim; the constant needs a place to stand. */
static poly view(const jl_dims *d, jl_dim a, term *constant)
{
    if (a.expr) return d->polys[a.expr - 1];
    *constant = (term){.c = a.k};
    return (poly){constant, a.k != 0};
}

static const atom *single_atom(const jl_dims *d, jl_dim a)
{
    if (!a.expr) return NULL;
    const poly *p = &d->polys[a.expr - 1];
    bool single = p->n == 1 && p->terms[0].n == 1 && p->terms[0].c == 1;
    return single ? &d->atoms[p->terms[0].atoms[0] - 1] : NULL;
}

bool jl_dim_is_unknown(const jl_dims *d, jl_dim a)
{
    const atom *at = single_atom(d, a);
    return at && at->kind == ATOM_UNKNOWN;
}

static unsigned nesting(const jl_dims *d, jl_dim a)
{
    unsigned deepest = 0;
    for (uint32_t i = 0; a.expr && i < d->polys[a.expr - 1].n; i++) {
        const term *t = &d->polys[a.expr - 1].terms[i];
        for (uint32_t k = 0; k < t->n; k++) {
            unsigned n = d->atoms[t->atoms[k] - 1].nesting;
            if (n > deepest) deepest = n;
        }
    }
    return deepest;
}

/* Comparison ---------------------------------------------------------------------------------- */

bool jl_dim_at_least(const jl_dims *d, jl_dim a, int64_t bound)
{
    if (!a.expr) return a.k >= bound;
    const poly *p = &d->polys[a.expr - 1];
    int64_t sum = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const term *t = &p->terms[i];
        int64_t product = t->c;
        if (t->n && t->c < 0) return false;
        for (uint32_t k = 0; k < t->n; k++) {
            int low = d->atoms[t->atoms[k] - 1].low;
            if (low < 0) return false;
            if (low == 0) product = 0;
        }
        if (__builtin_add_overflow(sum, product, &sum)) return false;
    }
    return sum >= bound;
}

/* Symbols are at least 1; of quotients and minima only their sign is followed. */
static int compound_low(const jl_dims *d, atom_kind kind, jl_dim a, jl_dim b)
{
    if (kind == ATOM_FLOOR)
        return !b.expr && b.k > 0 && jl_dim_at_least(d, a, 0) ? jl_dim_at_least(d, a, b.k) : -1;
    if (!jl_dim_at_least(d, a, 0) || !jl_dim_at_least(d, b, 0)) return -1;
    return jl_dim_at_least(d, a, 1) && jl_dim_at_least(d, b, 1);
}

/* floor(a/b) or min(a, b) that does not simplify. */
static jl_dim compound(jl_dims *d, atom_kind kind, jl_dim a, jl_dim b)
{
    const int64_t parts[] = {a.k, b.k, a.expr, b.expr};
    int64_t *key = jl_arena_alloc(d->arena, sizeof parts);
    if (!key) return fail(d);
    memcpy(key, parts, sizeof parts);
    jl_str bytes = {(const char *)key, sizeof parts};
    uint32_t at;
    if ((at = jl_map_get_in(&d->atoms_by_key, kind, bytes)) != JL_MAP_NONE) return from_atom(d, at);
    unsigned na = nesting(d, a), nb = nesting(d, b), deepest = na > nb ? na : nb;
    if (deepest >= MAX_NESTING) return too_large(d);
    at = add_atom(d, &(atom){.kind = kind,
                             .a = a,
                             .b = b,
                             .nesting = deepest + 1,
                             .low = compound_low(d, kind, a, b)});
    if (!at || !jl_map_set_in(&d->atoms_by_key, kind, bytes, at)) return fail(d);
    return from_atom(d, at);
}

/* Arithmetic ---------------------------------------------------------------------------------- */

/* Higher degrees and higher atoms first, so that the constant is last. */
static int compare(const term *a, const term *b)
{
    for (uint32_t i = 0; i < a->n && i < b->n; i++)
        if (a->atoms[i] != b->atoms[i]) return a->atoms[i] > b->atoms[i] ? -1 : 1;
    return a->n == b->n ? 0 : a->n > b->n ? -1 : 1;
}

/* a + factor * b for whole polynomials. */
static jl_dim combine(jl_dims *d, jl_dim a, jl_dim b, int64_t factor)
{
    term ca, cb, sum[2 * MAX_TERMS];
    poly pa = view(d, a, &ca), pb = view(d, b, &cb);
    uint32_t n = 0, i = 0, j = 0;
    while (i < pa.n || j < pb.n) {
        int order = i == pa.n ? 1 : j == pb.n ? -1 : compare(&pa.terms[i], &pb.terms[j]);
        term t = order <= 0 ? pa.terms[i] : pb.terms[j];
        int64_t other = 0;
        if (order > 0) t.c = 0;
        if (order >= 0 && __builtin_mul_overflow(pb.terms[j].c, factor, &other)) return fail(d);
        if (__builtin_add_overflow(t.c, other, &t.c)) return fail(d);
        i += order <= 0;
        j += order >= 0;
        if (t.c) sum[n++] = t;
    }
    return n > MAX_TERMS ? too_large(d) : intern(d, sum, n);
}

jl_dim jl_dim_add(jl_dims *d, jl_dim a, jl_dim b)
{
    if (a.expr || b.expr) return combine(d, a, b, 1);
    int64_t k;
    return __builtin_add_overflow(a.k, b.k, &k) ? fail(d) : jl_dim_k(k);
}

jl_dim jl_dim_sub(jl_dims *d, jl_dim a, jl_dim b)
{
    if (a.expr || b.expr) return combine(d, a, b, -1);
    int64_t k;
    return __builtin_sub_overflow(a.k, b.k, &k) ? fail(d) : jl_dim_k(k);
}

static bool multiply_terms(const term *a, const term *b, term *product)
{
    *product = (term){0};
    if (a->n + b->n > MAX_DEGREE) return false;
    uint32_t i = 0, j = 0;
    while (i < a->n || j < b->n) {
        bool left = j == b->n || (i < a->n && a->atoms[i] <= b->atoms[j]);
        product->atoms[product->n++] = left ? a->atoms[i++] : b->atoms[j++];
    }
    return true;
}

static jl_dim multiply_by_term(jl_dims *d, poly a, const term *t)
{
    term terms[MAX_TERMS];
    jl_dim sum = jl_dim_k(0);
    for (uint32_t i = 0; i < a.n; i++) {
        if (!multiply_terms(&a.terms[i], t, &terms[0])) return too_large(d);
        if (__builtin_mul_overflow(a.terms[i].c, t->c, &terms[0].c)) return fail(d);
        sum = combine(d, sum, intern(d, terms, 1), 1); /* the order of terms may change */
    }
    return sum;
}

jl_dim jl_dim_mul(jl_dims *d, jl_dim a, jl_dim b)
{
    int64_t k;
    if (!a.expr && !b.expr) return __builtin_mul_overflow(a.k, b.k, &k) ? fail(d) : jl_dim_k(k);
    if (!a.expr && a.k == 1) return b;
    if (!b.expr && b.k == 1) return a;
    term ca, cb;
    poly pb = view(d, b, &cb);
    jl_dim sum = jl_dim_k(0);
    for (uint32_t i = 0; i < pb.n; i++) {
        term t = view(d, b, &cb).terms[i]; /* again: the pool may have moved */
        sum = combine(d, sum, multiply_by_term(d, view(d, a, &ca), &t), 1);
    }
    return sum;
}

static bool divide_terms(const term *a, const term *b, term *quotient)
{
    *quotient = (term){0};
    if (b->c == 0 || (a->c == INT64_MIN && b->c == -1) || a->c % b->c) return false;
    quotient->c = a->c / b->c;
    uint32_t j = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        if (j < b->n && a->atoms[i] == b->atoms[j])
            j++;
        else
            quotient->atoms[quotient->n++] = a->atoms[i];
    }
    return j == b->n;
}

bool jl_dim_divide_exactly(jl_dims *d, jl_dim a, jl_dim b, jl_dim *quotient)
{
    term ca, cb;
    jl_dim sum = jl_dim_k(0), rest = a;
    if (!b.expr && b.k == 0) return false;
    for (unsigned step = 0; step < MAX_TERMS; step++) {
        poly pr = view(d, rest, &ca), pb = view(d, b, &cb);
        if (pr.n == 0) {
            *quotient = sum;
            return true;
        }
        term t;
        if (!divide_terms(&pr.terms[0], &pb.terms[0], &t)) return false;
        jl_dim part = intern(d, &t, 1);
        sum = jl_dim_add(d, sum, part);
        rest = jl_dim_sub(d, rest, jl_dim_mul(d, part, b));
    }
    return false;
}

/* floor((floor(x/m) + k)/c) = floor((x + k*m)/(m*c)): quotients of quotients become one. */
static jl_dim quotient_of(jl_dims *d, jl_dim rest, int64_t c)
{
    const poly *p = &d->polys[rest.expr - 1];
    const term *t = &p->terms[0];
    int64_t k = p->n > 1 ? p->terms[1].c : 0, shift, product;
    bool simple = p->n <= 2 && t->c == 1 && t->n == 1 && (p->n == 1 || p->terms[1].n == 0);
    const atom *a = simple ? &d->atoms[t->atoms[0] - 1] : NULL;
    if (a && a->kind == ATOM_FLOOR && !a->b.expr && a->b.k > 0 &&
        !__builtin_mul_overflow(k, a->b.k, &shift) && !__builtin_mul_overflow(c, a->b.k, &product))
        return jl_dim_div(d, jl_dim_add(d, a->a, jl_dim_k(shift)), jl_dim_k(product));
    return compound(d, ATOM_FLOOR, rest, jl_dim_k(c));
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* floor((c*X + Y)/c) = X + floor(Y/c): the terms that c divides come out, with 0 <= coefficient
 * < c left, and a divisor common to what is left and to c is taken out of both. */
static jl_dim divide_by_constant(jl_dims *d, jl_dim a, int64_t c)
{
    jl_dim whole = jl_dim_k(0), rest = jl_dim_k(0);
    int64_t common = c;
    for (uint32_t i = 0; i < d->polys[a.expr - 1].n; i++) {
        term t = d->polys[a.expr - 1].terms[i], part = t;
        part.c = dim_floor(t.c, c);
        int64_t r = t.c - part.c * c;
        common = common_divisor(common, r);
        if (part.c) whole = jl_dim_add(d, whole, intern(d, &part, 1));
        part.c = r;
        if (r) rest = jl_dim_add(d, rest, intern(d, &part, 1));
    }
    if (!rest.expr) return whole; /* 0 <= rest < c */
    if (common > 1 && jl_dim_divide_exactly(d, rest, jl_dim_k(common), &rest)) c /= common;
    return jl_dim_add(d, whole, quotient_of(d, rest, c));
}

jl_dim jl_dim_div(jl_dims *d, jl_dim a, jl_dim b)
{
    if (!b.expr && b.k == 0) return fail(d);
    if (!a.expr && !b.expr) {
        if (a.k == INT64_MIN && b.k == -1) return fail(d);
        return jl_dim_k(dim_floor(a.k, b.k));
    }
    jl_dim q;
    if (jl_dim_divide_exactly(d, a, b, &q)) return q;
    if (!b.expr && b.k > 0) return divide_by_constant(d, a, b.k);
    return compound(d, ATOM_FLOOR, a, b);
}

jl_dim jl_dim_ceil(jl_dims *d, jl_dim a, jl_dim b)
{
    jl_dim zero = jl_dim_k(0);
    if (!b.expr && b.k > 0) return jl_dim_div(d, jl_dim_add(d, a, jl_dim_k(b.k - 1)), b);
    return jl_dim_sub(d, zero, jl_dim_div(d, jl_dim_sub(d, zero, a), b));
}

/* Minimum, maximum ---------------------------------------------------------------------------- */

/* floor(x/c) is at most x, for x >= 0; so it is at most whatever x is at most. */
static bool quotient_below(jl_dims *d, jl_dim a, jl_dim b)
{
    const atom *q = single_atom(d, a);
    if (!q || q->kind != ATOM_FLOOR || q->low < 0) return false;
    return jl_dim_at_least(d, jl_dim_sub(d, b, q->a), 0);
}

jl_dim jl_dim_min(jl_dims *d, jl_dim a, jl_dim b)
{
    if (!a.expr && !b.expr) return a.k < b.k ? a : b;
    if (jl_dim_same(a, b)) return a;
    /* "to the end": no dimension is that long */
    if (!a.expr && a.k >= INT32_MAX) return b;
    if (!b.expr && b.k >= INT32_MAX) return a;
    if (jl_dim_at_least(d, jl_dim_sub(d, a, b), 0)) return b;
    if (jl_dim_at_least(d, jl_dim_sub(d, b, a), 0)) return a;
    if (quotient_below(d, a, b)) return a;
    if (quotient_below(d, b, a)) return b;
    bool swap = a.expr < b.expr || (a.expr == b.expr && a.k < b.k);
    return swap ? compound(d, ATOM_MIN, b, a) : compound(d, ATOM_MIN, a, b);
}

jl_dim jl_dim_max(jl_dims *d, jl_dim a, jl_dim b)
{
    if (!a.expr && !b.expr) return a.k > b.k ? a : b;
    if (jl_dim_at_least(d, jl_dim_sub(d, a, b), 0)) return a;
    if (jl_dim_at_least(d, jl_dim_sub(d, b, a), 0)) return b;
    return jl_dim_sub(d, jl_dim_add(d, a, b), jl_dim_min(d, a, b));
}
