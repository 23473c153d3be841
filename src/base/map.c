#include "base/map.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct jl_map_slot {
    jl_str key;
    uint32_t hash, value, space;
    bool used;
};

static uint32_t hash_of(uint32_t space, jl_str key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.n ? key.p : "", key.n, space);
}

static struct jl_map_slot *slot_of(struct jl_map_slot *slots, uint32_t capacity, uint32_t space,
                                   jl_str key, uint32_t hash)
{
    uint32_t i = hash & (capacity - 1);
    while (slots[i].used &&
           !(slots[i].hash == hash && slots[i].space == space && jl_str_eq(slots[i].key, key)))
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

uint32_t jl_map_get_in(const jl_map *m, uint32_t space, jl_str key)
{
    if (!m->count) return JL_MAP_NONE;
    const struct jl_map_slot *slot =
        slot_of(m->slots, m->capacity, space, key, hash_of(space, key));
    return slot->used ? slot->value : JL_MAP_NONE;
}

uint32_t jl_map_get(const jl_map *m, jl_str key)
{
    return jl_map_get_in(m, 0, key);
}

static bool grow(jl_map *m)
{
    if (m->capacity > UINT32_MAX / 4) return false;
    uint32_t capacity = m->capacity ? m->capacity * 2 : 64;
    struct jl_map_slot *slots = calloc(capacity, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < m->capacity; i++)
        if (m->slots[i].used)
            *slot_of(slots, capacity, m->slots[i].space, m->slots[i].key, m->slots[i].hash) =
                m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->capacity = capacity;
    return true;
}

bool jl_map_set_in(jl_map *m, uint32_t space, jl_str key, uint32_t value)
{
    if (m->count * 4 >= m->capacity * 3 && !grow(m)) return false;
    uint32_t hash = hash_of(space, key);
    struct jl_map_slot *slot = slot_of(m->slots, m->capacity, space, key, hash);
    if (!slot->used) m->count++;
    *slot = (struct jl_map_slot){
        .key = key, .hash = hash, .value = value, .space = space, .used = true};
    return true;
}

bool jl_map_set(jl_map *m, jl_str key, uint32_t value)
{
    return jl_map_set_in(m, 0, key, value);
}

void jl_map_free(jl_map *m)
{
    free(m->slots);
    *m = (jl_map){0};
}
