#include "convert/names.h"

bool jl_among(jl_str word, const char *const *names)
{
    for (; *names; names++)
        if (jl_str_is(word, *names)) return true;
    return false;
}

int jl_name_set(jl_map *set, const char *const *names, size_t count, jl_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!jl_map_set(set, jl_str_c(names[i]), 0))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory while converting");
    return 0;
}

bool jl_name_met(jl_map *set, jl_str name)
{
    uint32_t uses = name.n ? jl_map_get(set, name) : JL_MAP_NONE;
    return uses != JL_MAP_NONE && jl_map_set(set, name, uses + 1);
}

int jl_name_unmet(const jl_map *set, const char *const *names, size_t count, jl_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (jl_map_get(set, jl_str_c(names[i])) == 0)
            return jl_fail(err, JL_ERR_USAGE,
                           "no node or operator of the model is called '%s'; "
                           "'jouleline model cost --by node' lists them",
                           names[i]);
    return 0;
}
