#include "sample_options.h"

#include <string.h>

const char *jl_result_beside(jl_arena *arena, const char *model, const char *kind)
{
    size_t n = strlen(model);
    if (n > 5 && !strcmp(model + n - 5, ".onnx")) n -= 5;
    return jl_arena_printf(arena, "%.*s.%s.onnx", (int)n, model, kind);
}
