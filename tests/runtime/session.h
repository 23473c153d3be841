/* A session in one call, for the tests of the runtimes. */
#ifndef TEST_SESSION_H
#define TEST_SESSION_H

#include "jouleline/runtime.h"

typedef struct session {
    const jl_runtime *runtime;
    jl_configuration configuration;
    void *ctx;
} session;

/* Whether session_load trusts models that are code; false unless a test says otherwise. */
extern bool session_trust;

/* Parses, opens and loads. On failure the session is closed and the code returned. */
int session_load(session *s, const char *configuration, const char *model, const jl_tensor *inputs,
                 size_t count, int in_flight, jl_error *err);
/* The same with inputs in host memory, copied in every call (--io host). */
int session_load_host(session *s, const char *configuration, const char *model,
                      const jl_tensor *inputs, size_t count, int in_flight, jl_error *err);
void session_close(session *s);

enum { FACT_SIZE = 512, FACT_MAX = 64 };
typedef struct fact_list {
    struct {
        char key[48], value[FACT_SIZE];
    } at[FACT_MAX];
    size_t n;
} fact_list;
/* Facts of `describe`, or of a probe through facts_sink. */
int session_facts(session *s, fact_list *facts, jl_error *err);
jl_facts facts_sink(fact_list *facts);
const char *fact(const fact_list *facts, const char *key); /* NULL when it is not there */

#endif
