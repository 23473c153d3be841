#include "study/tensors.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "model/safetensors.h"

int jl_tensors_read(const char *path, jl_arena *arena, jl_tensor **tensors, size_t *count,
                    jl_error *err)
{
    jl_safetensors *file;
    int rc = jl_safetensors_open(path, &file, err);
    if (rc) return rc;
    *count = jl_safetensors_count(file);
    *tensors = jl_arena_array(arena, *count + 1, sizeof **tensors);
    for (size_t i = 0; *tensors && !rc && i < *count; i++) {
        const jl_safetensor *from = jl_safetensors_at(file, i);
        jl_tensor *t = &(*tensors)[i];
        *t = (jl_tensor){.dtype = from->dtype, .rank = from->rank, .size_bytes = from->size_bytes};
        t->name = jl_arena_strndup(arena, from->name.p, from->name.n);
        memcpy(t->dims, from->dims, sizeof from->dims);
        t->data = jl_arena_alloc(arena, from->size_bytes + 1);
        if (!t->name || !t->data)
            rc = jl_fail(err, JL_ERR_MEMORY, "no memory for the %zu bytes of tensor %zu of %s",
                         from->size_bytes, i, path);
        else
            memcpy(t->data, from->data, from->size_bytes);
    }
    if (!rc && !*tensors) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for the tensors of %s", path);
    jl_safetensors_close(file);
    return rc;
}

static int fill(void *ctx, size_t i, uint64_t offset, void *to, size_t n, jl_error *err)
{
    (void)err;
    const jl_tensor *t = (const jl_tensor *)ctx + i;
    memcpy(to, (const char *)t->data + offset, n);
    return 0;
}

int jl_tensors_write(const char *path, const jl_tensor *tensors, size_t count, jl_error *err)
{
    JL_OWNED jl_safetensor *list = calloc(count + 1, sizeof *list);
    JL_OWNED char *names = calloc(count + 1, 32); /* for those without a name */
    if (!list || !names) return jl_fail(err, JL_ERR_MEMORY, "no memory to write %s", path);
    for (size_t i = 0; i < count; i++) {
        const jl_tensor *t = &tensors[i];
        if (t->rank > JL_SAFETENSORS_MAX_RANK)
            return jl_fail(err, JL_ERR_UNSUPPORTED,
                           "tensor '%s' has %d dimensions, at most %d can "
                           "be written to %s",
                           t->name, t->rank, JL_SAFETENSORS_MAX_RANK, path);
        if (t->dtype == JL_STRING)
            return jl_fail(err, JL_ERR_UNSUPPORTED,
                           "'%s' holds strings, which no worker can be given: models that take "
                           "them cannot be measured",
                           t->name);
        snprintf(names + 32 * i, 32, "output_%zu", i);
        const char *name = t->name && *t->name ? t->name : names + 32 * i;
        list[i] = (jl_safetensor){.name = jl_str_c(name),
                                  .dtype = t->dtype,
                                  .rank = t->rank,
                                  .size_bytes = t->size_bytes};
        memcpy(list[i].dims, t->dims, sizeof list[i].dims);
    }
    jl_safetensors_source source = {.fill = fill, .ctx = (void *)(uintptr_t)tensors};
    return jl_safetensors_save(path, list, count, source, err);
}
