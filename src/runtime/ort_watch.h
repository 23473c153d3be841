/* A model that several callers run at once on ONNX Runtime's CPU provider, and whose values can be
 * looked at where they are computed: each node Watch of the domain "jouleline" hands its input to a
 * function of ours. A value that is only looked at lives no longer than the model itself needs it,
 * where a value that becomes an output lives until the call is over.
 *
 * It runs other people's code on files that may crash it: call it in a child (jl_call_in_child). */
#ifndef JL_RUNTIME_ORT_WATCH_H
#define JL_RUNTIME_ORT_WATCH_H

#include "jouleline/error.h"
#include "jouleline/tensor.h"

#define JL_WATCH_DOMAIN "jouleline"
#define JL_WATCH_OP     "Watch" /* one input; an attribute `index`; one output, empty */

typedef struct jl_watched jl_watched;

/* Looks at a value in the thread of the call; valid until it returns. `call` is what was given to
 * jl_watched_run. A failure ends the looking, and the call fails with it. */
typedef int (*jl_watcher)(void *call, size_t index, const jl_tensor *value, jl_error *err);

/* The file, and its external data, may go once it is open. A call computes on its own thread and on
 * `threads` - 1 that all calls share. */
int jl_watched_open(const char *path, int threads, jl_watcher watcher, jl_watched **watched,
                    jl_error *err);
/* One call, from any thread. The tensors must have the model's types. */
int jl_watched_run(jl_watched *watched, const jl_tensor *inputs, size_t count, void *call,
                   jl_error *err);
void jl_watched_close(jl_watched *watched); /* NULL is fine */

#endif
