#include "model/safetensors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/outfile.h"

static const struct {
    const char *name;
    jl_dtype dtype;
} types[] = {
    {"F32", JL_FLOAT},          {"F16", JL_FLOAT16},
    {"BF16", JL_BFLOAT16},      {"F64", JL_DOUBLE},
    {"I64", JL_INT64},          {"I32", JL_INT32},
    {"I16", JL_INT16},          {"I8", JL_INT8},
    {"U64", JL_UINT64},         {"U32", JL_UINT32},
    {"U16", JL_UINT16},         {"U8", JL_UINT8},
    {"BOOL", JL_BOOL},          {"F8_E4M3", JL_FLOAT8E4M3FN},
    {"F8_E5M2", JL_FLOAT8E5M2},
};

enum { N_TYPES = sizeof types / sizeof *types, HEADER_MAX_BYTES = 100 << 20 };

struct jl_safetensors {
    void *mapping;
    size_t mapping_bytes;
    json_t *header; /* owns the names */
    jl_safetensor *list;
    size_t count;
    jl_map by_name;
};

/* Reading ------------------------------------------------------------------------------------- */

static int read_shape(const char *path, jl_safetensor *t, const json_t *shape, uint64_t *size,
                      jl_error *err)
{
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > JL_SAFETENSORS_MAX_RANK)
        return jl_fail(err, JL_ERR_FORMAT, "%s: the shape of '%.*s' is no list of at most %d sizes",
                       path, JL_FMT(t->name), JL_SAFETENSORS_MAX_RANK);
    t->rank = (int)rank;
    *size = jl_dtype_bits(t->dtype) / 8;
    for (size_t i = 0; i < rank; i++) {
        const json_t *d = json_array_get(shape, i);
        t->dims[i] = json_integer_value(d);
        if (!json_is_integer(d) || t->dims[i] < 0 ||
            __builtin_mul_overflow(*size, (uint64_t)t->dims[i], size))
            return jl_fail(err, JL_ERR_FORMAT, "%s: size %zu of '%.*s' is not a size", path, i,
                           JL_FMT(t->name));
    }
    return 0;
}

static int read_entry(const char *path, jl_safetensor *t, const json_t *entry, const char *data,
                      uint64_t data_bytes, jl_error *err)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    for (size_t i = 0; type && i < N_TYPES; i++)
        if (!strcmp(type, types[i].name)) t->dtype = types[i].dtype;
    if (!t->dtype)
        return jl_fail(err, JL_ERR_FORMAT, "%s: '%.*s' has the unknown type '%s'", path,
                       JL_FMT(t->name), type ? type : "");
    uint64_t size = 0;
    int rc = read_shape(path, t, json_object_get(entry, "shape"), &size, err);
    if (rc) return rc;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    json_int_t start = json_integer_value(from), end = json_integer_value(to);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to) ||
        start < 0 || end < start || (uint64_t)end > data_bytes || (uint64_t)(end - start) != size)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: the data_offsets of '%.*s' do not hold its %" PRIu64
                       " bytes inside the file's %" PRIu64 " bytes of data",
                       path, JL_FMT(t->name), size, data_bytes);
    t->data = data + start;
    t->size_bytes = (size_t)size;
    return 0;
}

static int read_header(jl_safetensors *f, const char *path, jl_error *err)
{
    uint64_t length = 0, total = f->mapping_bytes;
    if (total >= sizeof length) memcpy(&length, f->mapping, sizeof length);
    if (total < sizeof length || length > total - sizeof length || length > HEADER_MAX_BYTES)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s is not a safetensors file, or is truncated: its header claims %" PRIu64
                       " bytes of the file's %" PRIu64,
                       path, length, total);
    const char *text = (const char *)f->mapping + sizeof length;
    json_error_t why;
    f->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(f->header))
        return jl_fail(err, JL_ERR_FORMAT, "%s: the header is not a JSON object: %s at byte %d",
                       path, f->header ? "another kind of value" : why.text,
                       f->header ? 0 : why.position);
    f->list = calloc(json_object_size(f->header) + 1, sizeof *f->list);
    if (!f->list) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    const char *name;
    json_t *entry;
    json_object_foreach(f->header, name, entry)
    {
        if (!strcmp(name, "__metadata__")) continue;
        jl_safetensor *t = &f->list[f->count];
        t->name = jl_str_c(name);
        int rc = read_entry(path, t, entry, text + length, total - sizeof length - length, err);
        if (rc) return rc;
        if (!jl_map_set(&f->by_name, t->name, (uint32_t)f->count++))
            return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    }
    return 0;
}

static int map_file(jl_safetensors *f, const char *path, jl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    struct stat st;
    int rc = 0;
    if (fstat(fd, &st))
        rc = jl_fail_errno(err, JL_ERR_IO, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        rc = jl_fail(err, JL_ERR_FORMAT, "%s is not a safetensors file: it is %s", path,
                     S_ISREG(st.st_mode) ? "empty" : "no regular file");
    if (!rc) {
        f->mapping_bytes = (size_t)st.st_size;
        f->mapping = mmap(NULL, f->mapping_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (f->mapping == MAP_FAILED) {
            f->mapping = NULL;
            rc = jl_fail_errno(err, JL_ERR_IO, "cannot map %s", path);
        }
    }
    close(fd);
    return rc;
}

int jl_safetensors_open(const char *path, jl_safetensors **file, jl_error *err)
{
    *file = NULL;
    jl_safetensors *f = calloc(1, sizeof *f);
    if (!f) return jl_fail(err, JL_ERR_MEMORY, "%s: out of memory", path);
    int rc = map_file(f, path, err);
    if (!rc) rc = read_header(f, path, err);
    if (rc)
        jl_safetensors_close(f);
    else
        *file = f;
    return rc;
}

void jl_safetensors_close(jl_safetensors *f)
{
    if (!f) return;
    jl_map_free(&f->by_name);
    free(f->list);
    json_decref(f->header);
    if (f->mapping) munmap(f->mapping, f->mapping_bytes);
    free(f);
}

size_t jl_safetensors_count(const jl_safetensors *f)
{
    return f->count;
}

const jl_safetensor *jl_safetensors_at(const jl_safetensors *f, size_t i)
{
    return &f->list[i];
}

const jl_safetensor *jl_safetensors_find(const jl_safetensors *f, jl_str name)
{
    uint32_t i = jl_map_get(&f->by_name, name);
    return i == JL_MAP_NONE ? NULL : &f->list[i];
}

/* Writing ------------------------------------------------------------------------------------- */

static uint64_t size_of(const jl_safetensor *t)
{
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (uint64_t)t->dims[i];
    return jl_dtype_bytes(t->dtype, n);
}

static void quoted(jl_buf *out, jl_str s)
{
    jl_buf_puts(out, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            jl_buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            jl_buf_printf(out, "\\u%04x", c);
        else
            jl_buf_append(out, &c, 1);
    }
    jl_buf_puts(out, "\"");
}

/* The header, and the order of the tensors' bytes: by falling width, then as listed. */
static void plan(jl_buf *header, const jl_safetensor *list, size_t count, size_t *order)
{
    uint64_t *at = calloc(count + 1, sizeof *at), end = 0;
    if (!at) {
        header->failed = true;
        return;
    }
    size_t n = 0;
    for (unsigned bits = 64; bits >= 8; bits /= 2)
        for (size_t i = 0; i < count; i++) {
            if (jl_dtype_bits(list[i].dtype) != bits) continue;
            order[n++] = i;
            at[i] = end;
            end += size_of(&list[i]);
        }
    for (size_t i = 0; i < count; i++) {
        const char *type = "";
        for (size_t k = 0; k < N_TYPES; k++)
            if (types[k].dtype == list[i].dtype) type = types[k].name;
        jl_buf_puts(header, i ? "," : "{");
        quoted(header, list[i].name);
        jl_buf_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", type);
        for (int d = 0; d < list[i].rank; d++)
            jl_buf_printf(header, "%s%" PRId64, d ? "," : "", list[i].dims[d]);
        jl_buf_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at[i],
                      at[i] + size_of(&list[i]));
    }
    jl_buf_puts(header, count ? "}" : "{}");
    while (header->n % 8 && !header->failed)
        jl_buf_puts(header, " ");
    free(at);
}

static int write_data(jl_outfile *file, const jl_safetensor *list, const size_t *order,
                      size_t count, jl_safetensors_source source, jl_error *err)
{
    enum { PIECE_BYTES = 256 << 10 };
    char *piece = malloc(PIECE_BYTES);
    if (!piece) return jl_fail(err, JL_ERR_MEMORY, "cannot write %s: out of memory", file->path);
    int rc = 0;
    for (size_t k = 0; k < count && !rc; k++) {
        uint64_t size = size_of(&list[order[k]]), n;
        for (uint64_t done = 0; done < size && !rc; done += n) {
            n = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
            rc = source.fill(source.ctx, order[k], done, piece, (size_t)n, err);
            if (!rc) rc = jl_outfile_write(file, piece, (size_t)n, err);
        }
    }
    free(piece);
    return rc;
}

int jl_safetensors_save(const char *path, const jl_safetensor *list, size_t count,
                        jl_safetensors_source source, jl_error *err)
{
    size_t *order = calloc(count + 1, sizeof *order);
    if (!order) return jl_fail(err, JL_ERR_MEMORY, "cannot write %s: out of memory", path);
    jl_buf header = {0};
    plan(&header, list, count, order);
    int rc =
        header.failed ? jl_fail(err, JL_ERR_MEMORY, "cannot write %s: out of memory", path) : 0;
    jl_outfile file;
    if (!rc && !(rc = jl_outfile_open(&file, path, err))) {
        uint64_t length = header.n;
        rc = jl_outfile_write(&file, &length, sizeof length, err);
        if (!rc) rc = jl_outfile_write(&file, header.p, header.n, err);
        if (!rc) rc = write_data(&file, list, order, count, source, err);
        rc = jl_outfile_close(&file, rc, err);
    }
    jl_buf_free(&header);
    free(order);
    return rc;
}
