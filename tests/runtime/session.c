#include "session.h"

#include <stdio.h>
#include <string.h>

bool session_trust = false;

void session_close(session *s)
{
    if (s->runtime && s->ctx) s->runtime->close(s->ctx);
    s->ctx = NULL;
}

static int load(session *s, const char *configuration, const char *model, const jl_tensor *inputs,
                size_t count, int in_flight, jl_placement placement, jl_error *err)
{
    *s = (session){0};
    int rc = jl_configuration_parse(configuration, &s->configuration, err);
    if (!rc) rc = jl_runtime_of(&s->configuration, &s->runtime, err);
    if (!rc) rc = s->runtime->open(&s->configuration, &s->ctx, err);
    if (rc) return rc;
    jl_load_request r = {.configuration = &s->configuration,
                         .model_name = "test",
                         .model_path = model,
                         .batch = 1,
                         .inputs = inputs,
                         .input_count = count,
                         .placement = placement,
                         .in_flight = in_flight,
                         .trust = session_trust};
    rc = s->runtime->load(s->ctx, &r, err);
    if (rc) session_close(s);
    return rc;
}

int session_load(session *s, const char *configuration, const char *model, const jl_tensor *inputs,
                 size_t count, int in_flight, jl_error *err)
{
    return load(s, configuration, model, inputs, count, in_flight, JL_IO_DEVICE, err);
}

int session_load_host(session *s, const char *configuration, const char *model,
                      const jl_tensor *inputs, size_t count, int in_flight, jl_error *err)
{
    return load(s, configuration, model, inputs, count, in_flight, JL_IO_HOST, err);
}

static void add(void *ctx, const char *key, const char *value)
{
    fact_list *l = ctx;
    if (l->n == FACT_MAX) return;
    snprintf(l->at[l->n].key, sizeof l->at[l->n].key, "%s", key);
    snprintf(l->at[l->n++].value, FACT_SIZE, "%s", value);
}

jl_facts facts_sink(fact_list *facts)
{
    facts->n = 0;
    return (jl_facts){add, facts};
}

int session_facts(session *s, fact_list *facts, jl_error *err)
{
    jl_facts sink = facts_sink(facts);
    return s->runtime->describe(s->ctx, &sink, err);
}

const char *fact(const fact_list *facts, const char *key)
{
    for (size_t i = 0; i < facts->n; i++)
        if (!strcmp(facts->at[i].key, key)) return facts->at[i].value;
    return NULL;
}
