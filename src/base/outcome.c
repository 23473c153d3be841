#include "jouleline/outcome.h"

#include <string.h>

#include "jouleline/error.h"

static const char *const names[JL_OUTCOME_COUNT] = {
    "ok", "unsupported", "numerical", "oom", "crash", "timeout", "missing", "invalid",
};

const char *jl_outcome_name(jl_outcome o)
{
    return (unsigned)o < JL_OUTCOME_COUNT ? names[o] : "unknown";
}

int jl_outcome_parse(const char *name)
{
    for (int i = 0; i < JL_OUTCOME_COUNT; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

jl_outcome jl_outcome_of_error(int code)
{
    switch (code) {
    case JL_OK:
        return JL_OUTCOME_OK;
    case JL_ERR_MISSING:
        return JL_OUTCOME_MISSING;
    case JL_ERR_MEMORY:
    case JL_ERR_DEVICE_MEMORY:
        return JL_OUTCOME_OOM;
    case JL_ERR_TIMEOUT:
        return JL_OUTCOME_TIMEOUT;
    case JL_ERR_CRASH:
        return JL_OUTCOME_CRASH;
    case JL_ERR_FORMAT:
    case JL_ERR_USAGE:
    case JL_ERR_IO:
        return JL_OUTCOME_INVALID;
    default:
        return JL_OUTCOME_UNSUPPORTED;
    }
}
