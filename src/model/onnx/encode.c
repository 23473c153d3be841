/* Encoding: one walk measures every message, in order, and a second writes them, taking the
 * measures in the same order. Fields go out by number, unknown ones last. */
#include "wire.h"

#include <stdlib.h>

enum { BUFFER_BYTES = 256 << 10 };

typedef struct encoder {
    uint64_t *sizes; /* of each nested message and packed list, in the order of the walk */
    size_t n_sizes, capacity, next;
    const onnx_payload_source *source;
    const onnx_sink *sink;
    uint8_t *buffer;
    size_t used;
    jl_error *err;
} encoder;

typedef ONNX_LIST(char) any_list;

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static bool present(const onnx_message *schema, const onnx_field *f, unsigned number,
                    const char *from)
{
    if (schema->has != ONNX_NO_OFFSET &&
        (f->kind == ONNX_INT64 || f->kind == ONNX_INT32 || f->kind == ONNX_FLOAT) &&
        (*(const uint32_t *)(const void *)(from + schema->has) >> number) & 1)
        return true;
    if (f->has_flag && *(const bool *)(from + f->flag)) return true;
    const void *member = from + f->offset;
    static const float zero;
    switch ((onnx_kind)f->kind) {
    case ONNX_NONE:
        return false;
    case ONNX_INT64:
        return *(const int64_t *)member != 0;
    case ONNX_INT32:
        return *(const int32_t *)member != 0;
    case ONNX_FLOAT:
        return memcmp(member, &zero, sizeof zero) != 0;
    case ONNX_BYTES:
        return ((const jl_str *)member)->p || ((const jl_str *)member)->n;
    case ONNX_PACKED32:
    case ONNX_PACKED64:
        return ((const jl_str *)member)->n != 0;
    case ONNX_MESSAGE:
        return *(void *const *)member != NULL;
    default:
        return ((const any_list *)member)->n != 0;
    }
}

static uint64_t integer_at(const onnx_field *f, const any_list *list, size_t i)
{
    if (f->kind == ONNX_INT64S) return (uint64_t)((const int64_t *)(const void *)list->p)[i];
    return (uint64_t)(int64_t)((const int32_t *)(const void *)list->p)[i];
}

static const void *message_at(const onnx_field *f, const any_list *list, size_t i)
{
    if (f->kind == ONNX_MESSAGE_PTRS) return ((void *const *)(const void *)list->p)[i];
    return list->p + i * f->sub->size;
}

/* Measuring ----------------------------------------------------------------------------------- */

static int measure(encoder *e, const onnx_message *schema, const char *from, unsigned depth,
                   uint64_t *size);

static int reserve_size(encoder *e, size_t *slot)
{
    if (e->n_sizes == e->capacity) {
        size_t capacity = e->capacity ? e->capacity * 2 : 1024;
        uint64_t *p = reallocarray(e->sizes, capacity, sizeof *p);
        if (!p) return jl_fail(e->err, JL_ERR_MEMORY, "out of memory while writing the model");
        e->sizes = p;
        e->capacity = capacity;
    }
    *slot = e->n_sizes++;
    return 0;
}

static int measure_nested(encoder *e, const onnx_message *schema, const void *from, unsigned depth,
                          uint64_t tag_size, uint64_t *size)
{
    size_t slot;
    uint64_t n = 0;
    int rc = reserve_size(e, &slot);
    if (rc || (rc = measure(e, schema, from, depth + 1, &n))) return rc;
    e->sizes[slot] = n;
    *size += tag_size + varint_size(n) + n;
    return 0;
}

static int measure_integers(encoder *e, const onnx_field *f, const any_list *list,
                            uint64_t tag_size, uint64_t *size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += varint_size(integer_at(f, list, i));
    if (!f->packed) {
        *size += n + list->n * tag_size;
        return 0;
    }
    size_t slot;
    int rc = reserve_size(e, &slot);
    if (rc) return rc;
    e->sizes[slot] = n;
    *size += tag_size + varint_size(n) + n;
    return 0;
}

static int measure_field(encoder *e, const onnx_field *f, unsigned number, const char *from,
                         unsigned depth, uint64_t *size)
{
    const void *member = from + f->offset;
    const any_list *list = member;
    uint64_t tag_size = varint_size((uint64_t)number << 3), n;
    int rc = 0;
    switch ((onnx_kind)f->kind) {
    case ONNX_NONE:
        break;
    case ONNX_INT64:
        *size += tag_size + varint_size((uint64_t) * (const int64_t *)member);
        break;
    case ONNX_INT32:
        *size += tag_size + varint_size((uint64_t)(int64_t) * (const int32_t *)member);
        break;
    case ONNX_FLOAT:
        *size += tag_size + sizeof(float);
        break;
    case ONNX_BYTES:
    case ONNX_PACKED32:
    case ONNX_PACKED64:
        n = ((const jl_str *)member)->n;
        *size += tag_size + varint_size(n) + n;
        break;
    case ONNX_MESSAGE:
        return measure_nested(e, f->sub, *(void *const *)member, depth, tag_size, size);
    case ONNX_INT64S:
    case ONNX_INT32S:
        return measure_integers(e, f, list, tag_size, size);
    case ONNX_FLOATS:
        *size += list->n * (tag_size + sizeof(float));
        break;
    case ONNX_BYTESS:
        for (size_t i = 0; i < list->n; i++) {
            n = ((const jl_str *)(const void *)list->p)[i].n;
            *size += tag_size + varint_size(n) + n;
        }
        break;
    case ONNX_MESSAGES:
    case ONNX_MESSAGE_PTRS:
        for (size_t i = 0; i < list->n && !rc; i++)
            rc = measure_nested(e, f->sub, message_at(f, list, i), depth, tag_size, size);
        break;
    }
    return rc;
}

static int measure(encoder *e, const onnx_message *schema, const char *from, unsigned depth,
                   uint64_t *size)
{
    if (depth > ONNX_MAX_DEPTH)
        return jl_fail(e->err, JL_ERR_LIMIT, "messages nested more than %d deep", ONNX_MAX_DEPTH);
    for (unsigned number = 1; number < schema->n_fields; number++) {
        const onnx_field *f = &schema->fields[number];
        if (!present(schema, f, number, from)) continue;
        int rc = measure_field(e, f, number, from, depth, size);
        if (rc) return rc;
    }
    const onnx_unknown *unknown = (const onnx_unknown *)(const void *)(from + schema->unknown);
    for (size_t i = 0; i < unknown->n; i++)
        *size += unknown->p[i].n;
    return 0;
}

/* Writing ------------------------------------------------------------------------------------- */

static int flush(encoder *e)
{
    size_t n = e->used;
    e->used = 0;
    return n ? e->sink->write(e->sink->ctx, e->buffer, n, e->err) : 0;
}

static int emit(encoder *e, const void *bytes, size_t n)
{
    if (n > BUFFER_BYTES - e->used) {
        int rc = flush(e);
        if (rc) return rc;
        if (n >= BUFFER_BYTES) return e->sink->write(e->sink->ctx, bytes, n, e->err);
    }
    if (n) memcpy(e->buffer + e->used, bytes, n);
    e->used += n;
    return 0;
}

static int emit_varint(encoder *e, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    return emit(e, bytes, n);
}

static int emit_tag(encoder *e, unsigned number, unsigned wire)
{
    return emit_varint(e, (uint64_t)number << 3 | wire);
}

static int emit_integer(encoder *e, unsigned number, uint64_t v)
{
    int rc = emit_tag(e, number, ONNX_WIRE_VARINT);
    return rc ? rc : emit_varint(e, v);
}

static int emit_head(encoder *e, unsigned number, uint64_t n)
{
    int rc = emit_tag(e, number, ONNX_WIRE_BYTES);
    return rc ? rc : emit_varint(e, n);
}

/* A payload made now, straight into the buffer. */
static int emit_source(encoder *e, const onnx_tensor *t)
{
    if (!e->source || !e->source->fill)
        return jl_fail(e->err, JL_ERR, "tensor '%.*s' has a length but no bytes", JL_FMT(t->name));
    for (uint64_t done = 0; done < t->raw_data.n;) {
        int rc = flush(e);
        if (rc) return rc;
        uint64_t left = t->raw_data.n - done;
        size_t n = left < BUFFER_BYTES ? (size_t)left : (size_t)BUFFER_BYTES;
        if ((rc = e->source->fill(e->source->ctx, t, done, e->buffer, n, e->err))) return rc;
        e->used = n;
        done += n;
    }
    return 0;
}

static int emit_bytes(encoder *e, unsigned number, jl_str s, const onnx_tensor *payload_of)
{
    int rc = emit_head(e, number, s.n);
    if (rc) return rc;
    if (s.p || !s.n) return emit(e, s.p, s.n);
    if (payload_of) return emit_source(e, payload_of);
    return jl_fail(e->err, JL_ERR, "a string of %zu bytes without its bytes", s.n);
}

static int emit_message(encoder *e, const onnx_message *schema, const char *from);

static int emit_nested(encoder *e, const onnx_message *schema, unsigned number, const void *from)
{
    int rc = emit_head(e, number, e->sizes[e->next++]);
    return rc ? rc : emit_message(e, schema, from);
}

static int emit_integers(encoder *e, const onnx_field *f, unsigned number, const any_list *list)
{
    int rc = f->packed ? emit_head(e, number, e->sizes[e->next++]) : 0;
    for (size_t i = 0; i < list->n && !rc; i++) {
        uint64_t v = integer_at(f, list, i);
        rc = f->packed ? emit_varint(e, v) : emit_integer(e, number, v);
    }
    return rc;
}

static int emit_list(encoder *e, const onnx_field *f, unsigned number, const any_list *list)
{
    int rc = 0;
    for (size_t i = 0; i < list->n && !rc; i++) {
        if (f->kind == ONNX_FLOATS) {
            if (!(rc = emit_tag(e, number, ONNX_WIRE_32)))
                rc = emit(e, list->p + i * sizeof(float), sizeof(float));
        } else if (f->kind == ONNX_BYTESS) {
            rc = emit_bytes(e, number, ((const jl_str *)(const void *)list->p)[i], NULL);
        } else {
            rc = emit_nested(e, f->sub, number, message_at(f, list, i));
        }
    }
    return rc;
}

static int emit_field(encoder *e, const onnx_message *schema, const onnx_field *f, unsigned number,
                      const char *from)
{
    const void *member = from + f->offset;
    int rc;
    switch ((onnx_kind)f->kind) {
    case ONNX_NONE:
        return 0;
    case ONNX_INT64:
        return emit_integer(e, number, (uint64_t) * (const int64_t *)member);
    case ONNX_INT32:
        return emit_integer(e, number, (uint64_t)(int64_t) * (const int32_t *)member);
    case ONNX_FLOAT:
        rc = emit_tag(e, number, ONNX_WIRE_32);
        return rc ? rc : emit(e, member, sizeof(float));
    case ONNX_BYTES:
    case ONNX_PACKED32:
    case ONNX_PACKED64:
        return emit_bytes(e, number, *(const jl_str *)member,
                          schema == &onnx_schema_tensor ? (const onnx_tensor *)(const void *)from
                                                        : NULL);
    case ONNX_MESSAGE:
        return emit_nested(e, f->sub, number, *(void *const *)member);
    case ONNX_INT64S:
    case ONNX_INT32S:
        return emit_integers(e, f, number, member);
    default:
        return emit_list(e, f, number, member);
    }
}

static int emit_message(encoder *e, const onnx_message *schema, const char *from)
{
    for (unsigned number = 1; number < schema->n_fields; number++) {
        const onnx_field *f = &schema->fields[number];
        if (!present(schema, f, number, from)) continue;
        int rc = emit_field(e, schema, f, number, from);
        if (rc) return rc;
    }
    const onnx_unknown *unknown = (const onnx_unknown *)(const void *)(from + schema->unknown);
    for (size_t i = 0; i < unknown->n; i++) {
        int rc = emit(e, unknown->p[i].p, unknown->p[i].n);
        if (rc) return rc;
    }
    return 0;
}

int onnx_encode_message(const onnx_message *schema, const void *from,
                        const onnx_payload_source *source, const onnx_sink *sink, jl_error *err)
{
    encoder e = {.source = source, .sink = sink, .err = err};
    uint64_t size = 0;
    int rc = measure(&e, schema, from, 1, &size);
    if (!rc && size > INT32_MAX)
        rc = jl_fail(err, JL_ERR_LIMIT,
                     "the model takes %llu bytes, and a protobuf file holds at most 2 GiB: store "
                     "its weights as external data",
                     (unsigned long long)size);
    if (!rc && !(e.buffer = malloc(BUFFER_BYTES)))
        rc = jl_fail(err, JL_ERR_MEMORY, "out of memory while writing the model");
    if (!rc) rc = emit_message(&e, schema, from);
    if (!rc) rc = flush(&e);
    free(e.buffer);
    free(e.sizes);
    return rc;
}
