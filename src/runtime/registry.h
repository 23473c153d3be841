/* The runtimes there are. */
#ifndef JL_RUNTIME_REGISTRY_H
#define JL_RUNTIME_REGISTRY_H

#include "jouleline/runtime.h"

extern const jl_runtime jl_runtime_ort;
extern const jl_runtime jl_runtime_openvino;
extern const jl_runtime jl_runtime_libtorch;
extern const jl_runtime jl_runtime_fake;

/* Adds a plugin's vtable, which must live as long as the process. */
int jl_runtime_register(const jl_runtime *r, jl_error *err);

#endif
