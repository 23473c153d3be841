/* What one compilation left, in memory and in a file of the cache. */
#ifndef JL_INTERPOSE_RECORD_H
#define JL_INTERPOSE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NVRTC_IMAGES = 5 }; /* CUBIN, PTX, LTO IR, OptiX IR, log */

typedef struct nvrtc_image {
    uint64_t result; /* of asking NVRTC for its size */
    uint64_t size;
} nvrtc_image;

/* One block: the head, the images' bytes, then the lowered names, each ended by a null. */
typedef struct nvrtc_head {
    char magic[8];
    uint64_t size; /* of the whole block */
    uint64_t check;
    uint64_t names; /* how many lowered names */
    nvrtc_image images[NVRTC_IMAGES];
} nvrtc_head;

/* The block in the file, malloc'ed, or NULL when there is none that is whole. */
nvrtc_head *nvrtc_record_read(const char *path);
/* Fills magic, size and check, and writes the block under a name of its own first: a reader sees
 * all of it or nothing. What cannot be written is not cached. */
void nvrtc_record_write(const char *path, nvrtc_head *head, uint64_t size);
/* Where image `i` begins, or, for i = NVRTC_IMAGES, the names. */
const char *nvrtc_record_image(const nvrtc_head *head, int i);
/* Lowered name `k`, or NULL. */
const char *nvrtc_record_name(const nvrtc_head *head, uint64_t k);

#endif
