#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_fd(int fd, const char *what, void **mapping, size_t *size, jl_error *err)
{
    struct stat st;
    if (fstat(fd, &st)) return jl_fail_errno(err, JL_ERR_IO, "%s", what);
    if (!S_ISREG(st.st_mode)) return jl_fail(err, JL_ERR_FORMAT, "%s is not a regular file", what);
    *mapping = NULL;
    *size = (size_t)st.st_size;
    if (!st.st_size) return 0;
    void *p = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return jl_fail_errno(err, JL_ERR_IO, "cannot map %s", what);
    *mapping = p;
    return 0;
}

int onnx_decode(const void *bytes, size_t n, jl_arena *arena, onnx_model **model, jl_error *err)
{
    if (!n) return jl_fail(err, JL_ERR_FORMAT, "empty: not an ONNX model");
    onnx_model *m = jl_arena_alloc(arena, sizeof *m);
    if (!m) return jl_fail(err, JL_ERR_MEMORY, "out of memory while reading the model");
    int rc = onnx_decode_message(&onnx_schema_model, (jl_str){bytes, n}, arena, m, err);
    if (rc == JL_ERR_FORMAT) jl_prefix(err, "not an ONNX model, or a damaged one");
    if (!rc && !m->graph) rc = jl_fail(err, JL_ERR_FORMAT, "not an ONNX model: it holds no graph");
    if (!rc) *model = m;
    return rc;
}

int onnx_decode_tensor(const void *bytes, size_t n, jl_arena *arena, onnx_tensor **tensor,
                       jl_error *err)
{
    onnx_tensor *t = jl_arena_alloc(arena, sizeof *t);
    if (!t) return jl_fail(err, JL_ERR_MEMORY, "out of memory while reading the tensor");
    int rc = n ? onnx_decode_message(&onnx_schema_tensor, (jl_str){bytes, n}, arena, t, err) : 0;
    if (!rc) *tensor = t;
    return rc;
}

static const char *folder_of(jl_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return ".";
    return slash == path ? "/" : jl_arena_strndup(arena, path, (size_t)(slash - path));
}

int onnx_open(const char *path, onnx_file **file, jl_error *err)
{
    *file = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    jl_arena *arena = jl_arena_new();
    onnx_file *f = arena ? jl_arena_alloc(arena, sizeof *f) : NULL;
    int rc;
    if (!f) {
        rc = jl_fail(err, JL_ERR_MEMORY, "out of memory while reading %s", path);
        goto fail;
    }
    f->arena = arena;
    f->path = jl_arena_strndup(arena, path, strlen(path));
    f->folder = folder_of(arena, path);
    if (!f->path || !f->folder) {
        rc = jl_fail(err, JL_ERR_MEMORY, "out of memory while reading %s", path);
        goto fail;
    }
    if ((rc = map_fd(fd, path, &f->mapping, &f->mapping_bytes, err))) goto fail;
    if ((rc = onnx_decode(f->mapping, f->mapping_bytes, arena, &f->model, err))) {
        jl_prefix(err, "%s", path);
        goto fail;
    }
    close(fd);
    *file = f;
    return 0;
fail:
    close(fd);
    if (f && f->mapping) munmap(f->mapping, f->mapping_bytes);
    jl_arena_free(arena);
    return rc;
}

/* External data ------------------------------------------------------------------------------- */

struct onnx_external {
    struct onnx_external *next;
    const char *location;
    void *mapping;
    size_t size;
};

void onnx_close(onnx_file *file)
{
    if (!file) return;
    for (struct onnx_external *e = file->external; e; e = e->next)
        if (e->mapping) munmap(e->mapping, e->size);
    if (file->mapping) munmap(file->mapping, file->mapping_bytes);
    jl_arena_free(file->arena);
}

void onnx_release_pages(const onnx_file *file)
{
    for (struct onnx_external *e = file->external; e; e = e->next)
        if (e->mapping) madvise(e->mapping, e->size, MADV_DONTNEED);
    if (file->mapping) madvise(file->mapping, file->mapping_bytes, MADV_DONTNEED);
}

/* Where an open file really lies, and whether that is below `folder`, links resolved. */
static bool lies_below(int fd, const char *folder)
{
    char link[32], real[PATH_MAX], root[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    if (n <= 0 || !realpath(folder, root)) return false;
    real[n] = '\0';
    size_t length = strlen(root);
    if (length == 1) return true;
    return !strncmp(real, root, length) && real[length] == '/';
}

/* No path, an absolute one, a step up, or a NUL that would hide the rest. */
static bool climbs(jl_str location)
{
    if (!location.n) return true;
    if (location.p[0] == '/' || memchr(location.p, '\0', location.n)) return true;
    for (size_t i = 0; i < location.n; i++) {
        bool starts = i == 0 || location.p[i - 1] == '/';
        size_t left = location.n - i;
        if (starts && left >= 2 && !memcmp(location.p + i, "..", 2) &&
            (left == 2 || location.p[i + 2] == '/'))
            return true;
    }
    return false;
}

static int refuse(const onnx_file *file, jl_str location, const char *why, jl_error *err)
{
    return jl_fail(
        err, JL_ERR_FORMAT,
        "refused external data '%.*s'%s: it must lie in the model's own folder (%s); move "
        "it there",
        JL_FMT(location), why, file->folder);
}

static jl_str location_of(const onnx_tensor *t)
{
    for (size_t i = 0; i < t->external_data.n; i++)
        if (jl_str_is(t->external_data.p[i].key, "location")) return t->external_data.p[i].value;
    return (jl_str){"", 0};
}

int onnx_check_external(const onnx_file *file, const onnx_tensor *t, jl_error *err)
{
    if (t->data_location != ONNX_DATA_EXTERNAL) return 0;
    jl_str where = location_of(t);
    if (!climbs(where)) return 0;
    refuse(file, where, "", err);
    return jl_prefix(err, "tensor '%.*s'", JL_FMT(t->name));
}

static int open_external(onnx_file *file, const char *location, struct onnx_external **out,
                         jl_error *err)
{
    if (!location[0] || climbs(jl_str_c(location)))
        return refuse(file, jl_str_c(location), "", err);
    struct onnx_external *e = jl_arena_alloc(file->arena, sizeof *e);
    const char *path = jl_arena_printf(file->arena, "%s/%s", file->folder, location);
    if (!e || !path) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot open external data %s", path);
    int rc;
    if (!lies_below(fd, file->folder)) {
        rc = refuse(file, jl_str_c(location), ", a link that leaves the folder", err);
    } else {
        rc = map_fd(fd, path, &e->mapping, &e->size, err);
    }
    close(fd);
    if (rc) return rc;
    e->location = location;
    e->next = file->external;
    file->external = e;
    *out = e;
    return 0;
}

static int entry_number(const onnx_entry *entry, uint64_t *value, jl_error *err)
{
    uint64_t v = 0;
    bool good = entry->value.n > 0;
    for (size_t i = 0; i < entry->value.n && good; i++) {
        char c = entry->value.p[i];
        good = c >= '0' && c <= '9' && !__builtin_mul_overflow(v, 10u, &v) &&
               !__builtin_add_overflow(v, (uint64_t)(c - '0'), &v);
    }
    if (!good)
        return jl_fail(err, JL_ERR_FORMAT, "external data's %.*s '%.*s' is not a size",
                       JL_FMT(entry->key), JL_FMT(entry->value));
    *value = v;
    return 0;
}

static int external_bytes(onnx_file *file, const onnx_tensor *t, uint64_t expected, jl_str *bytes,
                          jl_error *err)
{
    uint64_t offset = 0, length = expected;
    jl_str where = location_of(t);
    for (size_t i = 0; i < t->external_data.n; i++) {
        const onnx_entry *entry = &t->external_data.p[i];
        int rc = 0;
        if (jl_str_is(entry->key, "offset")) rc = entry_number(entry, &offset, err);
        if (jl_str_is(entry->key, "length")) rc = entry_number(entry, &length, err);
        if (rc) return rc;
    }
    if (!file || !file->folder)
        return jl_fail(err, JL_ERR_FORMAT, "external data, but the model is not a file");
    if (length != expected)
        return jl_fail(err, JL_ERR_FORMAT, "external data of %llu bytes, but its shape needs %llu",
                       (unsigned long long)length, (unsigned long long)expected);
    struct onnx_external *e = file->external;
    while (e && !jl_str_is(where, e->location))
        e = e->next;
    if (!e) {
        if (climbs(where)) return refuse(file, where, "", err);
        char *location = jl_arena_strndup(file->arena, where.p, where.n);
        if (!location) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
        int rc = open_external(file, location, &e, err);
        if (rc) return rc;
    }
    if (offset > e->size || length > e->size - offset)
        return jl_fail(err, JL_ERR_FORMAT,
                       "external data '%s' has %zu bytes, but %llu at offset %llu are needed",
                       e->location, e->size, (unsigned long long)length,
                       (unsigned long long)offset);
    *bytes = (jl_str){e->mapping ? (const char *)e->mapping + offset : "", (size_t)length};
    return 0;
}

/* Tensors ------------------------------------------------------------------------------------- */

int64_t onnx_tensor_elements(const onnx_tensor *t)
{
    int64_t n = 1;
    bool zero = false;
    for (size_t i = 0; i < t->dims.n; i++) {
        if (t->dims.p[i] < 0) return -1;
        zero = zero || t->dims.p[i] == 0;
    }
    if (zero) return 0;
    for (size_t i = 0; i < t->dims.n; i++)
        if (__builtin_mul_overflow(n, t->dims.p[i], &n)) return -1;
    return n;
}

static int view(jl_str payload, uint64_t expected, jl_str *bytes, jl_error *err)
{
    if (payload.n != expected)
        return jl_fail(err, JL_ERR_FORMAT, "%zu bytes of data, but its shape and type need %llu",
                       payload.n, (unsigned long long)expected);
    *bytes = payload;
    return 0;
}

/* Narrows a typed list to the element's own width; the lists are little endian on every machine
 * that jouleline runs on. */
static int narrow(onnx_file *file, const void *list, size_t n, size_t item, size_t width,
                  uint64_t expected, jl_str *bytes, jl_error *err)
{
    if (n != expected / width)
        return jl_fail(err, JL_ERR_FORMAT, "%zu elements of data, but its shape needs %llu", n,
                       (unsigned long long)(expected / width));
    if (width == item) {
        *bytes = (jl_str){list, n * item};
        return 0;
    }
    char *p = file ? jl_arena_array(file->arena, n, width) : NULL;
    if (!p) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * width, (const char *)list + i * item, width);
    *bytes = (jl_str){p, n * width};
    return 0;
}

static int payload(onnx_file *file, const onnx_tensor *t, uint64_t expected, jl_str *bytes,
                   jl_error *err)
{
    unsigned bits = jl_dtype_bits((jl_dtype)t->data_type);
    size_t width = bits < 8 ? 1 : bits / 8;
    if (t->data_location == ONNX_DATA_EXTERNAL)
        return external_bytes(file, t, expected, bytes, err);
    if (t->raw_data.n || t->has_raw_data) {
        if (t->raw_data.n && !t->raw_data.p)
            return jl_fail(err, JL_ERR_UNSUPPORTED, "its values are made while it is written");
        return view(t->raw_data, expected, bytes, err);
    }
    if (t->float_data.n) return view(t->float_data, expected, bytes, err);
    if (t->double_data.n) return view(t->double_data, expected, bytes, err);
    if (t->int32_data.n && width <= 4)
        return narrow(file, t->int32_data.p, t->int32_data.n, 4, width, expected, bytes, err);
    if (t->int64_data.n && width == 8)
        return narrow(file, t->int64_data.p, t->int64_data.n, 8, width, expected, bytes, err);
    if (t->uint64_data.n && width <= 8)
        return narrow(file, t->uint64_data.p, t->uint64_data.n, 8, width, expected, bytes, err);
    return view((jl_str){"", 0}, expected, bytes, err);
}

int onnx_tensor_bytes(onnx_file *file, const onnx_tensor *t, jl_str *bytes, jl_error *err)
{
    int64_t n = onnx_tensor_elements(t);
    int rc;
    if (n < 0 || n > INT64_MAX / 16)
        rc = jl_fail(err, JL_ERR_FORMAT, "a negative dimension, or more elements than fit 64 bits");
    else if (t->data_type == JL_STRING)
        rc = jl_fail(err, JL_ERR_UNSUPPORTED, "strings have no plain bytes");
    else if (!jl_dtype_bits((jl_dtype)t->data_type))
        rc = jl_fail(err, JL_ERR_FORMAT, "unknown element type %d", t->data_type);
    else
        rc = payload(file, t, jl_dtype_bytes((jl_dtype)t->data_type, (uint64_t)n), bytes, err);
    if (rc) jl_prefix(err, "tensor '%.*s'", JL_FMT(t->name));
    return rc;
}
