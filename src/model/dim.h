/* Symbolic integers: sizes of dimensions and values computed from them.
 *
 * A jl_dim is a number, or an expression: a polynomial with integer coefficients over named
 * symbols ("batch") and over quotients, minima and maxima that do not simplify, such as
 * floor((height - 1) / 2). Equal expressions get equal jl_dims, so comparing is comparing
 * numbers. Symbols stand for sizes and are taken to be at least 1.
 *
 * Overflow of 64 bits anywhere sets a sticky flag, which inference turns into an error. */
#ifndef JL_MODEL_DIM_H
#define JL_MODEL_DIM_H

#include "base/arena.h"
#include "base/str.h"

typedef struct jl_dim {
    int64_t k;     /* the number when expr is 0 */
    uint32_t expr; /* or an expression */
} jl_dim;

typedef struct jl_dims jl_dims;

/* The pool of expressions; its own memory. */
jl_dims *jl_dims_new(void);
void jl_dims_free(jl_dims *d);
bool jl_dims_overflowed(const jl_dims *d);
void jl_dims_clear_overflow(jl_dims *d);

static inline jl_dim jl_dim_k(int64_t k)
{
    return (jl_dim){k, 0};
}
static inline bool jl_dim_is_k(jl_dim a)
{
    return a.expr == 0;
}
static inline bool jl_dim_same(jl_dim a, jl_dim b)
{
    return a.k == b.k && a.expr == b.expr;
}

jl_dim jl_dim_symbol(jl_dims *d, jl_str name); /* the same for the same name */
/* A symbol without a name that equals no other; shown as "?7". */
jl_dim jl_dim_unknown(jl_dims *d);
/* Is it a plain symbol made by jl_dim_unknown? */
bool jl_dim_is_unknown(const jl_dims *d, jl_dim a);

jl_dim jl_dim_add(jl_dims *d, jl_dim a, jl_dim b);
jl_dim jl_dim_sub(jl_dims *d, jl_dim a, jl_dim b);
jl_dim jl_dim_mul(jl_dims *d, jl_dim a, jl_dim b);
jl_dim jl_dim_div(jl_dims *d, jl_dim a, jl_dim b);  /* rounded down; b == 0 counts as overflow */
jl_dim jl_dim_ceil(jl_dims *d, jl_dim a, jl_dim b); /* rounded up */
jl_dim jl_dim_min(jl_dims *d, jl_dim a, jl_dim b);
jl_dim jl_dim_max(jl_dims *d, jl_dim a, jl_dim b);
/* Certain whenever true; false may mean "cannot tell". */
bool jl_dim_at_least(const jl_dims *d, jl_dim a, int64_t bound);
/* a / b when that is exact for every value of the symbols; false otherwise. */
bool jl_dim_divide_exactly(jl_dims *d, jl_dim a, jl_dim b, jl_dim *quotient);

/* Binds a symbol for jl_dim_eval; -1 unbinds. False when no expression uses such a symbol. */
bool jl_dims_bind(jl_dims *d, jl_str symbol, int64_t value);
/* False when a symbol is unbound (its name goes to *missing, which may be NULL) or the value
 * overflows (missing->n is 0). */
bool jl_dim_eval(jl_dims *d, jl_dim a, int64_t *value, jl_str *missing);
/* Named symbols in order of appearance; n is their count. */
const jl_str *jl_dims_symbols(const jl_dims *d, size_t *n);
/* Appends "49", "batch", "batch*49", "floor((h + -1)/2)". */
void jl_dim_print(const jl_dims *d, jl_dim a, jl_buf *out);

#endif
