#include "sample_options.h"

#include <stdio.h>
#include <unistd.h>

#include "base/outfile.h"
#include "jouleline/zoo.h"

const char *jl_result_beside(jl_arena *arena, const char *model, const char *kind)
{
    return jl_arena_printf(arena, "%.*s.%s.onnx", (int)jl_stem_bytes(model, ".onnx"), model, kind);
}

static int is_file(const char *path, jl_error *err)
{
    const jl_zoo_model *zoo;
    if (access(path, F_OK) == 0 || jl_zoo_find(path, &zoo, NULL) != 0) return 0;
    return jl_fail(err, JL_ERR_USAGE,
                   "%s is a model of the zoo and no file here: write it with 'jouleline model "
                   "export %s'",
                   path, path);
}

int jl_open_model_file(const char *path, jl_model **model, jl_error *err)
{
    int rc = is_file(path, err);
    return rc ? rc : jl_model_open(path, model, err);
}

int jl_files_named(const char *model, const char *output, jl_error *err)
{
    int rc = is_file(model, err);
    if (!rc && access(model, F_OK) == 0) rc = jl_outfile_try(output, err);
    return rc;
}

void jl_take_caution(const jl_sample_set *set, char caution[JL_CAUTION])
{
    const char *words = set ? jl_sample_set_caution(set) : NULL;
    snprintf(caution, JL_CAUTION, "%s", words ? words : "");
}

void jl_print_caution(const char *caution)
{
    if (*caution)
        printf("caution: %s; ranges hold for inputs like those seen: give samples that differ, as "
               "the real ones do\n",
               caution);
}
