#include "sample_options.h"

#include <string.h>
#include <unistd.h>

#include "jouleline/zoo.h"

const char *jl_result_beside(jl_arena *arena, const char *model, const char *kind)
{
    return jl_arena_printf(arena, "%.*s.%s.onnx", (int)jl_stem_bytes(model, ".onnx"), model, kind);
}

int jl_open_model_file(const char *path, jl_model **model, jl_error *err)
{
    const jl_zoo_model *zoo;
    if (access(path, F_OK) != 0 && jl_zoo_find(path, &zoo, NULL) == 0)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s is a model of the zoo and no file here: write it with 'jouleline model "
                       "export %s'",
                       path, path);
    return jl_model_open(path, model, err);
}
