#include "model/onnx/onnx.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/jl_test_onnx.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int turn;
    char *p = path[turn ^= 1];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* A model with one node and one initializer of 4 floats; members live in the static objects. */
static onnx_tensor weight;
static onnx_graph graph;
static onnx_model model;

static void make_model(void)
{
    static int64_t dims[] = {2, 2};
    static const float values[] = {1, -2, 3, 0.5f};
    static jl_str inputs[] = {{"x", 1}, {"w", 1}}, outputs[] = {{"y", 1}};
    static onnx_node node;
    static onnx_attribute attribute;
    static onnx_opset opset;
    static onnx_value_info in, out;
    weight = (onnx_tensor){.dims = {dims, 2},
                           .data_type = JL_FLOAT,
                           .name = JL_STR("w"),
                           .raw_data = {(const char *)values, sizeof values}};
    attribute =
        (onnx_attribute){.name = JL_STR("axis"), .i = 0, .type = ONNX_ATTR_INT, .has = 1u << 3};
    node = (onnx_node){.inputs = {inputs, 2},
                       .outputs = {outputs, 1},
                       .op_type = JL_STR("MatMul"),
                       .attributes = {&attribute, 1}};
    in.name = inputs[0];
    out.name = outputs[0];
    graph = (onnx_graph){.nodes = {&node, 1},
                         .name = JL_STR("g"),
                         .initializers = {&weight, 1},
                         .inputs = {&in, 1},
                         .outputs = {&out, 1}};
    opset = (onnx_opset){.domain = {"", 0}, .version = 17};
    model = (onnx_model){.ir_version = 8, .graph = &graph, .opset_imports = {&opset, 1}};
}

static void written_models_read_back(void **state)
{
    (void)state;
    make_model();
    jl_error err = {0};
    jl_buf bytes = {0}, again = {0};
    assert_int_equal(onnx_encode(&model, &bytes, &err), 0);
    jl_arena *arena = jl_arena_new();
    onnx_model *m = NULL;
    assert_int_equal(onnx_decode(bytes.p, bytes.n, arena, &m, &err), 0);
    assert_int_equal(m->ir_version, 8);
    assert_int_equal(onnx_opset_version(m, ""), 17);
    assert_int_equal(onnx_opset_version(m, "other"), 0);
    const onnx_node *node = m->graph->nodes.p;
    assert_int_equal(node->inputs.n, 2);
    assert_int_equal(onnx_attribute_i(node, "axis", 9), 0);
    assert_int_equal(onnx_attribute_i(node, "keepdims", 9), 9);
    assert_null(node->name.p);
    assert_int_equal(m->graph->initializers.p[0].raw_data.n, 16);
    assert_int_equal(onnx_encode(m, &again, &err), 0);
    assert_int_equal(again.n, bytes.n);
    assert_memory_equal(again.p, bytes.p, bytes.n);
    jl_arena_free(arena);
    jl_buf_free(&bytes);
    jl_buf_free(&again);
}

/* No prefix of a model, and no single damaged byte, may do more than fail. */
static void damage_is_reported(void **state)
{
    (void)state;
    make_model();
    jl_buf bytes = {0};
    assert_int_equal(onnx_encode(&model, &bytes, NULL), 0);
    unsigned refused = 0;
    for (size_t n = 0; n < bytes.n; n++) {
        char *copy = malloc(n ? n : 1); /* its own block, so that asan sees an overrun */
        memcpy(copy, bytes.p, n);
        jl_arena *arena = jl_arena_new();
        onnx_model *m = NULL;
        jl_error err = {0};
        if (onnx_decode(copy, n, arena, &m, &err)) {
            refused++;
            assert_true(err.code == JL_ERR_FORMAT && err.msg[0]);
        }
        jl_arena_free(arena);
        free(copy);
    }
    assert_true(refused > bytes.n / 2);
    for (size_t i = 0; i < bytes.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.p[i] = (char)(bytes.p[i] ^ 1 << bit);
            jl_arena *arena = jl_arena_new();
            onnx_model *m = NULL;
            jl_error err = {0};
            if (onnx_decode(bytes.p, bytes.n, arena, &m, &err)) assert_true(err.code < 0);
            jl_arena_free(arena);
            bytes.p[i] = (char)(bytes.p[i] ^ 1 << bit);
        }
    }
    jl_buf_free(&bytes);
}

static void text_and_empty_files_are_refused(void **state)
{
    (void)state;
    jl_error err = {0};
    onnx_file *file = NULL;
    assert_int_equal(onnx_open(in_folder("absent.onnx"), &file, &err), JL_ERR_IO);
    assert_non_null(strstr(err.msg, "absent.onnx"));
    write_file(in_folder("empty.onnx"), "", 0);
    assert_int_equal(onnx_open(in_folder("empty.onnx"), &file, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.msg, "empty"));
    write_file(in_folder("text.onnx"), "#!/bin/sh\nexit 0\n", 17);
    assert_int_equal(onnx_open(in_folder("text.onnx"), &file, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.msg, "not an ONNX model"));
    assert_non_null(strstr(err.msg, "byte "));
    assert_null(file);
    assert_int_equal(onnx_open(folder, &file, &err), JL_ERR_FORMAT);
    onnx_close(NULL);
}

/* 3,000 graphs inside each other in some 40 KB: refused, not a crash. */
static void deep_nesting_is_a_limit(void **state)
{
    (void)state;
    size_t n = 0, room = 1 << 20;
    uint8_t *p = malloc(room), *q = p + room;
    for (int depth = 0; depth < 3000; depth++) {
        static const uint8_t tags[] = {6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2}; /* g, attribute, node */
        for (int k = 0; k < 3; k++) {
            uint8_t head[12];
            size_t h = 0;
            head[h++] = tags[k];
            for (size_t v = n;; v >>= 7) {
                head[h++] = (uint8_t)(v >= 0x80 ? (v & 0x7F) | 0x80 : v);
                if (v < 0x80) break;
            }
            q -= h;
            memcpy(q, head, h);
            n += h;
        }
    }
    uint8_t *start = q - 6;
    start[0] = 7 << 3 | 2;
    for (int i = 0; i < 4; i++)
        start[1 + i] = (uint8_t)((n >> 7 * i & 0x7F) | (i < 3 ? 0x80 : 0));
    memmove(start + 5, q, n);
    jl_arena *arena = jl_arena_new();
    onnx_model *m = NULL;
    jl_error err = {0};
    assert_int_equal(onnx_decode(start, n + 5, arena, &m, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.msg, "64"));
    jl_arena_free(arena);
    free(p);
}

static int count_up(void *ctx, const onnx_tensor *t, uint64_t offset, void *to, size_t n,
                    jl_error *err)
{
    (void)t;
    (void)err;
    uint64_t *next = ctx;
    assert_int_equal(offset, *next);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)((offset + i) * 7);
    *next = offset + n;
    return 0;
}

static int refuse(void *ctx, const onnx_tensor *t, uint64_t offset, void *to, size_t n,
                  jl_error *err)
{
    (void)ctx, (void)t, (void)offset, (void)to, (void)n;
    return jl_fail(err, JL_ERR, "no weights today");
}

static void payloads_stream_and_failures_keep_the_old_file(void **state)
{
    (void)state;
    make_model();
    static int64_t dims[] = {300001};
    weight.dims.p = dims;
    weight.dims.n = 1;
    weight.raw_data = (jl_str){NULL, 4 * 300001};
    uint64_t next = 0;
    onnx_payload_source source = {count_up, &next};
    jl_error err = {0};
    assert_int_equal(onnx_save(&model, in_folder("big.onnx"), &source, &err), 0);
    assert_int_equal(next, 4 * 300001);
    source.fill = refuse;
    assert_int_equal(onnx_save(&model, in_folder("big.onnx"), &source, &err), JL_ERR);
    assert_non_null(strstr(err.msg, "no weights today"));
    assert_int_equal(onnx_save(&model, in_folder("big.onnx"), NULL, &err), JL_ERR);
    onnx_file *file = NULL;
    assert_int_equal(onnx_open(in_folder("big.onnx"), &file, &err), 0);
    jl_str bytes;
    assert_int_equal(onnx_tensor_bytes(file, file->model->graph->initializers.p, &bytes, &err), 0);
    assert_int_equal(bytes.n, 4 * 300001);
    for (size_t i = 0; i < bytes.n; i++)
        assert_int_equal((uint8_t)bytes.p[i], (uint8_t)(i * 7));
    onnx_close(file);
    weight.raw_data.n = (size_t)3 << 30;
    assert_int_equal(onnx_save(&model, in_folder("big.onnx"), &source, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.msg, "external data"));
    assert_int_equal(onnx_save(&model, in_folder("no/such/a.onnx"), NULL, &err), JL_ERR_IO);
}

static void typed_lists_become_bytes(void **state)
{
    (void)state;
    jl_arena *arena = jl_arena_new();
    onnx_file file = {.arena = arena};
    int64_t dims[] = {3};
    int32_t halves[] = {0x3C00, 0xC000, 0};
    onnx_tensor t = {.dims = {dims, 1}, .data_type = JL_FLOAT16, .int32_data = {halves, 3}};
    jl_str bytes;
    jl_error err = {0};
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), 0);
    assert_int_equal(bytes.n, 6);
    assert_memory_equal(bytes.p, "\x00\x3C\x00\xC0\x00\x00", 6);
    t.data_type = JL_INT4; /* two to a byte, the list holds bytes */
    t.int32_data.n = 2;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), 0);
    assert_int_equal(bytes.n, 2);
    t.data_type = JL_FLOAT;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), JL_ERR_FORMAT);
    t.data_type = 99;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), JL_ERR_FORMAT);
    t.data_type = JL_STRING;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), JL_ERR_UNSUPPORTED);
    int64_t absurd[] = {INT64_MAX, 3};
    t = (onnx_tensor){.dims = {absurd, 2}, .data_type = JL_FLOAT, .name = JL_STR("huge")};
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.msg, "huge"));
    absurd[0] = -4;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), JL_ERR_FORMAT);
    absurd[0] = 0;
    assert_int_equal(onnx_tensor_bytes(&file, &t, &bytes, &err), 0);
    assert_int_equal(bytes.n, 0);
    jl_arena_free(arena);
}

static int external(onnx_file *file, const char *location, const char *offset, const char *length,
                    jl_str *bytes, jl_error *err)
{
    int64_t dims[] = {4};
    onnx_entry entries[] = {{.key = JL_STR("location"), .value = jl_str_c(location)},
                            {.key = JL_STR("offset"), .value = jl_str_c(offset)},
                            {.key = JL_STR("length"), .value = jl_str_c(length)}};
    onnx_tensor t = {.dims = {dims, 1},
                     .data_type = JL_UINT8,
                     .name = JL_STR("w"),
                     .external_data = {entries, length ? 3 : 2},
                     .data_location = ONNX_DATA_EXTERNAL};
    return onnx_tensor_bytes(file, &t, bytes, err);
}

static void external_data_stays_in_the_folder(void **state)
{
    (void)state;
    make_model();
    jl_error err = {0};
    assert_int_equal(onnx_save(&model, in_folder("m.onnx"), NULL, &err), 0);
    write_file(in_folder("m.data"), "0123456789", 10);
    mkdir(in_folder("sub"), 0700);
    write_file(in_folder("sub/d"), "abcdef", 6);
    assert_int_equal(symlink("/etc/passwd", in_folder("outside")), 0);
    assert_int_equal(symlink("m.data", in_folder("inside")), 0);
    onnx_file *file = NULL;
    assert_int_equal(onnx_open(in_folder("m.onnx"), &file, &err), 0);
    jl_str b;
    assert_int_equal(external(file, "m.data", "3", "4", &b, &err), 0);
    assert_memory_equal(b.p, "3456", 4);
    assert_int_equal(external(file, "m.data", "6", NULL, &b, &err), 0);
    assert_memory_equal(b.p, "6789", 4);
    assert_int_equal(external(file, "sub/d", "2", "4", &b, &err), 0);
    assert_memory_equal(b.p, "cdef", 4);
    assert_int_equal(external(file, "inside", "0", "4", &b, &err), 0);
    assert_int_equal(external(file, "m.data", "7", "4", &b, &err), JL_ERR_FORMAT);
    assert_int_equal(external(file, "m.data", "18446744073709551615", "4", &b, &err),
                     JL_ERR_FORMAT);
    assert_int_equal(external(file, "m.data", "0", "5", &b, &err), JL_ERR_FORMAT);
    assert_int_equal(external(file, "m.data", "-1", "4", &b, &err), JL_ERR_FORMAT);
    assert_int_equal(external(file, "gone.data", "0", "4", &b, &err), JL_ERR_IO);
    static const char *const refused[] = {"/etc/passwd", "../x",    "sub/../../x",
                                          "..",          "outside", ""};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(external(file, refused[i], "0", "4", &b, &err), JL_ERR_FORMAT);
        assert_non_null(strstr(err.msg, "refused"));
    }
    onnx_close(file);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_models_read_back),
        cmocka_unit_test(damage_is_reported),
        cmocka_unit_test(text_and_empty_files_are_refused),
        cmocka_unit_test(deep_nesting_is_a_limit),
        cmocka_unit_test(payloads_stream_and_failures_keep_the_old_file),
        cmocka_unit_test(typed_lists_become_bytes),
        cmocka_unit_test(external_data_stays_in_the_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
