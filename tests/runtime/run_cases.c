/* Runs ONNX files in one configuration: for each line `MODEL INPUTS OUTPUTS` on standard input
 * (paths; the last two safetensors) one line on standard output, `ok` or the error's code and
 * message. */
#include <stdio.h>
#include <string.h>

#include "model/safetensors.h"
#include "session.h"

enum { MAX_TENSORS = 64 };

/* The tensors as views of the open file. */
static size_t views(const jl_safetensors *file, jl_tensor *to, char names[][64])
{
    size_t n = jl_safetensors_count(file);
    for (size_t i = 0; i < n && i < MAX_TENSORS; i++) {
        const jl_safetensor *t = jl_safetensors_at(file, i);
        snprintf(names[i], 64, "%.*s", JL_FMT(t->name));
        to[i] = (jl_tensor){.name = names[i],
                            .dtype = t->dtype,
                            .rank = t->rank,
                            .data = (void *)(uintptr_t)t->data, // NOLINT: read only
                            .size_bytes = t->size_bytes};
        memcpy(to[i].dims, t->dims, sizeof t->dims);
    }
    return n < MAX_TENSORS ? n : MAX_TENSORS;
}

static int bytes_of(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err)
{
    (void)err;
    const jl_tensor *t = ctx;
    memcpy(to, (const char *)t[i].data + offset, n);
    return 0;
}

static int save(const char *path, const jl_tensor *t, size_t n, jl_error *err)
{
    jl_safetensor list[MAX_TENSORS];
    for (size_t i = 0; i < n && i < MAX_TENSORS; i++) {
        if (t[i].rank > JL_SAFETENSORS_MAX_RANK) return jl_fail(err, JL_ERR_LIMIT, "rank");
        list[i] = (jl_safetensor){.name = jl_str_c(t[i].name),
                                  .dtype = t[i].dtype,
                                  .rank = t[i].rank,
                                  .size_bytes = t[i].size_bytes};
        memcpy(list[i].dims, t[i].dims, sizeof list[i].dims);
    }
    jl_safetensors_source source = {bytes_of, (void *)(uintptr_t)t}; // NOLINT: read only
    return jl_safetensors_save(path, list, n, source, err);
}

static int run(const char *configuration, const char *model, const char *inputs,
               const char *outputs, jl_error *err)
{
    session s = {0};
    jl_safetensors *file;
    jl_tensor in[MAX_TENSORS];
    char names[MAX_TENSORS][64];
    const jl_tensor *out;
    size_t n_out;
    int rc = jl_safetensors_open(inputs, &file, err);
    if (rc) return rc;
    rc = session_load(&s, configuration, model, in, views(file, in, names), 1, err);
    /* twice: nothing of the first call may be left behind */
    for (int call = 0; call < 2 && !rc; call++)
        rc = s.runtime->infer(s.ctx, err);
    if (!rc) rc = s.runtime->outputs(s.ctx, &out, &n_out, err);
    if (!rc) rc = save(outputs, out, n_out, err);
    session_close(&s);
    jl_safetensors_close(file);
    return rc;
}

int main(int argc, char **argv)
{
    char line[4096];
    if (argc != 2) return 2;
    while (fgets(line, sizeof line, stdin)) {
        jl_error err = {0};
        char *rest = line, *model = strsep(&rest, " "), *inputs = strsep(&rest, " ");
        if (!rest) return 2;
        rest[strcspn(rest, "\n")] = '\0';
        int rc = run(argv[1], model, inputs, rest, &err);
        for (char *p = err.msg; *p; p++)
            if (*p == '\n') *p = ' ';
        if (rc)
            printf("%d %s\n", rc, err.msg);
        else
            puts("ok");
        fflush(stdout);
    }
    return 0;
}
