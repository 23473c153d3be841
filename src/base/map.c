#include "base/map.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct jl_map_slot {
    jl_str key;
    uint32_t space, value;
    uint64_t hash; /* never 0 in a used slot */
};

static uint64_t hash_of(uint32_t space, jl_str key)
{
    return XXH3_64bits_withSeed(key.p ? key.p : "", key.n, space) | 1;
}

/* The slot of the key, or the free one where it would go. */
static struct jl_map_slot *find(struct jl_map_slot *slots, size_t capacity, uint64_t hash,
                                uint32_t space, jl_str key)
{
    for (size_t i = (size_t)(hash >> 7) & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        struct jl_map_slot *s = &slots[i];
        if (!s->hash || (s->hash == hash && s->space == space && jl_str_eq(s->key, key))) return s;
    }
}

bool jl_map_get(const jl_map *m, uint32_t space, jl_str key, uint32_t *value)
{
    if (!m->n) return false;
    const struct jl_map_slot *s = find(m->slots, m->capacity, hash_of(space, key), space, key);
    if (s->hash) *value = s->value;
    return s->hash != 0;
}

static bool grow(jl_map *m)
{
    size_t capacity = m->capacity ? m->capacity * 2 : 64;
    struct jl_map_slot *slots = calloc(capacity, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < m->capacity; i++) {
        const struct jl_map_slot *s = &m->slots[i];
        if (s->hash) *find(slots, capacity, s->hash, s->space, s->key) = *s;
    }
    free(m->slots);
    m->slots = slots;
    m->capacity = capacity;
    return true;
}

bool jl_map_put(jl_map *m, uint32_t space, jl_str key, uint32_t value)
{
    if (4 * (m->n + 1) > 3 * m->capacity && !grow(m)) return false;
    uint64_t hash = hash_of(space, key);
    struct jl_map_slot *s = find(m->slots, m->capacity, hash, space, key);
    m->n += !s->hash;
    *s = (struct jl_map_slot){key, space, value, hash};
    return true;
}

void jl_map_free(jl_map *m)
{
    free(m->slots);
    *m = (jl_map){0};
}
