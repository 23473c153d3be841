/* The inside of the pool of expressions. Private to dim.c and dim_value.c. */
#ifndef JL_MODEL_DIM_POOL_H
#define JL_MODEL_DIM_POOL_H

#include "base/map.h"
#include "model/dim.h"

/* Beyond these an expression becomes an unknown, so that no model can make them grow. */
enum { MAX_TERMS = 24, MAX_DEGREE = 13, MAX_NESTING = 64 };

typedef enum atom_kind { ATOM_SYMBOL, ATOM_UNKNOWN, ATOM_FLOOR, ATOM_MIN } atom_kind;

/* What polynomials are made of. */
typedef struct atom {
    atom_kind kind;
    jl_dim a, b; /* of floor(a/b) and min(a, b) */
    jl_str name;
    unsigned nesting;
    int low;       /* no value is below this: 1, 0, or -1 for cannot tell */
    int64_t bound; /* value of a symbol for evaluation, or -1 */
    int64_t value; /* of a floor or min, valid when epoch is the pool's */
    uint32_t epoch;
} atom;

typedef struct term {
    int64_t c;
    uint32_t n;                 /* atoms multiplied; 0 for the constant term */
    uint32_t atoms[MAX_DEGREE]; /* ascending */
} term;

typedef struct poly {
    term *terms; /* descending by atoms, the constant last; none has c == 0 */
    uint32_t n;
} poly;

struct jl_dims {
    jl_arena *arena;
    jl_map exprs, atoms_by_key; /* keys are the bytes of terms and of (kind, a, b) */
    poly *polys;                /* expression e is polys[e - 1] */
    atom *atoms;
    jl_str *symbols;
    size_t n_polys, polys_capacity, n_atoms, atoms_capacity, n_symbols, symbols_capacity;
    uint32_t epoch;
    bool overflowed;
};

/* a / b rounded down; b is not 0, and not -1 with a == INT64_MIN. */
static inline int64_t dim_floor(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

#endif
