#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 << 10, LARGEST_BLOCK = 4 << 20, ALIGNMENT = 16 };

typedef struct block {
    struct block *next;
    size_t capacity, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
} block;

struct jl_arena {
    block *top;
    size_t next_capacity;
};

jl_arena *jl_arena_new(void)
{
    jl_arena *a = calloc(1, sizeof *a);
    if (a) a->next_capacity = FIRST_BLOCK;
    return a;
}

void jl_arena_free(jl_arena *a)
{
    if (!a) return;
    for (block *b = a->top; b;) {
        block *next = b->next;
        free(b);
        b = next;
    }
    free(a);
}

void *jl_arena_alloc(jl_arena *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(block) - ALIGNMENT) return NULL;
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded == 0) rounded = ALIGNMENT;
    if (!a->top || a->top->capacity - a->top->used < rounded) {
        size_t capacity = rounded > a->next_capacity ? rounded : a->next_capacity;
        /* calloc: large blocks come zeroed from the kernel and are touched only where used. */
        block *b = calloc(1, sizeof *b + capacity);
        if (!b) return NULL;
        b->capacity = capacity;
        b->next = a->top;
        a->top = b;
        if (a->next_capacity < LARGEST_BLOCK) a->next_capacity *= 2;
    }
    void *p = a->top->bytes + a->top->used;
    a->top->used += rounded;
    return p;
}

void *jl_arena_array(jl_arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    return jl_arena_alloc(a, total);
}

char *jl_arena_strndup(jl_arena *a, const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? jl_arena_alloc(a, n + 1) : NULL;
    if (copy && n) memcpy(copy, s, n);
    return copy;
}

char *jl_arena_printf(jl_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = n >= 0 ? jl_arena_alloc(a, (size_t)n + 1) : NULL;
    if (s) vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}
