/* Kernels that cuDNN compiles by NVRTC in each process, remembered in a folder: the environment
 * variable JOULELINE_KERNEL_CACHE names it, and nothing is remembered without it. */
#ifndef JL_RUNTIME_KERNEL_CACHE_H
#define JL_RUNTIME_KERNEL_CACHE_H

#include <stdbool.h>

#include "base/paths.h"

/* The folder that remembers, or NULL. */
const char *jl_kernel_cache(void);
/* Where our libnvrtc.so.NN lie: $JOULELINE_NVRTC, else beside the program. */
int jl_kernel_cache_libraries(jl_path *folder, jl_error *err);
/* Opens ours in the place of the library at `real`, which must not be open yet, so that whoever
 * opens NVRTC by name gets ours. False when there is none for it. */
bool jl_kernel_cache_open(const char *real);

#endif
