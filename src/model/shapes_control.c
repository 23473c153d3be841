/* Operators with sub-graphs, sequences and optionals. */
#include "model/shapes_op.h"

/* What two paths agree on: dimensions that differ become unknown. */
static int merge(op *c, jl_info *into, const jl_info *other)
{
    if (into->kind != other->kind) into->kind = JL_KIND_UNKNOWN;
    if (into->dtype != other->dtype) into->dtype = JL_UNDEFINED;
    if (into->length != other->length) into->length = -1;
    into->elems = NULL;
    if (into->rank != other->rank) into->rank = -1;
    if (into->rank <= 0) return 0;
    jl_dim *dims = jl_arena_array(c->s->arena, (size_t)into->rank, sizeof *dims);
    if (!dims) return op_no_memory(c);
    for (int i = 0; i < into->rank; i++)
        dims[i] = jl_dim_same(into->dims[i], other->dims[i]) ? into->dims[i] : jl_dim_unknown(c->d);
    into->dims = dims;
    return 0;
}

/* Does what comes round fit what the body was inferred with? Unknown dimensions take anything. */
static bool fits(const op *c, const jl_info *in, const jl_info *out)
{
    if (in->kind != out->kind || in->dtype != out->dtype) return false;
    if (in->rank < 0) return true;
    if (in->rank != out->rank) return false;
    for (int i = 0; i < in->rank; i++)
        if (!jl_dim_same(in->dims[i], out->dims[i]) && !jl_dim_is_unknown(c->d, in->dims[i]))
            return false;
    return true;
}

int op_identity(op *c)
{
    const jl_info *x = op_in(c, 0);
    jl_info *y = op_out(c, 0);
    if (x && y) *y = *x;
    return 0;
}

static jl_scope *sub_graph(const op *c, const char *name, uint32_t *number)
{
    const onnx_attribute *a = op_attribute(c, name);
    for (uint32_t i = 0; a && a->g && i < c->n->n_scopes; i++) {
        *number = c->n->first_scope + i;
        if (c->s->graph->scopes[*number].onnx == a->g) return &c->s->graph->scopes[*number];
    }
    return NULL;
}

static jl_info *scope_input(const op *c, const jl_scope *s, uint32_t i)
{
    return i < s->n_inputs ? &c->s->values[s->inputs[i]] : NULL;
}

static const jl_info *scope_output(const op *c, const jl_scope *s, uint32_t i)
{
    return i < s->n_outputs ? &c->s->values[s->outputs[i]] : NULL;
}

/* A model-local function: its body's inputs and outputs are the node's. */
int op_call(op *c)
{
    const jl_scope *body = &c->s->graph->scopes[c->n->first_scope];
    for (uint32_t i = 0; i < body->n_inputs; i++) {
        jl_info *in = scope_input(c, body, i);
        uint32_t n;
        if (op_in(c, i)) {
            op_elems(c, i, &n);
            *in = *op_in(c, i);
        } else {
            *in = (jl_info){.rank = -1, .length = -1};
        }
    }
    int rc = op_infer_scope(c->s, c->n->first_scope, c->err);
    for (uint32_t i = 0; i < c->n->n_outputs && !rc; i++)
        if (op_out(c, i)) *op_out(c, i) = *scope_output(c, body, i);
    return rc;
}

/* The condition of an If, where it is known. */
static bool known_condition(op *c, bool *yes)
{
    uint32_t n;
    double x;
    const jl_elem *e = op_elems(c, 0, &n);
    if (!e || n != 1 || !elem_number(e[0], &x)) return false;
    *yes = x != 0;
    return true;
}

/* Infers the branches that can run. One that contradicts its inputs cannot: exporters write
 * branches for shapes that do not occur. Bit 0: the first branch can run, bit 1: the second. */
static int infer_branches(op *c, uint32_t first, uint32_t second, unsigned *can_run)
{
    bool yes;
    *can_run = 3;
    if (known_condition(c, &yes)) *can_run = yes ? 1 : 2;
    jl_error why[2] = {0};
    int rc = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!(*can_run & 1u << i)) {
            /* It may contradict its inputs: what cannot be inferred there stays unknown. */
            if (c->s->options->every_branch)
                (void)op_infer_scope(c->s, i ? second : first, &why[i]);
            continue;
        }
        rc = op_infer_scope(c->s, i ? second : first, &why[i]);
        if (rc && rc != JL_ERR_FORMAT) break;
        if (rc) *can_run &= ~(1u << i);
    }
    if (*can_run && (!rc || rc == JL_ERR_FORMAT)) return 0;
    if (c->err) *c->err = why[why[0].code ? 0 : 1];
    return c->err ? c->err->code : rc;
}

int op_if(op *c)
{
    uint32_t a, b;
    unsigned can_run;
    const jl_scope *yes = sub_graph(c, "then_branch", &a), *no = sub_graph(c, "else_branch", &b);
    if (!yes || !no) return op_fail(c, "it needs then_branch and else_branch");
    int rc = infer_branches(c, a, b, &can_run);
    if (rc) return rc;
    if (can_run != 3)
        c->s->taken[c->node] = (uint8_t)(1 + (can_run == 1 ? a : b) - c->n->first_scope);
    for (uint32_t i = 0; i < c->n->n_outputs && !rc; i++) {
        const jl_info *x = scope_output(c, can_run & 1 ? yes : no, i), *y = scope_output(c, no, i);
        if (!x || !y) return op_fail(c, "a branch has fewer outputs than the node");
        if (!op_out(c, i)) continue;
        *op_out(c, i) = *x;
        if (can_run == 3) rc = merge(c, op_out(c, i), y);
    }
    return rc;
}

/* Runs a body until what it carries round fits what it was given; shapes that change become
 * unknown. `carried` values come in at inputs first_in.. and leave at outputs first_out... */
static int settle(op *c, uint32_t scope, uint32_t first_in, uint32_t first_out, uint32_t carried)
{
    const jl_scope *s = &c->s->graph->scopes[scope];
    for (int round = 0; round < 3; round++) {
        int rc = op_infer_scope(c->s, scope, c->err);
        bool settled = true;
        for (uint32_t i = 0; i < carried && !rc; i++) {
            jl_info *in = scope_input(c, s, first_in + i);
            const jl_info *out = scope_output(c, s, first_out + i);
            if (!in || !out) return op_fail(c, "its body lacks a loop-carried value");
            if (fits(c, in, out)) continue;
            settled = false;
            rc = merge(c, in, out);
            /* a nest of loops that would take too long: give up the shape */
            if (c->s->visits > c->s->visits_allowed) in->rank = -1;
        }
        if (rc || settled) return rc;
    }
    return 0;
}

int op_loop(op *c)
{
    uint32_t scope, n = c->n->n_inputs, carried = n > 2 ? n - 2 : 0;
    const jl_scope *body = sub_graph(c, "body", &scope);
    if (!body) return op_fail(c, "it needs a body");
    uint32_t one;
    op_elems(c, 0, &one); /* the cost model asks for the number of iterations */
    for (uint32_t i = 0; i < body->n_inputs; i++) {
        jl_info *in = scope_input(c, body, i);
        const jl_info *from = i >= 2 ? op_in(c, i) : NULL;
        if (from) *in = *from;
        in->elems = NULL;
        if (i >= 2) continue;
        *in = (jl_info){.kind = JL_KIND_TENSOR, .dtype = i ? JL_BOOL : JL_INT64, .length = -1};
    }
    int rc = settle(c, scope, 2, 1, carried);
    jl_dim trips = jl_dim_unknown(c->d);
    for (uint32_t i = 0; i < c->n->n_outputs && !rc; i++) {
        const jl_info *from = scope_output(c, body, 1 + i);
        jl_info *out = op_out(c, i);
        if (!from) return op_fail(c, "its body has fewer outputs than the node");
        if (!out) continue;
        if (i < carried) {
            *out = *from;
            out->elems = NULL;
            /* with no iteration at all, the initial value comes out */
            const jl_info *in = scope_input(c, body, 2 + i);
            if (in && in->kind != JL_KIND_SEQUENCE) rc = merge(c, out, in);
            out->length = -1;
            continue;
        }
        op_dtype(c, i, from->dtype);
        if (from->rank < 0 || from->rank >= JL_MAX_INFERRED_RANK) continue;
        jl_dim dims[JL_MAX_INFERRED_RANK + 1];
        dims[0] = trips;
        memcpy(dims + 1, from->dims, (size_t)from->rank * sizeof *dims);
        rc = op_shape(c, i, from->rank + 1, dims);
    }
    return rc;
}

/* Scan: opset 8 has a batch axis in front of everything; since 9 any axis can be scanned. */
static int64_t scan_axis(const op *c, const char *name, uint32_t i)
{
    const onnx_attribute *a = op_attribute(c, name);
    return a && i < a->ints.n ? a->ints.p[i] : 0;
}

static int scan_input(op *c, uint32_t i, uint32_t scanned, bool batched, jl_info *in, jl_dim *trips)
{
    const jl_info *from = op_in(c, i + batched);
    int axis, lead = batched ? 1 : 0;
    if (!from || !in) return op_fail(c, "its body does not fit its inputs");
    *in = *from;
    in->elems = NULL;
    if (from->rank < lead) {
        in->rank = -1;
        return 0;
    }
    in->rank = (int8_t)(from->rank - lead);
    in->dims = from->dims + lead;
    if (scanned == UINT32_MAX) return 0;
    int rc = op_axis(c, batched ? 0 : scan_axis(c, "scan_input_axes", scanned), in->rank, &axis);
    if (rc) return rc;
    jl_dim *dims = jl_arena_array(c->s->arena, (size_t)in->rank, sizeof *dims);
    if (!dims) return op_no_memory(c);
    *trips = in->dims[axis];
    for (int k = 0, at = 0; k < in->rank; k++)
        if (k != axis) dims[at++] = in->dims[k];
    in->dims = dims;
    in->rank--;
    return 0;
}

static int scan_output(op *c, uint32_t i, uint32_t scanned, bool batched, jl_dim trips,
                       const jl_info *from)
{
    jl_dim dims[JL_MAX_INFERRED_RANK + 2];
    int rank = 0, axis = 0, rc;
    if (!from) return op_fail(c, "its body has fewer outputs than the node");
    op_dtype(c, i, from->dtype);
    if (from->rank < 0 || from->rank > JL_MAX_INFERRED_RANK - 2) return 0;
    const jl_info *first = op_ranked(c, 1);
    if (batched) dims[rank++] = first && first->rank ? first->dims[0] : jl_dim_unknown(c->d);
    int64_t given = batched ? 0 : scan_axis(c, "scan_output_axes", scanned);
    if (scanned != UINT32_MAX && (rc = op_axis(c, given, from->rank + 1, &axis))) return rc;
    for (int k = 0; k <= from->rank; k++) {
        if (scanned != UINT32_MAX && k == axis) dims[rank++] = trips;
        if (k < from->rank) dims[rank++] = from->dims[k];
    }
    return op_shape(c, i, rank, dims);
}

int op_scan(op *c)
{
    uint32_t scope, n = c->n->n_inputs;
    bool batched = c->opset < 9;
    const jl_scope *body = sub_graph(c, "body", &scope);
    int64_t scans = op_i(c, "num_scan_inputs", 1);
    if (!body) return op_fail(c, "it needs a body");
    n -= batched && n;
    if (scans < 1 || scans > n) return op_fail(c, "num_scan_inputs is %lld", (long long)scans);
    uint32_t states = n - (uint32_t)scans;
    jl_dim trips = jl_dim_unknown(c->d);
    int rc = 0;
    for (uint32_t i = 0; i < n && !rc; i++)
        rc = scan_input(c, i, i < states ? UINT32_MAX : i - states, batched,
                        scope_input(c, body, i), &trips);
    if (!rc) rc = settle(c, scope, 0, 0, states);
    for (uint32_t i = 0; i < c->n->n_outputs && !rc; i++)
        rc = scan_output(c, i, i < states ? UINT32_MAX : i - states, batched, trips,
                         scope_output(c, body, i));
    return rc;
}

/* Sequences ----------------------------------------------------------------------------------- */

int op_sequence_construct(op *c)
{
    jl_info *out = op_out(c, 0);
    const jl_info *first = op_in(c, 0);
    if (!out || !first) return 0;
    *out = *first;
    out->kind = JL_KIND_SEQUENCE;
    out->elems = NULL;
    out->length = (int32_t)c->n->n_inputs;
    for (uint32_t i = 1; i < c->n->n_inputs; i++) {
        jl_info other = *op_in(c, i);
        other.kind = JL_KIND_SEQUENCE;
        other.length = out->length;
        int rc = merge(c, out, &other);
        if (rc) return rc;
    }
    return 0;
}

int op_sequence_empty(op *c)
{
    jl_info *out = op_out(c, 0);
    if (out)
        *out = (jl_info){.kind = JL_KIND_SEQUENCE,
                         .rank = -1,
                         .length = 0,
                         .dtype = (uint8_t)op_i(c, "dtype", JL_FLOAT)};
    return 0;
}

int op_sequence_at(op *c)
{
    const jl_info *in = op_in(c, 0);
    jl_info *out = op_out(c, 0);
    if (!in || !out) return 0;
    *out = *in;
    out->kind = JL_KIND_TENSOR;
    out->elems = NULL;
    return 0;
}

int op_sequence_insert(op *c)
{
    const jl_info *in = op_in(c, 0), *tensor = op_in(c, 1);
    jl_info *out = op_out(c, 0);
    if (!in || !tensor || !out) return 0;
    *out = in->length == 0 ? *tensor : *in;
    out->kind = JL_KIND_SEQUENCE;
    jl_info element = *tensor;
    element.kind = JL_KIND_SEQUENCE;
    int rc = merge(c, out, &element);
    out->length = in->length < 0 ? -1 : in->length + 1;
    return rc;
}

int op_sequence_erase(op *c)
{
    op_identity(c);
    if (op_out(c, 0) && op_out(c, 0)->length > 0) op_out(c, 0)->length--;
    return 0;
}

int op_sequence_map(op *c)
{
    uint32_t scope;
    const jl_scope *body = sub_graph(c, "body", &scope);
    if (!body) return op_fail(c, "it needs a body");
    for (uint32_t i = 0; i < body->n_inputs; i++) {
        jl_info *in = scope_input(c, body, i);
        if (!op_in(c, i)) continue;
        *in = *op_in(c, i);
        if (in->kind == JL_KIND_SEQUENCE) in->kind = JL_KIND_TENSOR;
    }
    int rc = op_infer_scope(c->s, scope, c->err);
    for (uint32_t i = 0; i < c->n->n_outputs && !rc; i++) {
        jl_info *out = op_out(c, i);
        if (!scope_output(c, body, i))
            return op_fail(c, "its body has fewer outputs than the node");
        if (!out) continue;
        *out = *scope_output(c, body, i);
        out->kind = JL_KIND_SEQUENCE;
        out->elems = NULL;
        out->length = op_in(c, 0) ? op_in(c, 0)->length : -1;
    }
    return rc;
}

int op_split_to_sequence(op *c)
{
    const jl_info *x = op_ranked(c, 0), *sizes = op_ranked(c, 1);
    jl_info *out = op_out(c, 0);
    int64_t *split = NULL;
    uint32_t n = 0;
    int axis;
    if (!out) return 0;
    *out = (jl_info){.kind = JL_KIND_SEQUENCE,
                     .rank = -1,
                     .length = -1,
                     .dtype = op_in(c, 0) ? op_in(c, 0)->dtype : 0};
    if (!x) return 0;
    int rc = op_axis(c, op_i(c, "axis", 0), x->rank, &axis);
    jl_dim *dims = jl_arena_array(c->s->arena, (size_t)x->rank, sizeof *dims);
    if (rc || !dims) return rc ? rc : op_no_memory(c);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    bool known = op_in(c, 1) ? op_constants(c, 1, &split, &n) : true;
    dims[axis] = jl_dim_unknown(c->d);
    if (!op_in(c, 1)) dims[axis] = jl_dim_k(1);
    if (known && n && sizes && sizes->rank == 1) {
        bool equal = true;
        for (uint32_t i = 1; i < n; i++)
            equal = equal && split[i] == split[0];
        if (equal) dims[axis] = jl_dim_k(split[0]);
        out->length = (int32_t)n;
    }
    out->rank = x->rank;
    out->dims = dims;
    if (!op_in(c, 1) && jl_dim_is_k(x->dims[axis]) && x->dims[axis].k < INT32_MAX)
        out->length = (int32_t)x->dims[axis].k;
    if (op_in(c, 1) || op_i(c, "keepdims", 1)) return 0;
    for (int i = axis; i + 1 < x->rank; i++)
        dims[i] = dims[i + 1];
    out->rank--;
    return 0;
}

int op_concat_from_sequence(op *c)
{
    const jl_info *in = op_in(c, 0);
    bool fresh = op_i(c, "new_axis", 0) != 0;
    jl_dim dims[JL_MAX_INFERRED_RANK + 1];
    int axis;
    if (!in) return 0;
    op_dtype(c, 0, in->dtype);
    if (in->rank < 0) return 0;
    int rank = in->rank + fresh, rc = op_axis(c, op_i(c, "axis", 0), rank, &axis);
    if (rc) return rc;
    jl_dim count = in->length < 0 ? jl_dim_unknown(c->d) : jl_dim_k(in->length);
    for (int i = 0, from = 0; i < rank; i++)
        dims[i] = fresh && i == axis ? count : in->dims[from++];
    bool counted = in->length >= 0 && !jl_dim_is_unknown(c->d, dims[axis]);
    if (!fresh) dims[axis] = counted ? jl_dim_mul(c->d, dims[axis], count) : jl_dim_unknown(c->d);
    return op_shape(c, 0, rank, dims);
}

/* Optionals ----------------------------------------------------------------------------------- */

int op_optional(op *c)
{
    jl_info *out = op_out(c, 0);
    if (!out) return 0;
    if (op_in(c, 0)) {
        *out = *op_in(c, 0);
        out->inner = out->kind;
    } else {
        const onnx_attribute *a = op_attribute(c, "type");
        bool tensor = a && a->tp && a->tp->tensor_type;
        *out = (jl_info){
            .rank = -1, .length = -1, .inner = tensor ? JL_KIND_TENSOR : JL_KIND_SEQUENCE};
        if (tensor) out->dtype = (uint8_t)a->tp->tensor_type->elem_type;
    }
    out->kind = JL_KIND_OPTIONAL;
    return 0;
}

int op_optional_get(op *c)
{
    op_identity(c);
    jl_info *out = op_out(c, 0);
    if (out && out->kind == JL_KIND_OPTIONAL) out->kind = out->inner;
    return 0;
}
