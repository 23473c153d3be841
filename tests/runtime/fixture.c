#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "make_model.h"

fixture models;
static char folder[] = "/tmp/jl_runtime_XXXXXX";

int models_make(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    const struct {
        char *path;
        const char *name;
    } files[] = {{models.relu, "relu"},       {models.relu16, "relu16"}, {models.gather, "gather"},
                 {models.unknown, "unknown"}, {models.broken, "broken"}, {models.nan, "nan"},
                 {models.scratch, "scratch"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        snprintf(files[i].path, sizeof models.relu, "%s/%s.onnx", folder, files[i].name);
    make_relu_model(models.relu, JL_FLOAT, 2, (int64_t[]){-1, 4});
    make_relu_model(models.relu16, JL_FLOAT16, 2, (int64_t[]){-1, 4});
    make_gather_model(models.gather, 10);
    make_one_node_model(models.unknown, "Quux", 4);
    make_one_node_model(models.nan, "Log", 4);
    FILE *f = fopen(models.broken, "w");
    fputs("this is no model", f);
    return fclose(f);
}

int models_remove(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

float relu_x[2][4] = {{1, -1, 2, -2}, {0.5f, 3, -0.25f, 70}};

jl_tensor relu_input(void)
{
    return (jl_tensor){.name = "x",
                       .dtype = JL_FLOAT,
                       .rank = 2,
                       .dims = {2, 4},
                       .data = relu_x,
                       .size_bytes = sizeof relu_x};
}

void check_relu(session *s, jl_dtype dtype)
{
    const jl_tensor *y;
    size_t count;
    float f[8];
    jl_error err = {0};
    if (s->runtime->outputs(s->ctx, &y, &count, &err)) fail_msg("%s", err.msg);
    assert_int_equal(count, 1);
    assert_string_equal(y->name, "y");
    assert_int_equal(y->dtype, dtype);
    assert_int_equal(y->rank, 2);
    assert_int_equal(jl_tensor_elements(y), 8);
    assert_int_equal(jl_tensor_floats(y, f, NULL), 0);
    for (int i = 0; i < 8; i++) {
        float twice = 2 * relu_x[i / 4][i % 4];
        assert_true(f[i] == (twice > 0 ? twice : 0));
    }
}

void infer(session *s)
{
    jl_error err = {0};
    if (s->runtime->infer(s->ctx, &err)) fail_msg("%s", err.msg);
}

void gather_fill(gather_inputs *g, const int64_t ids[3])
{
    static const int64_t mask[3] = {1, 1, 0};
    memcpy(g->ids, ids, sizeof g->ids);
    memcpy(g->mask, mask, sizeof mask);
    for (int i = 0; i < 2; i++)
        g->t[i] = (jl_tensor){.name = i ? "ids" : "attention_mask",
                              .dtype = JL_INT64,
                              .rank = 2,
                              .dims = {1, 3},
                              .data = i ? g->ids : g->mask,
                              .size_bytes = sizeof g->ids};
}

void check_gather(const char *configuration, int64_t four)
{
    gather_inputs in;
    gather_fill(&in, (int64_t[]){9, 0, four});
    session s;
    jl_error err = {0};
    const jl_tensor *out;
    size_t count;
    if (session_load(&s, configuration, models.gather, in.t, 2, 1, &err)) fail_msg("%s", err.msg);
    infer(&s);
    assert_int_equal(s.runtime->outputs(s.ctx, &out, &count, &err), 0);
    assert_int_equal(count, 2);
    const float rows[6] = {18, 19, 0, 1, 8, 9};
    assert_memory_equal(out[0].data, rows, sizeof rows);
    assert_memory_equal(out[1].data, in.mask, sizeof in.mask);
    session_close(&s);
    assert_int_equal(session_load(&s, configuration, models.gather, in.t, 1, 1, &err),
                     JL_ERR_USAGE);
    assert_non_null(strstr(err.msg, "'ids'"));
}

void check_refusals(const refusal *cases, size_t n)
{
    jl_tensor in = relu_input();
    for (size_t i = 0; i < n; i++) {
        session s;
        jl_error err = {0};
        int rc = session_load(&s, cases[i].configuration, cases[i].model, &in, 1, 1, &err);
        if (rc != cases[i].code || !strstr(err.msg, cases[i].words))
            fail_msg("%s: %d '%s' is not %d '%s'", cases[i].configuration, rc, err.msg,
                     cases[i].code, cases[i].words);
    }
}
