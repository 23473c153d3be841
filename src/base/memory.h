/* Locals that free themselves: JL_OWNED double *x = malloc(...); */
#ifndef JL_BASE_MEMORY_H
#define JL_BASE_MEMORY_H

#include <stdlib.h>

static inline void jl_free_pointed(void *slot)
{
    free(*(void **)slot);
}

#define JL_OWNED __attribute__((cleanup(jl_free_pointed)))

#endif
