#include "convert/half.h"
#include "convert/half_rules.h"

#include <string.h>

int jl_half_attributes(jl_half *h, onnx_node *node, jl_error *err)
{
    jl_dtype to = h->options->to;
    bool float_output = node->outputs.n && jl_map_get(h->types, node->outputs.p[0]) == JL_FLOAT;
    const char *type = jl_half_type_attribute(node->op_type);
    if (type && float_output) return jl_edit_set_int(h->edit, node, type, to, err);
    if (!jl_str_is(node->op_type, "ConstantOfShape") || !float_output) return 0;
    float f = 0;
    const onnx_attribute *old = onnx_find_attribute(node, "value");
    jl_str bytes = {0};
    int rc = old && old->t ? onnx_tensor_bytes(h->edit->file, old->t, &bytes, err) : 0;
    if (rc) return rc;
    if (bytes.n == sizeof f) memcpy(&f, bytes.p, sizeof f);
    onnx_tensor *t = jl_arena_alloc(h->edit->arena, sizeof *t);
    onnx_attribute *a = jl_arena_alloc(h->edit->arena, sizeof *a);
    uint16_t *half = jl_arena_alloc(h->edit->arena, sizeof *half);
    int64_t *one = jl_arena_alloc(h->edit->arena, sizeof *one);
    if (!t || !a || !half || !one)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
    *one = 1;
    h->summary->saturated += jl_convert_floats(half, to, &f, 1);
    *t = (onnx_tensor){.data_type = (int32_t)to,
                       .has_raw_data = true,
                       .raw_data = {(const char *)half, sizeof *half}};
    t->dims.p = one;
    t->dims.n = 1;
    *a = (onnx_attribute){.name = JL_STR("value"), .t = t, .type = ONNX_ATTR_TENSOR};
    node->attributes.p = a;
    node->attributes.n = 1;
    return 0;
}
