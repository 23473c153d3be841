#include "onnx.h"

const onnx_attribute *onnx_find_attribute(const onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->attributes.n; i++)
        if (jl_str_is(node->attributes.p[i].name, name)) return &node->attributes.p[i];
    return NULL;
}

int64_t onnx_attribute_i(const onnx_node *node, const char *name, int64_t otherwise)
{
    const onnx_attribute *a = onnx_find_attribute(node, name);
    return a ? a->i : otherwise;
}

float onnx_attribute_f(const onnx_node *node, const char *name, float otherwise)
{
    const onnx_attribute *a = onnx_find_attribute(node, name);
    return a ? a->f : otherwise;
}

jl_str onnx_attribute_s(const onnx_node *node, const char *name, const char *otherwise)
{
    const onnx_attribute *a = onnx_find_attribute(node, name);
    if (!a) return jl_str_c(otherwise);
    return a->s.p ? a->s : JL_STR("");
}

int64_t onnx_opset_version(const onnx_model *model, const char *domain)
{
    for (size_t i = 0; i < model->opset_imports.n; i++) {
        const onnx_opset *o = &model->opset_imports.p[i];
        bool standard = !domain[0] && (o->domain.n == 0 || jl_str_is(o->domain, "ai.onnx"));
        if (standard || jl_str_is(o->domain, domain)) return o->version;
    }
    return 0;
}
