/* A hash map from (space, byte string) to a number. Keys are views: their bytes must outlive the
 * map. Spaces keep equal names of different scopes apart. */
#ifndef JL_BASE_MAP_H
#define JL_BASE_MAP_H

#include "base/str.h"

typedef struct jl_map {
    struct jl_map_slot *slots;
    size_t capacity, n;
} jl_map;

/* Sets *value and returns true when the key is there. */
bool jl_map_get(const jl_map *m, uint32_t space, jl_str key, uint32_t *value);
/* Adds a key that is not there yet, or replaces its value; false when memory is exhausted. */
bool jl_map_put(jl_map *m, uint32_t space, jl_str key, uint32_t value);
void jl_map_free(jl_map *m);

#endif
