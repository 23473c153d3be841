/* A plugin of another ABI: it must be refused before any hook is looked at. */
#include "jouleline/runtime.h"

const jl_runtime *jouleline_runtime(void);
const jl_runtime *jouleline_runtime(void)
{
    static const jl_runtime r = {.abi = 42, .name = "old"};
    return &r;
}
