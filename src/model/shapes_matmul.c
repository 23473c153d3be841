/* Matrix products, recurrent layers, attention. */
#include "model/shapes_op.h"

static int matmul_shape(op *c, const jl_info *a, const jl_info *b)
{
    jl_dim dims[JL_MAX_INFERRED_RANK];
    if (a->rank < 1 || b->rank < 1) return op_fail(c, "an input is a scalar");
    jl_dim ka = a->dims[a->rank - 1], kb = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (jl_dim_is_k(ka) && jl_dim_is_k(kb) && ka.k != kb.k)
        return op_fail(c, "inner sizes %lld and %lld differ", (long long)ka.k, (long long)kb.k);
    int la = a->rank > 2 ? a->rank - 2 : 0, lb = b->rank > 2 ? b->rank - 2 : 0;
    int rank = op_broadcast(c, a->dims, la, b->dims, lb, dims);
    if (rank < 0) return rank;
    if (a->rank > 1) dims[rank++] = a->dims[a->rank - 2];
    if (b->rank > 1) dims[rank++] = b->dims[b->rank - 1];
    return op_shape(c, 0, rank, dims);
}

int op_matmul(op *c)
{
    const jl_info *a = op_ranked(c, 0), *b = op_ranked(c, 1);
    return a && b ? matmul_shape(c, a, b) : 0;
}

int op_qlinear_matmul(op *c)
{
    const jl_info *a = op_ranked(c, 0), *b = op_ranked(c, 3);
    return a && b ? matmul_shape(c, a, b) : 0;
}

int op_gemm(op *c)
{
    const jl_info *a = op_ranked(c, 0), *b = op_ranked(c, 1);
    if (!a || !b) return 0;
    if (a->rank != 2 || b->rank != 2)
        return op_fail(c, "inputs with %d and %d dimensions; it takes matrices", a->rank, b->rank);
    bool ta = op_i(c, "transA", 0) != 0, tb = op_i(c, "transB", 0) != 0;
    jl_dim ka = a->dims[ta ? 0 : 1], kb = b->dims[tb ? 1 : 0];
    if (jl_dim_is_k(ka) && jl_dim_is_k(kb) && ka.k != kb.k)
        return op_fail(c, "inner sizes %lld and %lld differ", (long long)ka.k, (long long)kb.k);
    jl_dim dims[] = {a->dims[ta ? 1 : 0], b->dims[tb ? 0 : 1]};
    return op_shape(c, 0, 2, dims);
}

/* Einsum: each letter has a size; "..." stands for axes that broadcast. ----------------------- */

enum { LETTERS = 52 };

static int letter(char ch)
{
    if (ch >= 'a' && ch <= 'z') return ch - 'a';
    if (ch >= 'A' && ch <= 'Z') return 26 + ch - 'A';
    return -1;
}

typedef struct einsum {
    jl_dim size[LETTERS];
    unsigned seen[LETTERS]; /* in how many places among the inputs */
    jl_dim dots[JL_MAX_INFERRED_RANK];
    int n_dots;
} einsum;

static int einsum_dots(op *c, einsum *e, const jl_dim *dims, int n)
{
    jl_dim so_far[JL_MAX_INFERRED_RANK];
    memcpy(so_far, e->dots, (size_t)e->n_dots * sizeof *so_far);
    int rank = op_broadcast(c, so_far, e->n_dots, dims, n, e->dots);
    if (rank < 0) return rank;
    e->n_dots = rank;
    return 0;
}

static int einsum_input(op *c, einsum *e, jl_str term, const jl_info *v)
{
    int named = 0, axis = 0;
    bool dots = false;
    for (size_t i = 0; i < term.n; i++)
        named += letter(term.p[i]) >= 0;
    if (named > v->rank) return op_fail(c, "the equation has more axes than an input");
    for (size_t i = 0; i < term.n; i++) {
        int l = letter(term.p[i]);
        if (term.p[i] == '.') {
            if (dots) return op_fail(c, "the equation has two ellipses for one input");
            dots = true;
            int rc = einsum_dots(c, e, v->dims + axis, v->rank - named);
            if (rc) return rc;
            axis += v->rank - named;
            i += 2;
        } else if (l >= 0) {
            if (axis >= v->rank) return op_fail(c, "the equation has more axes than an input");
            if (!e->seen[l]++ || (jl_dim_is_k(e->size[l]) && e->size[l].k == 1))
                e->size[l] = v->dims[axis];
            axis++;
        }
    }
    return axis == v->rank ? 0 : op_fail(c, "the equation has fewer axes than an input");
}

static int einsum_output(op *c, const einsum *e, jl_str term, bool implicit)
{
    jl_dim dims[2 * JL_MAX_INFERRED_RANK + LETTERS];
    int rank = 0;
    if (implicit) {
        for (int i = 0; i < e->n_dots; i++)
            dims[rank++] = e->dots[i];
        for (int k = 0; k < LETTERS; k++) { /* capitals sort before small letters */
            int l = (k + 26) % LETTERS;
            if (e->seen[l] == 1) dims[rank++] = e->size[l];
        }
        return op_shape(c, 0, rank, dims);
    }
    for (size_t i = 0; i < term.n && rank < JL_MAX_INFERRED_RANK; i++) {
        int l = letter(term.p[i]);
        if (l >= 0 && !e->seen[l]) return op_fail(c, "the output names an axis that no input has");
        if (l >= 0) dims[rank++] = e->size[l];
        if (term.p[i] != '.') continue;
        for (int k = 0; k < e->n_dots; k++)
            dims[rank++] = e->dots[k];
        i += 2;
    }
    return op_shape(c, 0, rank, dims);
}

int op_einsum(op *c)
{
    jl_str text = onnx_attribute_s(c->o, "equation", "");
    const char *arrow = memmem(text.p, text.n, "->", 2);
    size_t left = arrow ? (size_t)(arrow - text.p) : text.n;
    einsum e = {.n_dots = 0};
    size_t from = 0;
    for (uint32_t i = 0; i < c->n->n_inputs; i++) {
        const jl_info *v = op_ranked(c, i);
        if (!v) return 0;
        if (from > left) return op_fail(c, "the equation has fewer terms than the node has inputs");
        const char *comma = memchr(text.p + from, ',', left - from);
        size_t end = comma ? (size_t)(comma - text.p) : left;
        int rc = einsum_input(c, &e, (jl_str){text.p + from, end - from}, v);
        if (rc) return rc;
        from = end + 1;
    }
    jl_str right = {arrow ? arrow + 2 : "", arrow ? text.n - left - 2 : 0};
    return einsum_output(c, &e, right, !arrow);
}

/* Recurrent layers: Y [T, D, B, H] and final states [D, B, H]; layout 1 puts the batch first. -----
 */

int op_rnn(op *c)
{
    const jl_info *x = op_ranked(c, 0), *r = op_ranked(c, 2);
    bool both = jl_str_is(onnx_attribute_s(c->o, "direction", "forward"), "bidirectional");
    bool batch_first = op_i(c, "layout", 0) == 1;
    int64_t size = op_i(c, "hidden_size", 0);
    if (!x || x->rank != 3) return 0;
    jl_dim hidden = size ? jl_dim_k(size) : r && r->rank == 3 ? r->dims[2] : jl_dim_unknown(c->d);
    jl_dim time = x->dims[batch_first ? 1 : 0], batch = x->dims[batch_first ? 0 : 1];
    jl_dim directions = jl_dim_k(both ? 2 : 1);
    jl_dim y[] = {batch_first ? batch : time, batch_first ? time : directions,
                  batch_first ? directions : batch, hidden};
    jl_dim state[] = {batch_first ? batch : directions, batch_first ? directions : batch, hidden};
    int rc = op_shape(c, 0, 4, y);
    if (!rc) rc = op_shape(c, 1, 3, state);
    return rc ? rc : op_shape(c, 2, 3, state);
}

/* Attention of ai.onnx 23: inputs [B, heads, L, E], or [B, L, heads * E] with the head counts as
 * attributes. */
int op_attention(op *c)
{
    const jl_info *q = op_ranked(c, 0), *k = op_ranked(c, 1), *v = op_ranked(c, 2);
    if (!q || !k || !v || q->rank != v->rank || k->rank != v->rank) return 0;
    if (q->rank == 4) {
        jl_dim dims[] = {q->dims[0], q->dims[1], q->dims[2], v->dims[3]};
        return op_shape(c, 0, 4, dims);
    }
    int64_t q_heads = op_i(c, "q_num_heads", 0), kv_heads = op_i(c, "kv_num_heads", 0);
    if (q->rank != 3 || q_heads < 1 || kv_heads < 1) return 0;
    jl_dim one = jl_dim_div(c->d, v->dims[2], jl_dim_k(kv_heads));
    jl_dim dims[] = {q->dims[0], q->dims[1], jl_dim_mul(c->d, one, jl_dim_k(q_heads))};
    return op_shape(c, 0, 3, dims);
}

int op_det(op *c)
{
    const jl_info *x = op_ranked(c, 0);
    return x && x->rank >= 2 ? op_shape(c, 0, x->rank - 2, x->dims) : 0;
}
