#include "sample_options.h"

#include <string.h>

const char *jl_result_beside(jl_arena *arena, const char *model, const char *kind)
{
    return jl_arena_printf(arena, "%.*s.%s.onnx", (int)jl_stem_bytes(model, ".onnx"), model, kind);
}
