#include "runtime/inputs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/npy.h"

enum { MAX_NOTES = 64, BATCH = -2 /* in a shape of words: B */, OPEN = -1 };

typedef struct word {
    const char *text; /* after NAME=, or NULL */
} word;

typedef struct maker {
    const jl_input_spec *specs;
    size_t count;
    int64_t batch;
    jl_inputs *inputs;
    word *shapes, *fills, *files; /* one an input */
    struct {
        const char *name;
        int64_t value;
    } known[32]; /* open dimensions that got a value */
    size_t known_count;
} maker;

__attribute__((format(printf, 2, 3))) static void note(maker *m, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (m->inputs->note_count == MAX_NOTES) return;
    const char *kept = jl_arena_strndup(m->inputs->arena, text, strlen(text));
    if (kept) m->inputs->notes[m->inputs->note_count++] = kept;
}

/* Sorts NAME=TEXT words into the slots of the inputs. */
static int assign(maker *m, const char *what, const char *const *words, size_t n, word *slots,
                  jl_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *equal = strchr(words[i], '=');
        size_t length = equal ? (size_t)(equal - words[i]) : 0, k = 0;
        if (equal) {
            while (k < m->count && (strlen(m->specs[k].name) != length ||
                                    strncmp(m->specs[k].name, words[i], length) != 0))
                k++;
        } else if (m->count != 1) {
            return jl_fail(err, JL_ERR_USAGE,
                           "%s %s names no input and the model has %zu; write NAME=%s", what,
                           words[i], m->count, words[i]);
        }
        if (k == m->count) {
            const char **names = jl_arena_array(m->inputs->arena, m->count + 1, sizeof *names);
            char *given = jl_arena_strndup(m->inputs->arena, words[i], length);
            if (!names || !given) return jl_fail(err, JL_ERR_MEMORY, "no memory for names");
            JL_CLEANUP(jl_buf_free) jl_buf list = {0};
            for (size_t j = 0; j < m->count; j++) {
                names[j] = m->specs[j].name;
                jl_buf_printf(&list, "%s%s", j ? ", " : "", names[j]);
            }
            const char *near = jl_nearest(given, names, m->count);
            return jl_fail(err, JL_ERR_USAGE,
                           "%s %s: the model has no input '%s'%s%s%s (it has: %s)", what, words[i],
                           given, near ? "; did you mean '" : "", near ? near : "",
                           near ? "'?" : "", list.n ? list.p : "none");
        }
        if (slots[k].text)
            return jl_fail(err, JL_ERR_USAGE, "%s is given twice for the input '%s'", what,
                           m->specs[k].name);
        slots[k].text = equal ? equal + 1 : words[i];
    }
    return 0;
}

/* "Bx3x224" into dimensions, BATCH for B. */
static int parse_shape(const char *text, jl_tensor *t, jl_error *err)
{
    t->rank = 0;
    const char *p = text;
    if (!strcmp(text, "scalar")) return 0;
    for (;;) {
        char *end;
        int64_t dim = BATCH;
        if (*p == 'B') {
            end = (char *)p + 1; // NOLINT: only read
        } else {
            dim = strtoll(p, &end, 10);
            if (end == p || dim < 0) break;
        }
        if (t->rank == JL_MAX_RANK) break;
        t->dims[t->rank++] = dim;
        if (!*end) return 0;
        if (*end != 'x') break;
        p = end + 1;
    }
    return jl_fail(err, JL_ERR_USAGE,
                   "'%s' is no shape; write for example Bx3x224x224 (B is the batch)", text);
}

static bool is_batch_name(const char *name)
{
    static const char *const names[] = {"N", "B", "batch", "batch_size", "batchsize", "bs"};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (!strcasecmp(name, names[i])) return true;
    return name && (strcasestr(name, "batch") != NULL);
}

static const int64_t *find_known(const maker *m, const char *name)
{
    for (size_t i = 0; name && i < m->known_count; i++)
        if (!strcmp(m->known[i].name, name)) return &m->known[i].value;
    return NULL;
}

/* Remembers the value of a named open dimension; it must be the same everywhere. */
static int learn(maker *m, const char *name, int64_t value, const char *input, jl_error *err)
{
    const int64_t *before = find_known(m, name);
    if (before && *before != value)
        return jl_fail(err, JL_ERR_USAGE,
                       "the dimension '%s' would be %" PRId64 " for one input and %" PRId64
                       " for '%s'; the model wants one value",
                       name, *before, value, input);
    if (!before && name && m->known_count < sizeof m->known / sizeof *m->known) {
        m->known[m->known_count].name = name;
        m->known[m->known_count++].value = value;
    }
    return 0;
}

/* The dimensions that the user or a file gave: against the model's own. */
static int merge_dims(maker *m, const jl_input_spec *s, jl_tensor *t, const jl_tensor *given,
                      const char *what, jl_error *err)
{
    if (s->rank >= 0 && given->rank != s->rank)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s of the input '%s' has %d dimensions, the model's has %d", what, s->name,
                       given->rank, s->rank);
    t->rank = given->rank;
    for (int i = 0; i < given->rank; i++) {
        int64_t dim = given->dims[i] == BATCH ? m->batch : given->dims[i];
        if (given->dims[i] == BATCH) m->inputs->batched = true;
        bool open = s->rank < 0 || s->dims[i] < 0;
        if (!open && s->dims[i] != dim)
            return jl_fail(err, JL_ERR_USAGE,
                           "%s of the input '%s' has %" PRId64 " at dimension %d, where the model "
                           "is fixed at %" PRId64,
                           what, s->name, dim, i, s->dims[i]);
        if (open && s->rank >= 0 && is_batch_name(s->dim_names[i]) && dim != m->batch)
            return jl_fail(err, JL_ERR_USAGE,
                           "%s of the input '%s' has %" PRId64 " at dimension '%s', which is the "
                           "batch; write B there and choose the batch with -b",
                           what, s->name, dim, s->dim_names[i]);
        t->dims[i] = dim;
        int rc = open && s->rank >= 0 ? learn(m, s->dim_names[i], dim, s->name, err) : 0;
        if (rc) return rc;
    }
    return 0;
}

/* What is still open after the words: known names, then the batch; else the user must say. */
static int guess_dims(maker *m, const jl_input_spec *s, jl_tensor *t, jl_error *err)
{
    if (s->rank < 0)
        return jl_fail(err, JL_ERR_USAGE,
                       "the model does not say how many dimensions the input '%s' has; say it, as "
                       "in --shape %s=Bx128",
                       s->name, s->name);
    t->rank = s->rank;
    for (int i = 0; i < s->rank; i++) {
        t->dims[i] = s->dims[i];
        if (s->dims[i] >= 0) continue;
        const char *name = s->dim_names[i];
        const int64_t *known = find_known(m, name);
        if (known) {
            t->dims[i] = *known;
            note(m, "input %s: dimension '%s' is %" PRId64 ", as elsewhere", s->name, name, *known);
        } else if (is_batch_name(name)) {
            t->dims[i] = m->batch;
            m->inputs->batched = true;
            note(m, "input %s: dimension '%s' is taken for the batch", s->name, name);
        } else {
            JL_CLEANUP(jl_buf_free) jl_buf example = {0};
            for (int k = 0; k < s->rank; k++) {
                jl_buf_printf(&example, "%s", k ? "x" : "");
                if (s->dims[k] >= 0)
                    jl_buf_printf(&example, "%" PRId64, s->dims[k]);
                else
                    jl_buf_puts(&example, k == 0 || is_batch_name(s->dim_names[k]) ? "B" : "128");
            }
            return jl_fail(err, JL_ERR_USAGE,
                           "dimension %d%s%s%s of the input '%s' has no value; say it, as in "
                           "--shape %s=%s",
                           i, name ? " ('" : "", name ? name : "", name ? "')" : "", s->name,
                           s->name, example.p);
        }
    }
    return 0;
}

static int allocate(maker *m, jl_tensor *t, jl_error *err)
{
    int64_t n = jl_tensor_elements(t);
    uint64_t bits = t->dtype == JL_STRING ? 8 * sizeof(char *) : jl_dtype_bits(t->dtype);
    if (bits == 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the input '%s' has element type %s", t->name,
                       jl_dtype_name(t->dtype));
    if (n < 0 || (uint64_t)n > (UINT64_C(1) << 40) / bits)
        return jl_fail(err, JL_ERR_LIMIT, "the input '%s' would take more than 128 GiB", t->name);
    t->size_bytes =
        t->dtype == JL_STRING ? (size_t)n * sizeof(char *) : jl_dtype_bytes(t->dtype, (uint64_t)n);
    /* the arena aligns to 16; whoever needs more copies */
    t->data = jl_arena_alloc(m->inputs->arena, t->size_bytes + 1);
    return t->data ? 0
                   : jl_fail(err, JL_ERR_MEMORY, "no memory for the input '%s' (%zu bytes)",
                             t->name, t->size_bytes);
}

/* Items of a file that holds another number of them than a call: the first ones, or again from
 * the start. */
static void copy_items(jl_tensor *t, const jl_tensor *from)
{
    size_t item = t->dims[0] > 0 ? t->size_bytes / (size_t)t->dims[0] : 0;
    int64_t have = from->dims[0];
    for (int64_t i = 0; i < t->dims[0] && item > 0; i++)
        memcpy((char *)t->data + (size_t)i * item,
               (const char *)from->data + (size_t)(i % have) * item, item);
}

static int cast_file(const jl_input_spec *s, const jl_npy *npy, jl_tensor *cast, jl_error *err)
{
    *cast = npy->tensor;
    if (npy->tensor.dtype == s->dtype) return 0;
    if (!jl_dtype_is_float(s->dtype) || !jl_dtype_is_float(npy->tensor.dtype))
        return jl_fail(err, JL_ERR_USAGE, "it holds %s and the input '%s' takes %s",
                       jl_dtype_name(npy->tensor.dtype), s->name, jl_dtype_name(s->dtype));
    return jl_tensor_cast(cast, &npy->tensor, s->dtype, err);
}

static int from_file(maker *m, size_t k, jl_tensor *t, jl_error *err)
{
    const jl_input_spec *s = &m->specs[k];
    jl_npy npy;
    jl_tensor cast;
    int rc = jl_npy_open(m->files[k].text, &npy, err);
    if (rc) return rc;
    rc = cast_file(s, &npy, &cast, err);
    jl_tensor shape = cast;
    bool open = s->rank > 0 && s->dims[0] < 0;
    if (!rc && open && cast.rank > 0 && cast.dims[0] > 0) {
        shape.dims[0] = BATCH; /* its first dimension counts items */
        if (cast.dims[0] != m->batch)
            note(m, "input %s: %s holds %" PRId64 " items; %s", s->name, m->files[k].text,
                 cast.dims[0],
                 cast.dims[0] > m->batch ? "the first are used" : "they are repeated");
    }
    if (!rc) rc = merge_dims(m, s, t, &shape, "the file", err);
    if (!rc) rc = allocate(m, t, err);
    if (!rc && shape.rank > 0 && shape.dims[0] == BATCH)
        copy_items(t, &cast);
    else if (!rc && t->size_bytes)
        memcpy(t->data, cast.data, t->size_bytes);
    if (cast.data != npy.tensor.data) free(cast.data);
    jl_npy_close(&npy);
    if (rc) jl_prefix(err, "%s", m->files[k].text);
    return rc;
}

static int fill(maker *m, size_t k, jl_tensor *t, uint64_t seed, jl_error *err)
{
    jl_fill f;
    const char *reason = NULL;
    int rc = 0;
    if (m->fills[k].text) {
        rc = jl_fill_parse(m->fills[k].text, &f, err);
    } else {
        f = jl_fill_guess(&m->specs[k], &reason);
        char text[64];
        jl_fill_format(&f, text, sizeof text);
        if (reason) note(m, "input %s: filled with %s, since %s", m->specs[k].name, text, reason);
    }
    if (!rc) rc = allocate(m, t, err);
    return rc ? rc : jl_fill_tensor(t, &f, seed, k, m->inputs->arena, err);
}

static int make_input(maker *m, size_t k, uint64_t seed, jl_error *err)
{
    const jl_input_spec *s = &m->specs[k];
    jl_tensor *t = &m->inputs->tensors[k];
    t->name = jl_arena_strndup(m->inputs->arena, s->name, strlen(s->name));
    t->dtype = s->dtype;
    if (m->files[k].text && (m->fills[k].text || m->shapes[k].text))
        return jl_fail(err, JL_ERR_USAGE,
                       "the input '%s' comes from a file; --fill and --shape do not go with it",
                       s->name);
    if (m->files[k].text) return from_file(m, k, t, err);
    jl_tensor given = {0};
    int rc = 0;
    if (m->shapes[k].text) {
        rc = parse_shape(m->shapes[k].text, &given, err);
        if (!rc) rc = merge_dims(m, s, t, &given, "--shape", err);
    } else {
        rc = guess_dims(m, s, t, err);
    }
    return rc ? rc : fill(m, k, t, seed, err);
}

int jl_inputs_make(const jl_input_spec *specs, size_t count, const jl_input_words *words,
                   int64_t batch, uint64_t seed, jl_inputs *inputs, jl_error *err)
{
    static const jl_input_words none;
    if (!words) words = &none;
    *inputs = (jl_inputs){.arena = jl_arena_new(), .count = count};
    if (!inputs->arena) return jl_fail(err, JL_ERR_MEMORY, "no memory for inputs");
    maker m = {.specs = specs, .count = count, .batch = batch, .inputs = inputs};
    inputs->tensors = jl_arena_array(inputs->arena, count + 1, sizeof *inputs->tensors);
    inputs->notes = jl_arena_array(inputs->arena, MAX_NOTES, sizeof *inputs->notes);
    m.shapes = jl_arena_array(inputs->arena, 3 * (count + 1), sizeof *m.shapes);
    int rc = 0;
    if (!inputs->tensors || !inputs->notes || !m.shapes)
        rc = jl_fail(err, JL_ERR_MEMORY, "no memory for %zu inputs", count);
    if (!rc) {
        m.fills = m.shapes + count + 1;
        m.files = m.fills + count + 1;
        rc = assign(&m, "--shape", words->shapes, words->shape_count, m.shapes, err);
    }
    if (!rc) rc = assign(&m, "--fill", words->fills, words->fill_count, m.fills, err);
    if (!rc) rc = assign(&m, "--input", words->files, words->file_count, m.files, err);
    /* Inputs with words first: what they say of named dimensions holds for the others. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; !rc && k < count; k++)
            if ((m.shapes[k].text || m.files[k].text) == (pass == 0))
                rc = make_input(&m, k, seed, err);
    for (size_t k = 0; !rc && k < count; k++)
        if (inputs->tensors[k].rank > 0 && inputs->tensors[k].dims[0] == batch)
            inputs->batched = true;
    if (rc) jl_inputs_free(inputs);
    return rc;
}

void jl_inputs_free(jl_inputs *inputs)
{
    jl_arena_free(inputs->arena);
    *inputs = (jl_inputs){0};
}
