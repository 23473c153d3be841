/* A bump allocator: one per family of objects, freed all at once. Not thread safe.
 * Memory is zeroed and aligned to 16 bytes. An arena whose limit or malloc fails returns NULL
 * and stays usable. */
#ifndef JL_BASE_ARENA_H
#define JL_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct jl_arena jl_arena;

jl_arena *jl_arena_new(void);
void jl_arena_free(jl_arena *a); /* NULL is fine */
void *jl_arena_alloc(jl_arena *a, size_t size);
/* count * size with the product checked; NULL on overflow. */
void *jl_arena_array(jl_arena *a, size_t count, size_t size);
/* A NUL-terminated copy of n bytes. */
char *jl_arena_strndup(jl_arena *a, const char *s, size_t n);
char *jl_arena_printf(jl_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
