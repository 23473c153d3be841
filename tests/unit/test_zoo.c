#include "base/rng.h"
#include "model/zoo/zoo.h"

#include "jouleline/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/jl_test_zoo.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* torchvision's own counts of parameters and of multiplications at batch 1. */
static void sizes_equal_torchvision(void **state)
{
    (void)state;
    static const struct {
        const char *name, *family;
        int px;
        int64_t learnable, macs;
    } expected[] = {
        {"mobilenet_v2", "lightweight", 224, 3504872, 300774272},
        {"mobilenet_v3_small", "lightweight", 224, 2542856, 56510400},
        {"mobilenet_v3_large", "lightweight", 224, 5483032, 216589760},
        {"efficientnet_b0", "lightweight", 224, 5288548, 385814752},
        {"efficientnet_b3", "lightweight", 300, 12233232, 1827141392},
        {"mnasnet1_0", "lightweight", 224, 4383312, 314415872},
        {"shufflenet_v2_x1_0", "lightweight", 224, 2278604, 144907992},
        {"resnet18", "standard", 224, 11689512, 1814073344},
        {"resnet50", "standard", 224, 25557032, 4089184256},
        {"resnet101", "standard", 224, 44549160, 7801405440},
        {"vgg16", "standard", 224, 138357544, 15470264320},
        {"densenet121", "standard", 224, 7978856, 2834161664},
        {"convnext_tiny", "layernorm", 224, 28589128, 4455531264},
        {"vit_b_16", "layernorm", 224, 86567656, 17563828224},
        {"swin_t", "layernorm", 224, 28288354, 4490566656},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int64_t learnable, statistics;
        const jl_zoo_model *m;
        assert_int_equal(jl_zoo_find(expected[i].name, &m, NULL), 0);
        assert_string_equal(m->family, expected[i].family);
        assert_int_equal(m->image_px, expected[i].px);
        assert_int_equal(jl_zoo_parameters(expected[i].name, &learnable, &statistics, NULL), 0);
        assert_int_equal(learnable, expected[i].learnable);
        jl_model *model;
        jl_cost *cost;
        assert_int_equal(jl_model_open(expected[i].name, &model, NULL), 0);
        assert_int_equal(jl_cost_new(model, &(jl_cost_options){.batch = 1}, &cost, NULL), 0);
        assert_int_equal(cost->total.macs, expected[i].macs);
        jl_cost_free(cost);
        jl_model_close(model);
    }
}

static void every_option_builds_every_model(void **state)
{
    (void)state;
    static const int opsets[] = {13, 14, 17, 18, 20, 21}; /* where operators that we use changed */
    for (size_t i = 0; i < jl_zoo_count(); i++)
        for (unsigned bits = 0; bits < 16; bits++)
            for (size_t k = 0; k < sizeof opsets / sizeof *opsets; k++) {
                jl_zoo_options o = {.opset = opsets[k],
                                    .batch = bits & 1 ? 4 : 0,
                                    .decompose = bits & 2,
                                    .fold_batch_norm = bits & 4,
                                    .style = bits & 8 ? JL_ZOO_TORCHSCRIPT : JL_ZOO_PLAIN};
                zoo_graph *z;
                jl_error err = {0};
                if (zoo_graph_open(jl_zoo_at(i)->name, &o, &z, &err)) fail_msg("%s", err.msg);
                assert_true(jl_str_is(z->model->graph->outputs.p[0].name, "logits"));
                zoo_graph_close(z);
            }
}

/* NAME+torchscript is NAME in that style: the very nodes, and the same seeded weights. */
static void a_style_can_be_part_of_the_name(void **state)
{
    (void)state;
    const jl_zoo_model *m;
    jl_zoo_options o = jl_zoo_defaults();
    zoo_graph *plain, *named, *asked;
    for (size_t i = 0; i < jl_zoo_count(); i++)
        assert_null(strstr(jl_zoo_at(i)->name, "+torchscript"));
    assert_int_equal(jl_zoo_find("swin_t+torchscript", &m, NULL), 0);
    assert_string_equal(m->torch, "swin_t");
    assert_int_equal(zoo_graph_open("swin_t", NULL, &plain, NULL), 0);
    assert_int_equal(zoo_graph_open("swin_t+torchscript", NULL, &named, NULL), 0);
    o.style = JL_ZOO_TORCHSCRIPT;
    assert_int_equal(zoo_graph_open("swin_t", &o, &asked, NULL), 0);
    assert_int_equal(named->model->graph->nodes.n, asked->model->graph->nodes.n);
    assert_true(named->model->graph->nodes.n > plain->model->graph->nodes.n);
    assert_int_equal(named->params[0]->stream, plain->params[0]->stream);
    zoo_graph_close(plain);
    zoo_graph_close(named);
    zoo_graph_close(asked);
}

/* However wide the processor's vectors are, a value is the documented function of its place. */
static void weights_are_a_function_of_their_place(void **state)
{
    (void)state;
    zoo_param p = {.name = "w", .kind = ZOO_RANDOM, .spread = 1, .stream = zoo_stream("m", "w")};
    float all[100], part[10];
    zoo_param_read(&p, 0, 1, 100, all);
    zoo_param_read(&p, 40, 3, 10, part);
    double sum = 0, squares = 0;
    for (int i = 0; i < 10; i++)
        assert_true(part[i] == all[40 + 3 * i]);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t h = jl_mix64(p.stream + i), mask = 0xFFFF;
        uint64_t pieces = (h & mask) + (h >> 16 & mask) + (h >> 32 & mask) + (h >> 48);
        assert_true(all[i] == (float)((int32_t)pieces - 131070) * (float)(1 / 37837.227));
        sum += (double)all[i];
        squares += (double)all[i] * (double)all[i];
        assert_true(all[i] > -3.47f && all[i] < 3.47f);
    }
    assert_true(sum / 100 > -0.4 && sum / 100 < 0.4);
    assert_true(squares / 100 > 0.5 && squares / 100 < 1.6);
    assert_true(zoo_stream("m", "w") != zoo_stream("m", "v"));
    assert_true(zoo_stream("a", "w") != zoo_stream("m", "w"));
}

static void views_show_their_parameter(void **state)
{
    (void)state;
    float given[6] = {0, 1, 2, 3, 4, 5}, got[6];
    zoo_param p = {
        .rank = 2, .dims = {2, 3}, .elements = 6, .given = given, .given_type = JL_FLOAT};
    zoo_view v = {.kind = ZOO_VIEW_TRANSPOSED, .of = &p};
    zoo_view_read(&v, 0, 6, got);
    assert_memory_equal(got, ((float[]){0, 3, 1, 4, 2, 5}), sizeof got);
    zoo_view_read(&v, 3, 2, got);
    assert_memory_equal(got, ((float[]){4, 2}), 2 * sizeof *got);

    float gamma[2] = {2, 3}, beta[2] = {10, 20}, mean[2] = {1, 2}, variance[2] = {4, 9};
    zoo_param g = {.given = gamma, .given_type = JL_FLOAT},
              b = {.given = beta, .given_type = JL_FLOAT};
    zoo_param m = {.given = mean, .given_type = JL_FLOAT},
              s = {.given = variance, .given_type = JL_FLOAT};
    zoo_view w = {.kind = ZOO_VIEW_FOLDED_WEIGHT, .of = &p, .norm = {&g, &b, &m, &s, 0}};
    zoo_view_read(&w, 2, 3, got);
    assert_memory_equal(got, ((float[]){2, 3, 4}), 3 * sizeof *got);
    w.kind = ZOO_VIEW_FOLDED_BIAS;
    zoo_view_read(&w, 0, 2, got);
    assert_memory_equal(got, ((float[]){9, 18}), 2 * sizeof *got);
}

static void wrong_words_are_named(void **state)
{
    (void)state;
    jl_error err = {0};
    const jl_zoo_model *m;
    assert_int_equal(jl_zoo_find("resnet5O", &m, &err), JL_ERR_MISSING);
    assert_non_null(strstr(err.msg, "resnet50"));
    assert_null(m);
    assert_int_equal(jl_zoo_export("nothing", NULL, in_folder("x"), &err), JL_ERR_MISSING);
    jl_zoo_options o = jl_zoo_defaults();
    o.opset = 12;
    assert_int_equal(jl_zoo_export("resnet18", &o, in_folder("x"), &err), JL_ERR_USAGE);
    o = jl_zoo_defaults();
    o.batch = -1;
    assert_int_equal(jl_zoo_export("resnet18", &o, in_folder("x"), &err), JL_ERR_USAGE);
    assert_int_equal(jl_zoo_export("resnet18", NULL, in_folder("no/such/folder"), &err), JL_ERR_IO);
    assert_null(jl_zoo_at(jl_zoo_count()));
}

static void given_weights_come_through(void **state)
{
    (void)state;
    char seeded[256], again[256];
    snprintf(seeded, sizeof seeded, "%s/seeded", folder);
    snprintf(again, sizeof again, "%s/again", folder);
    jl_error err = {0};
    assert_int_equal(jl_zoo_export_safetensors("shufflenet_v2_x1_0", NULL, seeded, &err), 0);
    jl_zoo_options o = jl_zoo_defaults();
    o.weights_path = seeded;
    assert_int_equal(jl_zoo_export_safetensors("shufflenet_v2_x1_0", &o, again, &err), 0);
    jl_safetensors *a, *b;
    assert_int_equal(jl_safetensors_open(seeded, &a, &err), 0);
    assert_int_equal(jl_safetensors_open(again, &b, &err), 0);
    assert_int_equal(jl_safetensors_count(a), jl_safetensors_count(b));
    for (size_t i = 0; i < jl_safetensors_count(a); i++) {
        const jl_safetensor *x = jl_safetensors_at(a, i), *y = jl_safetensors_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->size_bytes, y->size_bytes);
        assert_memory_equal(x->data, y->data, x->size_bytes);
    }
    jl_safetensors_close(a);
    jl_safetensors_close(b);
    assert_int_equal(jl_zoo_export_safetensors("resnet18", &o, again, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.msg, "is missing"));
    unlink(seeded);
    unlink(again);
}

static int two_floats(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err)
{
    (void)ctx, (void)i, (void)offset, (void)err;
    memset(to, 0, n);
    return 0;
}

static void misfits_are_named(void **state)
{
    (void)state;
    jl_safetensor list[] = {
        {.name = JL_STR("conv1.weight"), .dtype = JL_FLOAT, .rank = 1, .dims = {2}},
        {.name = JL_STR("bn1.weight"), .dtype = JL_INT8, .rank = 1, .dims = {64}},
        {.name = JL_STR("stranger"), .dtype = JL_FLOAT}};
    jl_error err = {0};
    const char *path = in_folder("misfit");
    assert_int_equal(
        jl_safetensors_save(path, list, 3, (jl_safetensors_source){two_floats, NULL}, &err), 0);
    jl_zoo_options o = jl_zoo_defaults();
    o.weights_path = path;
    zoo_graph *z;
    assert_int_equal(zoo_graph_open("resnet18", &o, &z, &err), JL_ERR_FORMAT);
    assert_null(z);
    assert_non_null(strstr(err.msg, "'conv1.weight' is [2], not [64, 3, 7, 7]"));
    assert_non_null(strstr(err.msg, "'bn1.weight' is int8"));
    assert_non_null(strstr(err.msg, "'bn1.bias' is missing"));
    /* 102 float tensors, one of them surplus beside */
    assert_non_null(strstr(err.msg, "(103 such tensors"));
    unlink(path);
}

static void probes_have_the_nodes_of_their_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t nodes, initializers, params;
    } expected[] = {{"probe_matmul_4x8x3", 5, 3, 2},
                    {"probe_stream_4x8x2", 4, 2, 1},
                    {"probe_read_4x8x1", 1, 1, 0},
                    {"probe_chain_1x8x7", 7, 0, 0}};
    jl_error err = {0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        zoo_graph *z;
        assert_int_equal(zoo_graph_open(expected[i].name, NULL, &z, &err), 0);
        assert_int_equal(z->model->graph->nodes.n, expected[i].nodes);
        assert_int_equal(z->model->graph->initializers.n, expected[i].initializers);
        assert_int_equal(z->n_params, expected[i].params);
        assert_string_equal(z->about->name, expected[i].name);
        zoo_graph_close(z);
        const char *path = in_folder("probe");
        assert_int_equal(jl_zoo_export_safetensors(expected[i].name, NULL, path, &err), 0);
        unlink(path);
    }
    static const char *const wrong[] = {"probe_",
                                        "probe_matmul",
                                        "probe_matmul_4x8",
                                        "probe_matmul_4x8x0",
                                        "probe_matmul_0x8x1",
                                        "probe_matmul_4x8x3x",
                                        "probe_read_4x8x2",
                                        "probe_sort_4x8x1",
                                        "probe_matmul_16777216x16777216x1",
                                        "probe_chain_1x16x5000",
                                        "probe_chain_-1x16x5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        zoo_graph *z;
        assert_int_equal(zoo_graph_open(wrong[i], NULL, &z, &err), JL_ERR_MISSING);
        assert_null(z);
        assert_non_null(strstr(err.msg, wrong[i]));
    }
    const jl_zoo_model *model;
    assert_int_equal(jl_zoo_find("probe_matmul_4x8x3", &model, &err), JL_ERR_MISSING);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_equal_torchvision),
        cmocka_unit_test(every_option_builds_every_model),
        cmocka_unit_test(a_style_can_be_part_of_the_name),
        cmocka_unit_test(weights_are_a_function_of_their_place),
        cmocka_unit_test(views_show_their_parameter),
        cmocka_unit_test(wrong_words_are_named),
        cmocka_unit_test(given_weights_come_through),
        cmocka_unit_test(misfits_are_named),
        cmocka_unit_test(probes_have_the_nodes_of_their_name),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
