/* A plugin that forgot a hook. */
#include "jouleline/runtime.h"

static int probe(const jl_configuration *c, jl_device *d, size_t n, size_t *count,
                 const jl_facts *f, jl_error *err)
{
    (void)c, (void)d, (void)n, (void)f, (void)err;
    *count = 0;
    return 0;
}
static int open_session(const jl_configuration *c, void **ctx, jl_error *err)
{
    (void)c, (void)ctx, (void)err;
    return 0;
}
static int load(void *ctx, const jl_load_request *r, jl_error *err)
{
    (void)ctx, (void)r, (void)err;
    return 0;
}

const jl_runtime *jouleline_runtime(void);
const jl_runtime *jouleline_runtime(void)
{
    static const jl_runtime r = {.abi = JL_RUNTIME_ABI,
                                 .name = "lame",
                                 .summary = "no infer",
                                 .probe = probe,
                                 .open = open_session,
                                 .load = load};
    return &r;
}
