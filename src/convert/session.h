/* A model that is open in this process and called with changing inputs of one shape: calibration
 * and comparisons. It runs other people's code on files that may crash it: call it in a child
 * (jl_call_in_child). Private to src/convert and src/study. */
#ifndef JL_CONVERT_SESSION_H
#define JL_CONVERT_SESSION_H

#include "jouleline/runtime.h"

typedef struct jl_session jl_session;

/* Loads the model with copies of the inputs. `configuration` is a text such as "ort-cpu/fp32". */
int jl_session_open(const char *configuration, const char *model_path, const jl_tensor *inputs,
                    size_t count, jl_session **session, jl_error *err);
/* One call; the inputs have the names, types and shapes that the session was opened with. The
 * outputs are valid until the next call. */
int jl_session_run(jl_session *session, const jl_tensor *inputs, const jl_tensor **outputs,
                   size_t *count, jl_error *err);
/* A fact of the runtime's describe() (see runtime.h), empty where it says none. */
void jl_session_fact(jl_session *session, const char *key, char *value, size_t size);
void jl_session_close(jl_session *session); /* NULL is fine */

#endif
