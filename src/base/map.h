/* A hash map from byte strings to 32-bit numbers (indices, mostly), open addressing. Keys are
 * views: whoever owns the bytes keeps them alive. Order of insertion is the caller's business. */
#ifndef JL_BASE_MAP_H
#define JL_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define JL_MAP_NONE UINT32_MAX

typedef struct jl_map {
    struct jl_map_slot *slots; /* zero-initialise the struct; free with jl_map_free */
    uint32_t capacity, count;
} jl_map;

/* The number of a key, or JL_MAP_NONE. */
uint32_t jl_map_get(const jl_map *m, jl_str key);
/* Sets or replaces; false when memory is exhausted (the map is unchanged). */
bool jl_map_set(jl_map *m, jl_str key, uint32_t value);
/* The same with keys of several spaces kept apart: equal names in different scopes. */
uint32_t jl_map_get_in(const jl_map *m, uint32_t space, jl_str key);
bool jl_map_set_in(jl_map *m, uint32_t space, jl_str key, uint32_t value);
void jl_map_free(jl_map *m);

#endif
