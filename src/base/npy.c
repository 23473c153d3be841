#include "base/npy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* NumPy's letter and bytes, and ours. */
static const struct {
    char kind;
    int bytes;
    jl_dtype dtype;
} kinds[] = {
    {'f', 4, JL_FLOAT},     {'f', 2, JL_FLOAT16},     {'f', 8, JL_DOUBLE}, {'i', 1, JL_INT8},
    {'i', 2, JL_INT16},     {'i', 4, JL_INT32},       {'i', 8, JL_INT64},  {'u', 1, JL_UINT8},
    {'u', 2, JL_UINT16},    {'u', 4, JL_UINT32},      {'u', 8, JL_UINT64}, {'b', 1, JL_BOOL},
    {'c', 8, JL_COMPLEX64}, {'c', 16, JL_COMPLEX128},
};

static int bad_header(jl_error *err, const char *what)
{
    return jl_fail(err, JL_ERR_FORMAT, "its header %s", what);
}

/* What follows 'key': in the header's dictionary, or NULL. */
static const char *find_key(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *p = strstr(header, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    return p + strspn(p, " ");
}

static int read_descr(const char *header, jl_tensor *t, bool *swap, jl_error *err)
{
    const char *p = find_key(header, "descr");
    char order, kind;
    int bytes;
    if (!p) return bad_header(err, "has no 'descr'");
    if (sscanf(p, "'%c%c%d'", &order, &kind, &bytes) != 3)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "its elements are records or objects; save a plain array");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind && kinds[i].bytes == bytes) {
            t->dtype = kinds[i].dtype;
            *swap = order == '>' && bytes > 1;
            return 0;
        }
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "its elements are '%c%d', which ONNX has not; convert with astype('float32')",
                   kind, bytes);
}

static int read_shape(const char *header, jl_tensor *t, jl_error *err)
{
    const char *p = find_key(header, "shape");
    if (!p || *p != '(') return bad_header(err, "has no 'shape'");
    for (p++; *p != ')';) {
        char *end;
        long long dim = strtoll(p, &end, 10);
        if (end == p || dim < 0) return bad_header(err, "has a shape that is not of numbers");
        if (t->rank == JL_MAX_RANK) return bad_header(err, "has too many dimensions");
        t->dims[t->rank++] = dim;
        p = end + strspn(end, " ,L");
    }
    return 0;
}

static int parse_header(const char *header, jl_npy *npy, bool *swap, jl_error *err)
{
    jl_tensor *t = &npy->tensor;
    int rc = read_descr(header, t, swap, err);
    if (!rc) rc = read_shape(header, t, err);
    if (rc) return rc;
    const char *order = find_key(header, "fortran_order");
    if (!order) return bad_header(err, "has no 'fortran_order'");
    if (!strncmp(order, "True", 4) && t->rank > 1)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "it is in Fortran order; save numpy.ascontiguousarray(x)");
    return 0;
}

/* Bytes of one number: half of a complex element. */
static size_t word_bytes(jl_dtype t)
{
    size_t n = jl_dtype_bits(t) / 8;
    return t == JL_COMPLEX64 || t == JL_COMPLEX128 ? n / 2 : n;
}

/* Copies the payload, every number reversed when `swap`. */
static int copy_payload(jl_npy *npy, bool swap, jl_error *err)
{
    jl_tensor *t = &npy->tensor;
    size_t word = word_bytes(t->dtype);
    unsigned char *to = malloc(t->size_bytes + 1);
    if (!to) return jl_fail(err, JL_ERR_MEMORY, "no memory for %zu bytes", t->size_bytes);
    const unsigned char *from = t->data;
    for (size_t i = 0; i + word <= t->size_bytes; i += word)
        for (size_t k = 0; k < word; k++)
            to[i + k] = from[i + (swap ? word - 1 - k : k)];
    npy->copy = to;
    t->data = to;
    return 0;
}

static int parse(jl_npy *npy, jl_error *err)
{
    const unsigned char *p = npy->mapping;
    size_t n = npy->mapping_bytes;
    if (n < 12 || memcmp(p, "\x93NUMPY", 6) != 0)
        return jl_fail(err, JL_ERR_FORMAT, "it is no .npy file; numpy.save writes one");
    if (p[6] < 1 || p[6] > 3)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "it has version %d of the format", p[6]);
    size_t start = p[6] == 1 ? 10 : 12, length = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > n - start) return bad_header(err, "is truncated");
    JL_CLEANUP(jl_buf_free) jl_buf header = {0};
    jl_buf_append(&header, p + start, length);
    if (header.failed || !header.p) return bad_header(err, "is empty");
    bool swap = false;
    int rc = parse_header(header.p, npy, &swap, err);
    if (rc) return rc;
    jl_tensor *t = &npy->tensor;
    int64_t elements = jl_tensor_elements(t);
    uint64_t have = n - start - length;
    if (elements < 0 || (uint64_t)elements > have / (jl_dtype_bits(t->dtype) / 8))
        return jl_fail(err, JL_ERR_FORMAT,
                       "it is truncated: its shape needs more than %" PRIu64 " bytes", have);
    t->size_bytes = jl_dtype_bytes(t->dtype, (uint64_t)elements);
    t->data = (char *)npy->mapping + start + length;
    /* NumPy pads its header to 64 bytes; other writers may not. */
    bool aligned = (uintptr_t)t->data % word_bytes(t->dtype) == 0;
    return swap || !aligned ? copy_payload(npy, swap, err) : 0;
}

int jl_npy_open(const char *path, jl_npy *npy, jl_error *err)
{
    *npy = (jl_npy){0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return jl_fail(err, JL_ERR_FORMAT, "%s is empty or no file", path);
    }
    npy->mapping_bytes = (size_t)st.st_size;
    npy->mapping = mmap(NULL, npy->mapping_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (npy->mapping == MAP_FAILED) {
        npy->mapping = NULL;
        return jl_fail_errno(err, JL_ERR_IO, "cannot map %s", path);
    }
    int rc = parse(npy, err);
    if (rc) {
        jl_npy_close(npy);
        jl_prefix(err, "%s", path);
    }
    return rc;
}

void jl_npy_release(const jl_npy *npy, const void *bytes, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)bytes / page * page,
              to = ((uintptr_t)bytes + n) / page * page, start = (uintptr_t)npy->mapping;
    if (npy->copy || from < start || to > start + npy->mapping_bytes || from >= to) return;
    madvise((char *)npy->mapping + (from - start), to - from, MADV_DONTNEED);
}

void jl_npy_close(jl_npy *npy)
{
    if (npy->mapping) munmap(npy->mapping, npy->mapping_bytes);
    free(npy->copy);
    *npy = (jl_npy){0};
}
