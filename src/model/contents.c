/* Contents of small tensors, followed through the arithmetic that computes shapes. */
#include <math.h>

#include "model/shapes_op.h"

int contents_copy(op *c)
{
    uint32_t n;
    const jl_elem *e = op_elems(c, 0, &n);
    jl_info *out = op_out(c, 0);
    if (e && out && op_small_count(out) == (int64_t)n) {
        out->elems = (jl_elem *)e; /* nobody changes elements once made */
        out->n_elems = n;
    }
    return 0;
}

static bool float_out(const op *c)
{
    const jl_info *out = op_out(c, 0);
    return out && jl_dtype_is_float((jl_dtype)out->dtype);
}

static jl_elem make_ratio(op *c, jl_dim num, int64_t den)
{
    jl_dim whole;
    if (den != 1 && jl_dim_divide_exactly(c->d, num, jl_dim_k(den), &whole)) return elem_int(whole);
    return (jl_elem){.kind = JL_ELEM_RATIO, .num = num, .den = den};
}

/* +, -, *, / of fractions; unknown when a denominator would be symbolic. */
static jl_elem ratio(op *c, char sign, jl_elem a, jl_elem b)
{
    int64_t den;
    if (sign == '/') {
        jl_dim q;
        if (jl_dim_is_k(b.num) && b.num.k == 0) return (jl_elem){0};
        if (a.den == 1 && b.den == 1 && jl_dim_divide_exactly(c->d, a.num, b.num, &q))
            return elem_int(q);
        if (!jl_dim_is_k(b.num) || b.num.k < 0 || b.num.k > INT32_MAX) return (jl_elem){0};
        b = (jl_elem){.kind = JL_ELEM_RATIO, .num = jl_dim_k(b.den), .den = b.num.k};
        sign = '*';
    }
    if (__builtin_mul_overflow(a.den, b.den, &den) || den > INT64_C(1) << 40) return (jl_elem){0};
    if (sign == '*') return make_ratio(c, jl_dim_mul(c->d, a.num, b.num), den);
    if (a.den == b.den) {
        den = a.den;
    } else {
        a.num = jl_dim_mul(c->d, a.num, jl_dim_k(b.den));
        b.num = jl_dim_mul(c->d, b.num, jl_dim_k(a.den));
    }
    jl_dim sum = sign == '+' ? jl_dim_add(c->d, a.num, b.num) : jl_dim_sub(c->d, a.num, b.num);
    return make_ratio(c, sum, den);
}

/* C's division and remainder truncate; ONNX's Div does so too, Mod floors unless fmod is set. */
static jl_elem integer_divide(op *c, jl_elem a, jl_elem b)
{
    jl_dim x, y;
    if (!elem_dim(a, &x) || !elem_dim(b, &y)) return (jl_elem){0};
    if (jl_dim_is_k(y) && y.k == 0) return (jl_elem){0};
    if (jl_dim_is_k(x) && jl_dim_is_k(y) && !(x.k == INT64_MIN && y.k == -1))
        return elem_int(jl_dim_k(x.k / y.k));
    jl_dim q;
    if (jl_dim_divide_exactly(c->d, x, y, &q)) return elem_int(q);
    if (!jl_dim_at_least(c->d, x, 0) || !jl_dim_at_least(c->d, y, 1)) return (jl_elem){0};
    return elem_int(jl_dim_div(c->d, x, y));
}

static jl_elem remainder_of(op *c, jl_elem a, jl_elem b)
{
    jl_dim x, y;
    if (!elem_dim(a, &x) || !elem_dim(b, &y) || (jl_dim_is_k(y) && y.k == 0)) return (jl_elem){0};
    bool negative = !jl_dim_at_least(c->d, x, 0) || !jl_dim_at_least(c->d, y, 1);
    if (negative && (op_i(c, "fmod", 0) || !jl_dim_is_k(y))) return (jl_elem){0};
    jl_dim q = jl_dim_div(c->d, x, y);
    return elem_int(jl_dim_sub(c->d, x, jl_dim_mul(c->d, q, y)));
}

static jl_elem compare(op *c, jl_str name, jl_elem a, jl_elem b)
{
    double x, y;
    jl_dim p, q;
    int sign = 2; /* of a - b; 2 is not known */
    if (elem_number(a, &x) && elem_number(b, &y)) {
        sign = x < y ? -1 : x > y;
    } else if (elem_dim(a, &p) && elem_dim(b, &q)) {
        jl_dim less = jl_dim_sub(c->d, p, q), more = jl_dim_sub(c->d, q, p);
        if (jl_dim_same(p, q))
            sign = 0;
        else if (jl_dim_at_least(c->d, less, 1))
            sign = 1;
        else if (jl_dim_at_least(c->d, more, 1))
            sign = -1;
        else if (jl_str_is(name, "Equal") && !jl_dim_is_unknown(c->d, p) &&
                 !jl_dim_is_unknown(c->d, q) && (jl_dim_is_k(p) || jl_dim_is_k(q)) &&
                 (jl_dim_is_k(p) ? p.k : q.k) < 1)
            sign = 1; /* a size is not -1 and not 0 */
    }
    if (sign == 2) return (jl_elem){0};
    bool yes = jl_str_is(name, "Equal")            ? sign == 0
               : jl_str_is(name, "Less")           ? sign < 0
               : jl_str_is(name, "LessOrEqual")    ? sign <= 0
               : jl_str_is(name, "GreaterOrEqual") ? sign >= 0
                                                   : sign > 0;
    return elem_int(jl_dim_k(yes));
}

static jl_elem extreme(op *c, bool smaller, jl_elem a, jl_elem b)
{
    double x, y;
    jl_dim p, q;
    if (elem_number(a, &x) && elem_number(b, &y)) return (x < y) == smaller ? a : b;
    if (!elem_dim(a, &p) || !elem_dim(b, &q)) return (jl_elem){0};
    return elem_int(smaller ? jl_dim_min(c->d, p, q) : jl_dim_max(c->d, p, q));
}

/* In the precision of the output, as a runtime would. */
static jl_elem real_arithmetic(op *c, char sign, double x, double y)
{
    double r = sign == '+' ? x + y : sign == '-' ? x - y : sign == '*' ? x * y : x / y;
    return elem_real(op_out(c, 0)->dtype == JL_FLOAT ? (double)(float)r : r);
}

static jl_elem arithmetic(op *c, char sign, jl_elem a, jl_elem b)
{
    double x, y;
    if (a.kind == JL_ELEM_RATIO && b.kind == JL_ELEM_RATIO) {
        if (sign == '/' && !float_out(c)) return integer_divide(c, a, b);
        return ratio(c, sign, a, b);
    }
    if (elem_number(a, &x) && elem_number(b, &y)) return real_arithmetic(c, sign, x, y);
    return (jl_elem){0};
}

static jl_elem binary(op *c, jl_elem a, jl_elem b)
{
    static const struct {
        const char *name;
        char sign;
    } signs[] = {{"Add", '+'}, {"Sum", '+'}, {"Sub", '-'}, {"Mul", '*'}, {"Div", '/'}};
    jl_str name = c->o->op_type;
    double x, y;
    if (jl_str_is(name, "And") || jl_str_is(name, "Or")) {
        bool is_or = jl_str_is(name, "Or"), kx = elem_number(a, &x), ky = elem_number(b, &y);
        if ((kx && (x != 0) == is_or) || (ky && (y != 0) == is_or))
            return elem_int(jl_dim_k(is_or));
        return kx && ky ? elem_int(jl_dim_k(!is_or)) : (jl_elem){0};
    }
    if (!a.kind || !b.kind) return (jl_elem){0};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (jl_str_is(name, signs[i].name)) return arithmetic(c, signs[i].sign, a, b);
    if (jl_str_is(name, "Mod")) return remainder_of(c, a, b);
    if (jl_str_is(name, "Min") || jl_str_is(name, "Max"))
        return extreme(c, jl_str_is(name, "Min"), a, b);
    if (!jl_str_is(name, "Pow")) return compare(c, name, a, b);
    if (elem_number(b, &y) && y == 2) return arithmetic(c, '*', a, a);
    return elem_number(a, &x) && elem_number(b, &y) ? elem_real(pow(x, y)) : (jl_elem){0};
}

/* Row-major position in a tensor of shape `dims` of the element at `index` of a shape that it
 * broadcasts to. */
static uint32_t broadcast_position(const jl_info *v, const jl_info *out, uint32_t index)
{
    uint32_t at = 0, stride = 1;
    for (int i = 1; i <= out->rank; i++) {
        uint32_t size = (uint32_t)out->dims[out->rank - i].k, k = index % size;
        index /= size;
        if (i > v->rank) continue;
        uint32_t own = (uint32_t)v->dims[v->rank - i].k;
        at += (own == 1 ? 0 : k % own) * stride;
        stride *= own;
    }
    return at;
}

/* The positions above are valid only for plain shapes. */
static bool plain(op *c, uint32_t i, const jl_elem **e)
{
    uint32_t n;
    const jl_info *v = op_ranked(c, i);
    *e = v && op_small_count(v) >= 0 ? op_elems(c, i, &n) : NULL;
    return *e != NULL;
}

int contents_binary(op *c)
{
    const jl_elem *a, *b;
    uint32_t n;
    if (!plain(c, 0, &a)) return 0;
    if (c->n->n_inputs == 1) return contents_copy(c);
    for (uint32_t k = 1; k < c->n->n_inputs; k++)
        if (!plain(c, k, &b)) return 0;
    jl_elem *out = op_new_elems(c, 0, &n);
    if (!out) return 0;
    const jl_info *shape = op_out(c, 0);
    for (uint32_t i = 0; i < n; i++) {
        jl_elem e = a[broadcast_position(op_in(c, 0), shape, i)];
        for (uint32_t k = 1; k < c->n->n_inputs; k++) {
            plain(c, k, &b);
            e = binary(c, e, b[broadcast_position(op_in(c, k), shape, i)]);
        }
        out[i] = e;
    }
    return 0;
}

/* Rounding a fraction down, towards zero for the sizes that come here. */
static jl_elem rounded(op *c, jl_elem a, bool up)
{
    double x;
    if (elem_number(a, &x)) return elem_real(up ? ceil(x) : floor(x));
    if (a.kind != JL_ELEM_RATIO) return (jl_elem){0};
    jl_dim den = jl_dim_k(a.den);
    return elem_int(up ? jl_dim_ceil(c->d, a.num, den) : jl_dim_div(c->d, a.num, den));
}

static jl_elem unary(op *c, jl_elem a)
{
    jl_str name = c->o->op_type;
    double x;
    bool number = elem_number(a, &x);
    if (jl_str_is(name, "Neg")) return arithmetic(c, '-', elem_int(jl_dim_k(0)), a);
    if (jl_str_is(name, "Floor")) return rounded(c, a, false);
    if (jl_str_is(name, "Ceil")) return rounded(c, a, true);
    if (jl_str_is(name, "Abs") && a.kind == JL_ELEM_RATIO && jl_dim_at_least(c->d, a.num, 0))
        return a;
    if (!number) return (jl_elem){0};
    if (jl_str_is(name, "Abs")) return elem_real(fabs(x));
    if (jl_str_is(name, "Not")) return elem_int(jl_dim_k(x == 0));
    if (jl_str_is(name, "Sqrt")) return elem_real(sqrt(x));
    if (jl_str_is(name, "Round")) return elem_real(nearbyint(x));
    if (jl_str_is(name, "Reciprocal")) return elem_real(1 / x);
    return (jl_elem){0};
}

int contents_unary(op *c)
{
    uint32_t n, m;
    const jl_elem *e = op_elems(c, 0, &n);
    jl_elem *out = e ? op_new_elems(c, 0, &m) : NULL;
    for (uint32_t i = 0; out && i < m && i < n; i++)
        out[i] = unary(c, e[i]);
    return 0;
}

int contents_cast(op *c)
{
    uint32_t n, m;
    const jl_elem *e = op_elems(c, 0, &n);
    const jl_info *to = op_out(c, 0);
    jl_elem *out = e ? op_new_elems(c, 0, &m) : NULL;
    for (uint32_t i = 0; out && i < m && i < n; i++) {
        double x;
        out[i] = e[i];
        if (jl_dtype_is_float((jl_dtype)to->dtype)) continue;
        if (elem_number(e[i], &x)) {
            if (to->dtype == JL_BOOL)
                out[i] = elem_int(jl_dim_k(x != 0));
            else if (x > -0x1p62 && x < 0x1p62)
                out[i] = e[i].den == 1 && e[i].kind == JL_ELEM_RATIO ? e[i] : elem_real(trunc(x));
        } else if (to->dtype == JL_BOOL) {
            out[i] = (jl_elem){0};
        } else if (e[i].kind == JL_ELEM_RATIO && e[i].den != 1) {
            out[i] = jl_dim_at_least(c->d, e[i].num, 0) ? rounded(c, e[i], false) : (jl_elem){0};
        }
    }
    return 0;
}

int contents_where(op *c)
{
    const jl_elem *cond, *x, *y;
    uint32_t n;
    if (!plain(c, 0, &cond) || !plain(c, 1, &x) || !plain(c, 2, &y)) return 0;
    jl_elem *out = op_new_elems(c, 0, &n);
    const jl_info *shape = op_out(c, 0);
    for (uint32_t i = 0; out && i < n; i++) {
        double yes;
        if (elem_number(cond[broadcast_position(op_in(c, 0), shape, i)], &yes))
            out[i] = yes != 0 ? x[broadcast_position(op_in(c, 1), shape, i)]
                              : y[broadcast_position(op_in(c, 2), shape, i)];
    }
    return 0;
}

int contents_expand(op *c)
{
    const jl_elem *x;
    uint32_t n;
    jl_elem *out = plain(c, 0, &x) ? op_new_elems(c, 0, &n) : NULL;
    for (uint32_t i = 0; out && i < n; i++)
        out[i] = x[broadcast_position(op_in(c, 0), op_out(c, 0), i)];
    return 0;
}

/* Vectors, and scalars unsqueezed to them. */
int contents_concat(op *c)
{
    uint32_t n, m, at = 0;
    const jl_info *shape = op_out(c, 0);
    if (!shape || shape->rank != 1) return 0;
    jl_elem *out = op_new_elems(c, 0, &m);
    for (uint32_t i = 0; out && i < c->n->n_inputs; i++) {
        const jl_elem *e = op_elems(c, i, &n);
        const jl_info *v = op_in(c, i);
        if (!e) n = (uint32_t)op_small_count(v);
        for (uint32_t k = 0; k < n && at < m; k++, at++)
            if (e) out[at] = e[k];
    }
    return 0;
}

int contents_split(op *c)
{
    uint32_t n, m, at = 0;
    const jl_elem *e = op_elems(c, 0, &n);
    if (!e || op_in(c, 0)->rank != 1) return 0;
    for (uint32_t i = 0; i < c->n->n_outputs; i++) {
        jl_elem *out = op_new_elems(c, i, &m);
        if (!out) return 0;
        for (uint32_t k = 0; k < m && at < n; k++)
            out[k] = e[at++];
    }
    return 0;
}

int contents_transpose(op *c)
{
    const jl_elem *x;
    uint32_t n;
    const jl_info *in = op_in(c, 0);
    if (!plain(c, 0, &x)) return 0;
    if (in->rank < 2) return contents_copy(c);
    const onnx_attribute *perm = op_attribute(c, "perm");
    jl_elem *out = op_new_elems(c, 0, &n);
    const jl_info *shape = op_out(c, 0);
    for (uint32_t i = 0; out && i < n; i++) {
        uint32_t rest = i, at = 0;
        for (int k = shape->rank - 1; k >= 0; k--) {
            uint32_t size = (uint32_t)shape->dims[k].k, stride = 1;
            int from = shape->rank - 1 - k;
            if (perm)
                from = (int)(perm->ints.p[k] < 0 ? perm->ints.p[k] + in->rank : perm->ints.p[k]);
            for (int j = from + 1; j < in->rank; j++)
                stride *= (uint32_t)in->dims[j].k;
            at += rest % size * stride;
            rest /= size;
        }
        out[i] = x[at];
    }
    return 0;
}

/* Reductions of a whole vector to one element. */
int contents_reduce(op *c)
{
    uint32_t n, m;
    const jl_elem *e = op_elems(c, 0, &n);
    jl_info *shape = op_out(c, 0);
    if (!e || !n || !shape || op_small_count(shape) != 1 || op_in(c, 0)->rank != 1) return 0;
    jl_str name = c->o->op_type;
    bool product = jl_str_is(name, "ReduceProd"), sum = jl_str_is(name, "ReduceSum");
    bool least = jl_str_is(name, "ReduceMin");
    if (!product && !sum && !least && !jl_str_is(name, "ReduceMax")) return 0;
    jl_elem all = e[0];
    for (uint32_t i = 1; i < n; i++) {
        if (!all.kind || !e[i].kind) return 0;
        all = product ? arithmetic(c, '*', all, e[i])
              : sum   ? arithmetic(c, '+', all, e[i])
                      : extreme(c, least, all, e[i]);
    }
    jl_elem *out = op_new_elems(c, 0, &m);
    if (out) out[0] = all;
    return 0;
}

/* Single elements replaced in a vector. */
int contents_scatter_nd(op *c)
{
    uint32_t n, m, k, u;
    int64_t *index;
    const jl_elem *e = op_elems(c, 0, &n), *update = op_elems(c, 2, &u);
    if (!e || !update || op_in(c, 0)->rank != 1 || !op_constants(c, 1, &index, &k)) return 0;
    if (op_attribute(c, "reduction") || k != u) return 0;
    jl_elem *out = op_new_elems(c, 0, &m);
    for (uint32_t i = 0; out && i < m; i++)
        out[i] = e[i];
    for (uint32_t i = 0; out && i < k; i++) {
        int64_t at = index[i] < 0 ? index[i] + n : index[i];
        if (at < 0 || at >= (int64_t)m)
            return op_fail(c, "index %lld of %u", (long long)index[i], n);
        out[at] = update[i];
    }
    return 0;
}
