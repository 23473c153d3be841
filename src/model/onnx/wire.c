/* Decoding: each message is scanned twice, once to count what its lists hold and once to fill
 * them, so that every list is one array of the right size. The scans jump over what they do not
 * need by its length: the bytes of a weight are never touched. */
#include "wire.h"

typedef struct decoder {
    const uint8_t *base; /* for byte offsets in messages */
    jl_arena *arena;
    jl_error *err;
} decoder;

typedef struct cursor {
    const uint8_t *p, *end;
} cursor;

/* One field of the wire. */
typedef struct token {
    uint32_t number;
    unsigned wire;
    const uint8_t *start; /* of its tag */
    uint64_t value;       /* of a varint */
    jl_str bytes;         /* the content of every other wire type */
} token;

static int bad(const decoder *d, const uint8_t *at, const char *what)
{
    return jl_fail(d->err, JL_ERR_FORMAT, "byte %zu: %s", (size_t)(at - d->base), what);
}

static bool varint(cursor *c, uint64_t *value)
{
    uint64_t v = 0;
    if (c->p < c->end && *c->p < 0x80) { /* most are one byte */
        *value = *c->p++;
        return true;
    }
    for (unsigned shift = 0; shift < 70 && c->p < c->end; shift += 7) {
        uint8_t b = *c->p++;
        if (shift < 64) v |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) {
            *value = v;
            return true;
        }
    }
    return false;
}

static int fixed(const decoder *d, cursor *c, size_t n, jl_str *bytes)
{
    if ((size_t)(c->end - c->p) < n) {
        jl_fail(d->err, JL_ERR_FORMAT,
                "byte %zu: a field of %zu bytes, but its message ends after %zu more (truncated?)",
                (size_t)(c->p - d->base), n, (size_t)(c->end - c->p));
        return JL_ERR_FORMAT;
    }
    *bytes = (jl_str){(const char *)c->p, n};
    c->p += n;
    return 0;
}

static int tag(const decoder *d, cursor *c, token *t)
{
    uint64_t key;
    t->start = c->p;
    if (!varint(c, &key)) return bad(d, t->start, "a field's tag breaks off");
    if (key >> 3 == 0 || key >> 32) return bad(d, t->start, "not a protobuf field");
    t->number = (uint32_t)(key >> 3);
    t->wire = (unsigned)key & 7;
    return 0;
}

static int body(const decoder *d, cursor *c, token *t)
{
    uint64_t n;
    switch (t->wire) {
    case ONNX_WIRE_VARINT:
        return varint(c, &t->value) ? 0 : bad(d, t->start, "a number breaks off");
    case ONNX_WIRE_64:
        return fixed(d, c, 8, &t->bytes);
    case ONNX_WIRE_32:
        return fixed(d, c, 4, &t->bytes);
    case ONNX_WIRE_BYTES:
        if (!varint(c, &n)) return bad(d, t->start, "a length breaks off");
        if (n > SIZE_MAX) return bad(d, t->start, "a length beyond the address space");
        return fixed(d, c, (size_t)n, &t->bytes);
    default:
        return bad(d, t->start, "not a protobuf field");
    }
}

/* Groups: an old way to nest, possible only among unknown fields; skipped whole. */
enum { START_GROUP = 3, END_GROUP = 4 };

static int skip_group(const decoder *d, cursor *c, token *t)
{
    uint32_t open[ONNX_MAX_DEPTH];
    size_t depth = 0;
    const uint8_t *start = t->start;
    uint32_t number = t->number;
    open[depth++] = number;
    while (depth) {
        token inner;
        int rc = tag(d, c, &inner);
        if (rc) return rc;
        if (inner.wire == START_GROUP) {
            if (depth == ONNX_MAX_DEPTH) return bad(d, inner.start, "groups nested beyond 64");
            open[depth++] = inner.number;
        } else if (inner.wire == END_GROUP) {
            if (inner.number != open[--depth]) return bad(d, inner.start, "groups that cross");
        } else if ((rc = body(d, c, &inner))) {
            return rc;
        }
    }
    t->bytes = (jl_str){(const char *)start, (size_t)(c->p - start)};
    return 0;
}

static int next_token(const decoder *d, cursor *c, token *t)
{
    *t = (token){0};
    int rc = tag(d, c, t);
    if (rc) return rc;
    return t->wire == START_GROUP ? skip_group(d, c, t) : body(d, c, t);
}

/* The field that a token fills, or NULL: unknown number, or a wire type that it cannot have. */
static const onnx_field *field_of(const onnx_message *schema, const token *t)
{
    if (t->number >= schema->n_fields) return NULL;
    const onnx_field *f = &schema->fields[t->number];
    bool fits = false;
    switch ((onnx_kind)f->kind) {
    case ONNX_NONE:
        break;
    case ONNX_INT64:
    case ONNX_INT32:
        fits = t->wire == ONNX_WIRE_VARINT;
        break;
    case ONNX_FLOAT:
        fits = t->wire == ONNX_WIRE_32;
        break;
    case ONNX_INT64S:
    case ONNX_INT32S:
        fits = t->wire == ONNX_WIRE_VARINT || t->wire == ONNX_WIRE_BYTES;
        break;
    case ONNX_FLOATS:
    case ONNX_PACKED32:
        fits = t->wire == ONNX_WIRE_32 || t->wire == ONNX_WIRE_BYTES;
        break;
    case ONNX_PACKED64:
        fits = t->wire == ONNX_WIRE_64 || t->wire == ONNX_WIRE_BYTES;
        break;
    case ONNX_BYTES:
    case ONNX_MESSAGE:
    case ONNX_BYTESS:
    case ONNX_MESSAGES:
    case ONNX_MESSAGE_PTRS:
        fits = t->wire == ONNX_WIRE_BYTES;
        break;
    }
    return fits ? f : NULL;
}

/* What the first scan finds, by field number. */
typedef struct tally {
    size_t items[ONNX_MAX_FIELD];  /* list elements; bytes of a message or a packed payload */
    size_t chunks[ONNX_MAX_FIELD]; /* occurrences in the wire */
    size_t unknown;                /* runs of unknown fields */
} tally;

static size_t count_varints(jl_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += !((uint8_t)s.p[i] & 0x80);
    return n;
}

static int count_items(const decoder *d, const onnx_field *f, const token *t, size_t *items)
{
    size_t width = f->kind == ONNX_PACKED64 ? 8 : 4;
    switch ((onnx_kind)f->kind) {
    case ONNX_INT64S:
    case ONNX_INT32S:
        *items += t->wire == ONNX_WIRE_VARINT ? 1 : count_varints(t->bytes);
        break;
    case ONNX_FLOATS:
    case ONNX_PACKED32:
    case ONNX_PACKED64:
        if (t->bytes.n % width)
            return bad(d, t->start, "a packed list that ends in the middle of a number");
        *items += f->kind == ONNX_FLOATS ? t->bytes.n / width : t->bytes.n;
        break;
    case ONNX_MESSAGE:
        *items += t->bytes.n;
        break;
    default:
        *items += 1;
        break;
    }
    return 0;
}

static int count(const decoder *d, const onnx_message *schema, jl_str bytes, tally *found)
{
    cursor c = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n};
    bool in_unknown = false;
    while (c.p < c.end) {
        token t;
        int rc = next_token(d, &c, &t);
        if (rc) return rc;
        const onnx_field *f = field_of(schema, &t);
        if (!f) {
            found->unknown += !in_unknown;
            in_unknown = true;
            continue;
        }
        in_unknown = false;
        found->chunks[t.number]++;
        if ((rc = count_items(d, f, &t, &found->items[t.number]))) return rc;
    }
    return 0;
}

typedef ONNX_LIST(void) any_list;

static size_t item_size(const onnx_field *f)
{
    switch ((onnx_kind)f->kind) {
    case ONNX_INT64S:
        return sizeof(int64_t);
    case ONNX_INT32S:
        return sizeof(int32_t);
    case ONNX_FLOATS:
        return sizeof(float);
    case ONNX_BYTESS:
        return sizeof(jl_str);
    case ONNX_MESSAGES:
        return f->sub->size;
    case ONNX_MESSAGE_PTRS:
        return sizeof(void *);
    default:
        return 0;
    }
}

static int no_memory(const decoder *d)
{
    return jl_fail(d->err, JL_ERR_MEMORY, "out of memory while reading the model");
}

static int allocate_lists(const decoder *d, const onnx_message *schema, char *to,
                          const tally *found)
{
    for (unsigned i = 0; i < schema->n_fields; i++) {
        const onnx_field *f = &schema->fields[i];
        size_t size = item_size(f);
        if (!size || !found->chunks[i]) continue;
        any_list *list = (any_list *)(void *)(to + f->offset);
        if (!(list->p = jl_arena_array(d->arena, found->items[i], size))) return no_memory(d);
    }
    onnx_unknown *unknown = (onnx_unknown *)(void *)(to + schema->unknown);
    if (found->unknown &&
        !(unknown->p = jl_arena_array(d->arena, found->unknown, sizeof *unknown->p)))
        return no_memory(d);
    return 0;
}

/* All occurrences of a field, one after the other: by protobuf's rules the same as merging. */
static int gather(const decoder *d, const onnx_message *schema, jl_str bytes, uint32_t number,
                  size_t total, jl_str *joined)
{
    char *p = jl_arena_alloc(d->arena, total);
    if (!p) return no_memory(d);
    *joined = (jl_str){p, total};
    cursor c = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n};
    while (c.p < c.end) {
        token t;
        int rc = next_token(d, &c, &t);
        if (rc) return rc;
        if (t.number != number || !field_of(schema, &t)) continue;
        if (t.bytes.n) memcpy(p, t.bytes.p, t.bytes.n);
        p += t.bytes.n;
    }
    return 0;
}

static void put_integer(const onnx_field *f, any_list *list, uint64_t v)
{
    if (f->kind == ONNX_INT64S)
        ((int64_t *)list->p)[list->n++] = (int64_t)v;
    else
        ((int32_t *)list->p)[list->n++] = (int32_t)(uint32_t)v;
}

static int put_integers(const decoder *d, const onnx_field *f, any_list *list, const token *t)
{
    if (t->wire == ONNX_WIRE_VARINT) {
        put_integer(f, list, t->value);
        return 0;
    }
    cursor c = {(const uint8_t *)t->bytes.p, (const uint8_t *)t->bytes.p + t->bytes.n};
    while (c.p < c.end) {
        uint64_t v;
        if (!varint(&c, &v))
            return bad(d, t->start, "a packed list that ends in the middle of a number");
        put_integer(f, list, v);
    }
    return 0;
}

static void clear_others(const onnx_message *schema, char *to, uint32_t number)
{
    for (unsigned i = 0; i < schema->n_fields; i++) {
        const onnx_field *f = &schema->fields[i];
        if (i == number || !f->one_of) continue;
        size_t size = f->kind == ONNX_BYTES ? sizeof(jl_str) : sizeof(int64_t);
        memset(to + f->offset, 0, size);
        if (f->has_flag) *(bool *)(to + f->flag) = false;
    }
}

static int decode(const decoder *d, const onnx_message *schema, jl_str bytes, unsigned depth,
                  char *to);

/* A field that is there once, or a payload; `chunks` is zeroed when all are taken at once. */
static int put_single(const decoder *d, const onnx_message *schema, const onnx_field *f,
                      const token *t, jl_str whole, tally *found, unsigned depth, char *to)
{
    void *member = to + f->offset;
    jl_str bytes = t->bytes;
    bool joins = f->kind == ONNX_MESSAGE || f->kind == ONNX_PACKED32 || f->kind == ONNX_PACKED64;
    if (joins) {
        size_t chunks = found->chunks[t->number];
        if (chunks == 0) return 0;
        found->chunks[t->number] = 0;
        if (chunks > 1) {
            int rc = gather(d, schema, whole, t->number, found->items[t->number], &bytes);
            if (rc) return rc;
        }
    }
    switch ((onnx_kind)f->kind) {
    case ONNX_INT64:
        *(int64_t *)member = (int64_t)t->value;
        break;
    case ONNX_INT32:
        *(int32_t *)member = (int32_t)(uint32_t)t->value;
        break;
    case ONNX_FLOAT:
        memcpy(member, t->bytes.p, sizeof(float));
        break;
    case ONNX_MESSAGE: {
        void *sub = jl_arena_alloc(d->arena, f->sub->size);
        if (!sub) return no_memory(d);
        *(void **)member = sub;
        return decode(d, f->sub, bytes, depth + 1, sub);
    }
    default:
        *(jl_str *)member = bytes;
        break;
    }
    return 0;
}

static int put(const decoder *d, const onnx_message *schema, const onnx_field *f, const token *t,
               jl_str whole, tally *found, unsigned depth, char *to)
{
    any_list *list = (any_list *)(void *)(to + f->offset);
    void *sub;
    if (schema->has != ONNX_NO_OFFSET)
        *(uint32_t *)(void *)(to + schema->has) |= UINT32_C(1) << t->number;
    if (f->has_flag) *(bool *)(to + f->flag) = true;
    if (f->one_of) clear_others(schema, to, t->number);
    switch ((onnx_kind)f->kind) {
    case ONNX_INT64S:
    case ONNX_INT32S:
        return put_integers(d, f, list, t);
    case ONNX_FLOATS:
        if (t->bytes.n) memcpy((float *)list->p + list->n, t->bytes.p, t->bytes.n);
        list->n += t->bytes.n / sizeof(float);
        return 0;
    case ONNX_BYTESS:
        ((jl_str *)list->p)[list->n++] = t->bytes;
        return 0;
    case ONNX_MESSAGES:
        return decode(d, f->sub, t->bytes, depth + 1, (char *)list->p + list->n++ * f->sub->size);
    case ONNX_MESSAGE_PTRS:
        if (!(sub = jl_arena_alloc(d->arena, f->sub->size))) return no_memory(d);
        ((void **)list->p)[list->n++] = sub;
        return decode(d, f->sub, t->bytes, depth + 1, sub);
    default:
        return put_single(d, schema, f, t, whole, found, depth, to);
    }
}

static int decode(const decoder *d, const onnx_message *schema, jl_str bytes, unsigned depth,
                  char *to)
{
    if (depth > ONNX_MAX_DEPTH)
        return jl_fail(d->err, JL_ERR_LIMIT,
                       "byte %zu: messages nested more than %d deep; jouleline reads sub-graphs "
                       "nested up to about 20 deep",
                       (size_t)((const uint8_t *)bytes.p - d->base), ONNX_MAX_DEPTH);
    tally found = {0};
    int rc = count(d, schema, bytes, &found);
    if (rc || (rc = allocate_lists(d, schema, to, &found))) return rc;
    onnx_unknown *unknown = (onnx_unknown *)(void *)(to + schema->unknown);
    bool in_unknown = false;
    cursor c = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n};
    while (c.p < c.end) {
        token t;
        if ((rc = next_token(d, &c, &t))) return rc;
        const onnx_field *f = field_of(schema, &t);
        if (f) {
            in_unknown = false;
            if ((rc = put(d, schema, f, &t, bytes, &found, depth, to))) return rc;
        } else if (in_unknown) {
            unknown->p[unknown->n - 1].n =
                (size_t)(c.p - (const uint8_t *)unknown->p[unknown->n - 1].p);
        } else {
            unknown->p[unknown->n++] = (jl_str){(const char *)t.start, (size_t)(c.p - t.start)};
            in_unknown = true;
        }
    }
    return 0;
}

int onnx_decode_message(const onnx_message *schema, jl_str bytes, jl_arena *arena, void *to,
                        jl_error *err)
{
    decoder d = {(const uint8_t *)bytes.p, arena, err};
    return decode(&d, schema, bytes, 1, to);
}
