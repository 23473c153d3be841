#include "convert/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jl_session {
    const jl_runtime *runtime;
    void *ctx;
    jl_configuration configuration;
    jl_tensor *inputs; /* with buffers of our own */
    size_t count;
};

enum { ALIGNMENT = 64 };

static int copy_inputs(jl_session *s, const jl_tensor *inputs, size_t count, jl_error *err)
{
    s->inputs = calloc(count + 1, sizeof *s->inputs);
    if (!s->inputs) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t rounded = (inputs[i].size_bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
        s->inputs[i] = inputs[i];
        s->inputs[i].data = aligned_alloc(ALIGNMENT, rounded);
        if (!s->inputs[i].data) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
        memcpy(s->inputs[i].data, inputs[i].data, inputs[i].size_bytes);
    }
    return 0;
}

int jl_session_open(const char *configuration, const char *model_path, const jl_tensor *inputs,
                    size_t count, jl_session **session, jl_error *err)
{
    jl_session *s = *session = calloc(1, sizeof *s);
    if (!s) return jl_fail(err, JL_ERR_MEMORY, "no memory for a session");
    int rc = jl_configuration_parse(configuration, &s->configuration, err);
    if (!rc) rc = jl_runtime_of(&s->configuration, &s->runtime, err);
    if (!rc && !s->runtime->refresh)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "%s cannot change the inputs of a session%s",
                     s->configuration.runtime,
                     strcmp(s->configuration.runtime, "pytorch") != 0
                         ? ""
                         : ": its models run in a worker of their own. libtorch has the same "
                           "kernels, and 'run' checks pytorch against the FP32 reference");
    if (!rc) rc = copy_inputs(s, inputs, count, err);
    if (!rc) rc = s->runtime->open(&s->configuration, &s->ctx, err);
    jl_load_request request = {.configuration = &s->configuration,
                               .model_name = model_path,
                               .model_path = model_path,
                               .batch = 1,
                               .inputs = s->inputs,
                               .input_count = count,
                               .placement = JL_IO_HOST,
                               .in_flight = 1,
                               .scratch = "/tmp"};
    if (!rc) rc = s->runtime->load(s->ctx, &request, err);
    if (rc) {
        jl_session_close(s);
        *session = NULL;
    }
    return rc;
}

int jl_session_run(jl_session *s, const jl_tensor *inputs, const jl_tensor **outputs, size_t *count,
                   jl_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        if (inputs[i].size_bytes != s->inputs[i].size_bytes)
            return jl_fail(err, JL_ERR_USAGE, "input '%s' has another size than the first one",
                           s->inputs[i].name);
        memcpy(s->inputs[i].data, inputs[i].data, inputs[i].size_bytes);
    }
    int rc = s->runtime->refresh(s->ctx, err);
    if (!rc) rc = s->runtime->infer(s->ctx, err);
    return rc ? rc : s->runtime->outputs(s->ctx, outputs, count, err);
}

typedef struct wanted_fact {
    const char *key;
    char *value;
    size_t size;
} wanted_fact;

static void take_fact(void *ctx, const char *key, const char *value)
{
    const wanted_fact *w = ctx;
    if (!strcmp(key, w->key)) snprintf(w->value, w->size, "%s", value);
}

void jl_session_fact(jl_session *s, const char *key, char *value, size_t size)
{
    wanted_fact w = {key, value, size};
    *value = '\0';
    s->runtime->describe(s->ctx, &(jl_facts){.add = take_fact, .ctx = &w}, NULL);
}

void jl_session_close(jl_session *s)
{
    if (!s) return;
    if (s->ctx) s->runtime->close(s->ctx);
    for (size_t i = 0; i < s->count; i++)
        free(s->inputs[i].data);
    free(s->inputs);
    free(s);
}
