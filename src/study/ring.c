#include "study/ring.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'J', 'L', 'R', 'I', 'N', 'G', '0', '1'};
enum { VERSION = 1, PAIR_BYTES = 16 };

static int map(jl_ring *r, int fd, size_t bytes, jl_error *err)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        return jl_fail_errno(err, JL_ERR_IO, "cannot map %zu bytes of sample memory", bytes);
    /* MAP_POPULATE maps for reading only: a first write would still fault in the timed loop.
     * Kernels before 5.14 do not know this; there the warm-up has touched what it reached. */
    madvise(p, bytes, MADV_POPULATE_WRITE);
    r->header = p;
    r->pairs = (int64_t *)(void *)((char *)p + sizeof *r->header);
    return 0;
}

int jl_ring_create(jl_ring *r, uint64_t capacity, jl_error *err)
{
    size_t bytes = sizeof(jl_ring_header) + capacity * PAIR_BYTES;
    *r = (jl_ring){.fd = memfd_create("jouleline-ring", MFD_CLOEXEC), .capacity = capacity};
    if (r->fd < 0 || ftruncate(r->fd, (off_t)bytes) != 0) {
        int rc = jl_fail_errno(err, JL_ERR_IO, "cannot make %zu bytes of sample memory", bytes);
        jl_ring_close(r);
        return rc;
    }
    int rc = map(r, r->fd, bytes, err);
    if (rc) {
        jl_ring_close(r);
        return rc;
    }
    memcpy(r->header->magic, MAGIC, sizeof MAGIC);
    r->header->version = VERSION;
    r->header->capacity = capacity;
    return 0;
}

int jl_ring_map(jl_ring *r, int fd, jl_error *err)
{
    *r = (jl_ring){.fd = -1};
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof *r->header)
        return jl_fail(err, JL_ERR_FORMAT, "descriptor %d is no sample memory", fd);
    size_t bytes = (size_t)st.st_size;
    int rc = map(r, fd, bytes, err);
    if (rc) return rc;
    r->capacity = r->header->capacity;
    if (memcmp(r->header->magic, MAGIC, sizeof MAGIC) == 0 && r->header->version == VERSION &&
        r->capacity > 0 && r->capacity <= (bytes - sizeof *r->header) / PAIR_BYTES)
        return 0;
    munmap(r->header, bytes);
    r->header = NULL;
    return jl_fail(err, JL_ERR_FORMAT, "descriptor %d is no sample memory of version %d", fd,
                   VERSION);
}

void jl_ring_close(jl_ring *r)
{
    if (r->header) munmap(r->header, sizeof *r->header + r->capacity * PAIR_BYTES);
    if (r->fd >= 0) close(r->fd);
    *r = (jl_ring){.fd = -1};
}
