/* The sample memory that a worker shares with its parent: doc/worker_protocol.md, Samples. */
#ifndef JL_STUDY_RING_H
#define JL_STUDY_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "jouleline/error.h"

typedef enum jl_ring_state {
    JL_RING_IDLE,
    JL_RING_WARMING,
    JL_RING_MEASURING,
    JL_RING_FINISHED,
} jl_ring_state;

typedef struct jl_ring_header {
    char magic[8]; /* JLRING01 */
    uint32_t version;
    _Atomic uint32_t state;
    uint64_t capacity; /* pairs */
    _Atomic uint64_t index;
    _Atomic uint32_t stop;
    uint32_t reserved;
    uint64_t more[3];
} jl_ring_header;
_Static_assert(sizeof(jl_ring_header) == 64, "the header is 64 bytes");

typedef struct jl_ring {
    jl_ring_header *header; /* NULL: none */
    int64_t *pairs;         /* start and end of each call */
    uint64_t capacity;
    int fd; /* of the parent; -1 in a worker */
} jl_ring;

/* In the parent: a new memfd, mapped and faulted in. */
int jl_ring_create(jl_ring *r, uint64_t capacity, jl_error *err);
/* In a worker: maps an inherited descriptor and checks it. */
int jl_ring_map(jl_ring *r, int fd, jl_error *err);
void jl_ring_close(jl_ring *r);
/* Pairs complete, in acquire order. */
static inline uint64_t jl_ring_count(const jl_ring *r)
{
    uint64_t n = atomic_load_explicit(&r->header->index, memory_order_acquire);
    return n < r->capacity ? n : r->capacity;
}

#endif
