#include "convert/annotate.h"
#include "convert/commute.h"
#include "convert/edit.h"
#include "convert/fold.h"
#include "convert/half.h"
#include "convert/names.h"

#include "jouleline/cost.h"

#include <string.h>

const char *jl_keep_reason_text(jl_keep_reason reason)
{
    static const char *const texts[] = {
        [JL_KEEP_OPERATOR] = "ONNX does not define it for this type at this opset",
        [JL_KEEP_DOMAIN] = "an operator of another domain",
        [JL_KEEP_USER] = "asked for",
        [JL_KEEP_RANGE] = "over half of the largest half",
        [JL_KEEP_WEIGHT] = "a weight beyond the largest half",
        [JL_KEEP_SHAPE] = "arithmetic on shapes",
    };
    return texts[reason];
}

/* Every value's element type by name. Two scopes that give one name two types cannot be told
 * apart here; ONNX forbids such names. */
static int infer_types(onnx_file *file, jl_map *types, jl_shapes **shapes, jl_error *err)
{
    const jl_shapes_options all = {.every_branch = true};
    jl_graph *graph;
    int rc = jl_graph_new(file->model, file->arena, &graph, err);
    if (!rc) rc = jl_shapes_new(graph, file, file->arena, &all, shapes, err);
    for (uint32_t i = 0; !rc && i < graph->n_values; i++) {
        const jl_graph_value *v = &graph->values[i];
        uint32_t dtype = (*shapes)->values[i].dtype, before = jl_map_get(types, v->name);
        if (!v->name.n) continue;
        if (dtype == JL_UNDEFINED) {
            char label[JL_LABEL];
            rc = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the type of '%.*s' cannot be inferred (%s); a value_info entry that "
                         "states it would do",
                         JL_FMT(v->name),
                         v->node == JL_NONE ? "an input" : jl_node_label(graph, v->node, label));
        } else if (before != JL_NONE && before != dtype) {
            rc = jl_fail(err, JL_ERR_FORMAT, "the name '%.*s' stands for values of two types",
                         JL_FMT(v->name));
        } else if (!jl_map_set(types, v->name, dtype)) {
            rc = jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
        }
    }
    return rc;
}

static int see_ranges(jl_half *h, const jl_shapes *shapes, jl_ranges *ranges, jl_error *err)
{
    const jl_convert_options *o = h->options;
    if (!o->samples) return 0;
    if (o->to != JL_FLOAT16)
        return jl_fail(err, JL_ERR_USAGE,
                       "mixed precision is half precision and FP32; bfloat16 has "
                       "the range of FP32");
    int rc = jl_ranges_find(h->edit, shapes, h->types, o->samples, o->scratch, ranges, err);
    h->ranges = ranges;
    h->summary->observed = ranges->count;
    h->summary->calls = o->samples->count;
    return rc;
}

static int rewrite(jl_half *h, jl_map *types, const jl_shapes *shapes, jl_error *err)
{
    const jl_convert_options *o = h->options;
    jl_ranges ranges = {0};
    int n = o->keep_batch_norms ? 0 : jl_fold_batch_norms(h->edit, err);
    if (n < 0) return n;
    h->summary->folded = (size_t)n;
    n = o->to == JL_FLOAT16 ? jl_commute_transposes(h->edit, types, err) : 0;
    if (n < 0) return n;
    h->summary->commuted = (size_t)n;
    int rc = see_ranges(h, shapes, &ranges, err);
    if (!rc) rc = jl_name_set(&h->keep, o->keep, o->keep_count, err);
    if (!rc) rc = jl_half_model(h, err);
    jl_ranges_free(&ranges);
    return rc ? rc : jl_name_unmet(&h->keep, o->keep, o->keep_count, err);
}

static void count_parameters(const jl_edit *e, jl_convert_summary *summary)
{
    for (size_t i = 0; i < e->graph->initializers.n; i++) {
        const onnx_tensor *t = &e->graph->initializers.p[i];
        if (t->data_type == JL_FLOAT)
            summary->left += t->raw_data.n / 4;
        else if (e->recipes[i].floats.p)
            summary->parameters += e->recipes[i].floats.n / 4;
    }
}

/* Of the file that was written: a product computes in the type of what it makes. */
static void count_macs(const char *path, jl_convert_summary *summary)
{
    static const char single[] = "float[";
    jl_model *model;
    jl_cost *cost = NULL;
    if (!summary->kept_count || jl_model_open(path, &model, NULL)) return;
    if (!jl_cost_new(model, &(jl_cost_options){.batch = 0}, &cost, NULL) && !cost->n_unknown) {
        summary->macs = cost->total.macs;
        for (size_t i = 0; i < cost->n_nodes; i++) {
            const jl_node_cost *n = &cost->nodes[i];
            if (n->counted && !strncmp(n->output, single, sizeof single - 1))
                summary->macs_left += n->cost.macs * n->times;
        }
    }
    jl_cost_free(cost);
    jl_model_close(model);
}

int jl_convert_precision(const char *from, const char *to, const jl_convert_options *options,
                         jl_convert_summary *summary, jl_error *err)
{
    *summary = (jl_convert_summary){0};
    onnx_file *file = NULL;
    jl_edit edit = {0};
    jl_map types = {0};
    jl_shapes *shapes = NULL;
    jl_half h = {.edit = &edit, .options = options, .summary = summary, .types = &types};
    int rc = onnx_open(from, &file, err);
    if (rc) return rc;
    h.opset = onnx_opset_version(file->model, "");
    if (!rc) rc = infer_types(file, &types, &shapes, err);
    if (!rc) rc = jl_edit_begin(&edit, file, err);
    if (!rc) rc = rewrite(&h, &types, shapes, err);
    if (!rc) rc = jl_annotate(&h, shapes, err);
    if (!rc) rc = jl_edit_save(&edit, to, err);
    if (!rc) count_parameters(&edit, summary);
    summary->saturated += edit.saturated;
    jl_edit_end(&edit);
    jl_shapes_free(shapes);
    jl_map_free(&types);
    jl_map_free(&h.keep);
    jl_map_free(&h.now);
    onnx_close(file);
    if (!rc) count_macs(to, summary);
    return rc ? jl_prefix(err, "%s", from) : 0;
}
