#include "model/cost_rules.h"

bool cost_shape_of(const cost_sizes *s, uint32_t value, cost_shape *shape)
{
    *shape = (cost_shape){.rank = -1, .elements = 1};
    if (value == JL_NONE) return true;
    const jl_info *v = &s->shapes->values[value];
    bool zero = false;
    for (int i = 0; i < v->rank; i++) {
        jl_str missing;
        if (!jl_dim_eval(s->shapes->dims, v->dims[i], &shape->dims[i], &missing))
            return missing.n != 0;
        zero = zero || shape->dims[i] <= 0;
    }
    for (int i = 0; i < v->rank && !zero; i++)
        if (__builtin_mul_overflow(shape->elements, shape->dims[i], &shape->elements)) return false;
    if (zero) shape->elements = 0;
    shape->rank = v->rank;
    return true;
}

/* A node's shapes as they are needed. */
typedef struct work {
    const cost_sizes *s;
    const jl_node *n;
    cost_result result;
} work;

static cost_shape port(work *w, const uint32_t *ports, uint32_t count, uint32_t i)
{
    cost_shape shape = {.rank = -1, .elements = 1};
    bool there = i < count && ports[i] != JL_NONE;
    if (there && !cost_shape_of(w->s, ports[i], &shape)) w->result = COST_OVERFLOW;
    if (there && shape.rank < 0 && w->result == COST_KNOWN) w->result = COST_UNKNOWN;
    return shape;
}

static cost_shape input(work *w, uint32_t i)
{
    return port(w, w->n->inputs, w->n->n_inputs, i);
}

static cost_shape output(work *w, uint32_t i)
{
    return port(w, w->n->outputs, w->n->n_outputs, i);
}

static bool has_input(const work *w, uint32_t i)
{
    return i < w->n->n_inputs && w->n->inputs[i] != JL_NONE;
}

static int64_t times(work *w, int64_t a, int64_t b)
{
    int64_t product;
    if (!__builtin_mul_overflow(a, b, &product)) return product;
    w->result = COST_OVERFLOW;
    return 0;
}

static int64_t plus(work *w, int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    w->result = COST_OVERFLOW;
    return 0;
}

static int64_t size(const cost_shape *s, int axis)
{
    int i = axis < 0 ? axis + s->rank : axis;
    return i >= 0 && i < s->rank ? s->dims[i] : 1;
}

static int64_t kernel_places(work *w)
{
    const onnx_attribute *a = onnx_find_attribute(w->n->onnx, "kernel_shape");
    int64_t n = 1;
    for (size_t i = 0; a && i < a->ints.n; i++)
        n = times(w, n, a->ints.p[i]);
    return n;
}

static int64_t conv_macs(work *w, uint32_t weight_input)
{
    cost_shape weight = input(w, weight_input), out = output(w, 0);
    int64_t filter = 1;
    for (int i = 1; i < weight.rank; i++)
        filter = times(w, filter, weight.dims[i]);
    return times(w, out.elements, filter);
}

/* Every element of the input meets every filter of its group. */
static int64_t conv_transpose_macs(work *w)
{
    cost_shape x = input(w, 0), weight = input(w, 1);
    int64_t filter = 1;
    for (int i = 1; i < weight.rank; i++)
        filter = times(w, filter, weight.dims[i]);
    return times(w, x.elements, filter);
}

static int64_t matmul_macs(work *w)
{
    cost_shape a = input(w, 0), out = output(w, 0);
    return times(w, out.elements, size(&a, -1));
}

static int64_t gemm_macs(work *w)
{
    cost_shape a = input(w, 0), out = output(w, 0);
    bool transposed = onnx_attribute_i(w->n->onnx, "transA", 0) != 0;
    return times(w, out.elements, size(&a, transposed ? 0 : 1));
}

/* The product of all the sizes that the equation names: one multiplication for each combination,
 * and one more for each input after the second. Axes under "..." count by output 0's. */
static int64_t einsum_macs(work *w)
{
    jl_str text = onnx_attribute_s(w->n->onnx, "equation", "");
    bool seen[128] = {false};
    int64_t space = 1;
    size_t at = 0;
    if (w->n->n_inputs < 2) return 0;
    for (uint32_t i = 0; i < w->n->n_inputs; i++) {
        cost_shape v = input(w, i);
        int named = 0, axis = 0;
        size_t end = at;
        while (end < text.n && text.p[end] != ',' && text.p[end] != '-')
            end++;
        for (size_t k = at; k < end; k++)
            named += text.p[k] != '.' && text.p[k] != ' ';
        for (size_t k = at; k < end; k++) {
            unsigned char ch = (unsigned char)text.p[k];
            if (ch == ' ' || ch > 127) continue;
            if (ch == '.') {
                for (; axis < v.rank - named; axis++)
                    if (i == 0) space = times(w, space, v.dims[axis]);
                k += 2;
                named = 0;
                continue;
            }
            if (!seen[ch]) space = times(w, space, size(&v, axis));
            seen[ch] = true;
            axis++;
        }
        at = end + 1;
    }
    return times(w, space, (int64_t)w->n->n_inputs - 1);
}

/* W [D, gates * H, I] and R [D, gates * H, H] meet every step of every sequence. */
static int64_t recurrent_macs(work *w)
{
    cost_shape x = input(w, 0), weight = input(w, 1), recurrence = input(w, 2);
    int64_t steps = times(w, size(&x, 0), size(&x, 1));
    return times(w, steps, plus(w, weight.elements, recurrence.elements));
}

/* Q K^T and its product with V; softmax beside it. */
static int64_t attention_macs(work *w, int64_t *flop)
{
    cost_shape q = input(w, 0), k = input(w, 1), v = input(w, 2), past = input(w, 4);
    int64_t keys = plus(w, size(&k, -2), has_input(w, 4) ? size(&past, -2) : 0);
    int64_t heads = q.rank == 4 ? size(&q, 1) : onnx_attribute_i(w->n->onnx, "q_num_heads", 1);
    int64_t kv_heads = q.rank == 4 ? 1 : onnx_attribute_i(w->n->onnx, "kv_num_heads", 1);
    if (heads < 1 || kv_heads < 1) return 0;
    int64_t q_size = q.rank == 4 ? size(&q, -1) : size(&q, -1) / heads;
    int64_t v_size = v.rank == 4 ? size(&v, -1) : size(&v, -1) / kv_heads;
    int64_t scores = times(w, times(w, size(&q, 0), heads), times(w, size(&q, -2), keys));
    *flop = times(w, scores, 6); /* scale and softmax */
    return times(w, scores, plus(w, q_size, v_size));
}

static int64_t resize_flop(work *w)
{
    jl_str mode = onnx_attribute_s(w->n->onnx, "mode", "nearest");
    cost_shape out = output(w, 0);
    int64_t each = jl_str_is(mode, "linear") ? 7 : jl_str_is(mode, "cubic") ? 31 : 0;
    return times(w, out.elements, each);
}

static int64_t macs_of(work *w, cost_work kind, int64_t *flop)
{
    switch (kind) {
    case WORK_CONV:
        return conv_macs(w, 1);
    case WORK_QLINEAR_CONV:
        return conv_macs(w, 3);
    case WORK_CONV_TRANSPOSE:
        return conv_transpose_macs(w);
    case WORK_MATMUL:
        return matmul_macs(w);
    case WORK_GEMM:
        return gemm_macs(w);
    case WORK_EINSUM:
        return einsum_macs(w);
    case WORK_RECURRENT:
        return recurrent_macs(w);
    case WORK_ATTENTION:
        return attention_macs(w, flop);
    default:
        return 0;
    }
}

/* One addition for each output where there is a bias. */
static bool has_bias(const work *w, cost_work kind)
{
    switch (kind) {
    case WORK_CONV:
        return has_input(w, jl_str_is(w->n->onnx->op_type, "DeformConv") ? 3 : 2);
    case WORK_CONV_TRANSPOSE:
    case WORK_GEMM:
        return has_input(w, 2);
    case WORK_QLINEAR_CONV:
        return has_input(w, 8);
    default:
        return false;
    }
}

cost_result cost_work_of(const cost_sizes *s, const jl_node *n, const cost_rule *rule,
                         int64_t *macs, int64_t *flop)
{
    work w = {s, n, COST_KNOWN};
    cost_work kind = (cost_work)rule->work;
    cost_shape out = output(&w, 0);
    int64_t extra = 0, places;
    *macs = macs_of(&w, kind, &extra);
    if (has_bias(&w, kind)) extra = out.elements;
    switch (kind) {
    case WORK_OUTPUT:
        extra = times(&w, out.elements, rule->operations);
        break;
    case WORK_VARIADIC:
        extra = times(&w, out.elements, (int64_t)n->n_inputs - 1);
        break;
    case WORK_INPUT:
        extra = times(&w, input(&w, 0).elements, rule->operations);
        break;
    case WORK_WINDOW:
        places = kernel_places(&w);
        extra = times(&w, times(&w, out.elements, places), rule->operations);
        break;
    case WORK_LRN: /* a square and a sum over the window, scale, bias, power, quotient */
        extra = times(&w, out.elements, plus(&w, 4, onnx_attribute_i(n->onnx, "size", 1)));
        break;
    case WORK_RESIZE:
        extra = resize_flop(&w);
        break;
    case WORK_RECURRENT: /* gates: an addition for each, an activation, the state's update */
        extra = times(&w, out.elements, 16);
        break;
    default:
        break;
    }
    *flop = plus(&w, times(&w, *macs, 2), extra);
    return w.result;
}
