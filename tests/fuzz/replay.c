/* Runs a fuzz target over files and over mutations of each that are the same every time, so that
 * the ordinary tests exercise what the fuzzer does.
 *
 * usage: fuzz_NAME FOLDER... */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 60, LARGEST_BYTES = 1 << 16, MOST_CHANGES = 6 };

static size_t files;

/* An exact copy on the heap, so that a sanitizer sees the first byte read beyond it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t mutate(uint8_t *data, size_t size, jl_rng *rng)
{
    static const uint8_t odd[] = {0, 1, 0x7F, 0x80, 0xFF, '0', '"', '{', '\n'};
    if (size && jl_rng_below(rng, 4) == 0) size = jl_rng_below(rng, size);
    uint64_t changes = 1 + jl_rng_below(rng, MOST_CHANGES);
    for (uint64_t k = 0; k < changes && size; k++) {
        size_t at = jl_rng_below(rng, size);
        switch (jl_rng_below(rng, 3)) {
        case 0:
            data[at] ^= (uint8_t)(1u << jl_rng_below(rng, 8));
            break;
        case 1:
            data[at] = odd[jl_rng_below(rng, sizeof odd)];
            break;
        default:
            memmove(data, data + at, size - at), size -= at;
            break;
        }
    }
    return size;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)place;
    if (type != FTW_F || st->st_size > LARGEST_BYTES) return 0;
    static uint8_t whole[LARGEST_BYTES], changed[LARGEST_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) return -1;
    size_t size = fread(whole, 1, sizeof whole, f);
    fclose(f);
    files++;
    run(whole, size);
    jl_rng rng = {size};
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(changed, whole, size);
        run(changed, mutate(changed, size, &rng));
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
            fprintf(stderr, "cannot read the corpus %s\n", argv[i]);
            return 1;
        }
    printf("%zu files, %d mutations of each\n", files, MUTATIONS);
    return files ? 0 : 1;
}
