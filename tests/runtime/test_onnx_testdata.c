/* Models that others made: every model of Debian's libonnx-testdata that ONNX Runtime takes runs
 * through the vtable on its recorded inputs and gives the recorded outputs. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/onnx/onnx.h"
#include "session.h"

static const char root[] = "/usr/share/libonnx-testdata/data";

/* Drawn at random; recorded as another type (bfloat16 as uint16); or otherwise in ONNX Runtime than
 * in ONNX's reference, from Python as from here. */
static const char *const excused[] = {
    "test_bernoulli",
    "test_training_dropout",
    "test_cast_FLOAT_to_BFLOAT16",
    "test_maxunpool_export_with_output_shape",
    "test_resize_downsample_scales_cubic_align_corners",
    "test_resize_downsample_scales_linear_align_corners",
};

enum { MAX_TENSORS = 64 };
typedef struct recorded {
    jl_tensor t[MAX_TENSORS];
    size_t n;
    bool other; /* a sequence or an optional: not a tensor */
} recorded;

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "re");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *bytes = malloc((size_t)size + 1);
    *n = fread(bytes, 1, (size_t)size, f);
    fclose(f);
    return bytes;
}

/* A recorded tensor; strings become pointers. The bytes stay allocated until the program ends. */
static bool decode(const char *path, onnx_file *file, jl_tensor *t)
{
    size_t n;
    char *bytes = read_file(path, &n);
    onnx_tensor *from;
    jl_str data;
    if (!bytes || onnx_decode_tensor(bytes, n, file->arena, &from, NULL)) return false;
    if (from->data_type <= 0 || from->data_type >= JL_DTYPE_COUNT || from->dims.n > JL_MAX_RANK)
        return false;
    *t = (jl_tensor){.dtype = (jl_dtype)from->data_type, .rank = (int)from->dims.n};
    for (size_t i = 0; i < from->dims.n; i++)
        t->dims[i] = from->dims.p[i];
    if (t->dtype == JL_STRING) {
        const char **s = jl_arena_array(file->arena, from->string_data.n + 1, sizeof *s);
        for (size_t i = 0; i < from->string_data.n; i++)
            s[i] =
                jl_arena_strndup(file->arena, from->string_data.p[i].p, from->string_data.p[i].n);
        t->data = s, t->size_bytes = from->string_data.n * sizeof *s;
        return (int64_t)from->string_data.n == jl_tensor_elements(t);
    }
    if (onnx_tensor_bytes(file, from, &data, NULL)) return false;
    t->data = (void *)(uintptr_t)data.p, t->size_bytes = data.n;
    return true;
}

static void read_all(const char *folder, const char *what, onnx_file *file, recorded *r)
{
    *r = (recorded){0};
    for (char path[512]; r->n < MAX_TENSORS; r->n++) {
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, what, r->n);
        if (access(path, R_OK) != 0) return;
        if (!decode(path, file, &r->t[r->n])) {
            r->other = true;
            return;
        }
    }
}

/* Graph inputs without the initializers that older files list among them, in order. */
static void name_inputs(const onnx_file *file, recorded *in)
{
    size_t k = 0;
    const onnx_graph *g = file->model->graph;
    for (size_t i = 0; i < g->inputs.n && k < in->n; i++) {
        bool constant = false;
        for (size_t j = 0; j < g->initializers.n; j++)
            constant |= jl_str_eq(g->initializers.p[j].name, g->inputs.p[i].name);
        if (!constant)
            in->t[k++].name =
                jl_arena_strndup(file->arena, g->inputs.p[i].name.p, g->inputs.p[i].name.n);
    }
}

static bool close_enough(const jl_tensor *a, const jl_tensor *b)
{
    int64_t n = jl_tensor_elements(a);
    if (n != jl_tensor_elements(b) || a->dtype != b->dtype) return false;
    float *x = malloc(((size_t)n + 1) * sizeof *x), *y = malloc(((size_t)n + 1) * sizeof *y);
    bool good = true;
    if (jl_tensor_floats(a, x, NULL) || jl_tensor_floats(b, y, NULL)) {
        good = a->size_bytes == b->size_bytes && !memcmp(a->data, b->data, a->size_bytes);
        n = 0;
    }
    double slack = a->dtype == JL_FLOAT16 ? 4e-3 : a->dtype == JL_BFLOAT16 ? 2e-2 : 1e-3;
    double most = 0;
    for (int64_t i = 0; i < n && good; i++)
        if (isfinite(y[i])) most = fmax(most, fabs((double)y[i]));
    for (int64_t i = 0; i < n && good; i++) {
        double p = (double)x[i], q = (double)y[i];
        bool same = (isnan(p) && isnan(q)) || p == q;
        if (!same && !(fabs(p - q) <= slack * fabs(q) + slack * 0.1 * fmin(most, 10))) good = false;
    }
    free(x);
    free(y);
    return good;
}

typedef struct tally {
    int models, ran, equal, refused, other, wrong;
} tally;

static void try_model(const char *folder, const char *name, tally *t)
{
    char path[512];
    onnx_file *file;
    recorded in, out;
    session s;
    jl_error err = {0};
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (access(path, R_OK) != 0) return;
    t->models++;
    if (onnx_open(path, &file, &err)) {
        printf("%s: %s\n", name, err.msg);
        t->wrong++;
        return;
    }
    read_all(folder, "input", file, &in);
    read_all(folder, "output", file, &out);
    name_inputs(file, &in);
    const jl_tensor *got;
    size_t count;
    if (in.other || out.other) {
        t->other++;
    } else if (session_load(&s, "ort-cpu/fp32+threads=1+optimization=basic+log=4", path, in.t, in.n,
                            1, &err)) {
        t->refused++;
    } else {
        bool ok = !s.runtime->infer(s.ctx, &err) && !s.runtime->outputs(s.ctx, &got, &count, &err);
        if (!ok) {
            t->refused++;
        } else {
            t->ran++;
            bool same = true;
            size_t k = 0;
            for (size_t i = 0; i < out.n; i++)
                if (out.t[i].dtype != JL_STRING) {
                    same = same && k < count && close_enough(&got[k], &out.t[i]);
                    k++;
                }
            for (size_t i = 0; i < sizeof excused / sizeof *excused; i++)
                if (!strncmp(name, excused[i], strlen(excused[i]))) same = true;
            t->equal += same;
            t->wrong += !same;
            if (!same) printf("%s: another output than the recorded one\n", name);
        }
        session_close(&s);
    }
    onnx_close(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int main(void)
{
    static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
    tally t = {0};
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        char group[128], folder[400];
        struct dirent **names;
        snprintf(group, sizeof group, "%s/%s", root, groups[g]);
        int n = scandir(group, &names, NULL, by_name);
        for (int i = 0; i < n; i++) {
            snprintf(folder, sizeof folder, "%s/%s", group, names[i]->d_name);
            if (names[i]->d_name[0] != '.') try_model(folder, names[i]->d_name, &t);
            free(names[i]);
        }
        if (n >= 0) free(names);
    }
    printf(
        "%d models: %d ran and %d of them gave the recorded outputs; %d refused by ONNX Runtime; "
        "%d with sequences or optionals left out; %d wrong\n",
        t.models, t.ran, t.equal, t.refused, t.other, t.wrong);
    return t.models < 1000 || t.ran < t.models * 8 / 10 || t.wrong > 0;
}
