/* The runtime `pytorch`: Python's PyTorch as users run it. Its worker is not ours but
 * share/jouleline/pytorch_worker.py in an interpreter that has torch; here is what C needs to
 * start it and to know what it could run on. */
#ifndef JL_RUNTIME_PYTORCH_H
#define JL_RUNTIME_PYTORCH_H

#include "base/paths.h"
#include "jouleline/runtime.h"

extern const jl_runtime jl_runtime_pytorch;

typedef struct jl_pytorch_command {
    const char *python; /* the interpreter: $JOULELINE_PYTHON (which --python sets), else python3 */
    jl_path script;     /* pytorch_worker.py */
} jl_pytorch_command;

/* The two words that every start of the worker, the nursery or the probe begins with. The
 * interpreter is looked up in PATH when it is started, not here. JL_ERR_MISSING when the script
 * is not where share/jouleline is searched. */
int jl_pytorch_find(jl_pytorch_command *command, jl_error *err);

#endif
