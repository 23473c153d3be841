/* Byte strings: jl_str is a view (pointer, length) that may hold NULs; jl_buf is a growing
 * buffer, always NUL-terminated once written to. */
#ifndef JL_BASE_STR_H
#define JL_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct jl_str {
    const char *p;
    size_t n;
} jl_str;

#define JL_STR(literal) ((jl_str){(literal), sizeof(literal) - 1})
/* For printf: "%.*s", JL_FMT(s) */
#define JL_FMT(s) (int)((s).n > 4096 ? 4096 : (s).n), ((s).p ? (s).p : "")

static inline jl_str jl_str_c(const char *s)
{
    return (jl_str){s, s ? strlen(s) : 0};
}
static inline bool jl_str_eq(jl_str a, jl_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool jl_str_is(jl_str a, const char *s)
{
    return jl_str_eq(a, jl_str_c(s));
}

/* Length of a text without the ending, which is not all of it; of the whole text without one. */
static inline size_t jl_stem_bytes(const char *s, const char *ending)
{
    size_t n = strlen(s), tail = strlen(ending);
    return n > tail && !strcmp(s + n - tail, ending) ? n - tail : n;
}
static inline bool jl_ends_with(const char *s, const char *ending)
{
    return jl_stem_bytes(s, ending) < strlen(s);
}
/* A word that names an ONNX file, where a model of the zoo can stand too. */
static inline bool jl_names_onnx_file(const char *s)
{
    return strchr(s, '/') || jl_ends_with(s, ".onnx");
}

/* Order of the bytes, a prefix first; the sign as of strcmp. */
static inline int jl_str_compare(jl_str a, jl_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int sign = n ? memcmp(a.p, b.p, n) : 0;
    return sign ? sign : (a.n > b.n) - (a.n < b.n);
}

typedef struct jl_buf {
    char *p;  /* NULL until the first byte; free with jl_buf_free */
    size_t n; /* without the NUL */
    size_t capacity;
    bool failed; /* an allocation failed: the content is incomplete */
} jl_buf;

void jl_buf_append(jl_buf *b, const void *bytes, size_t n);
void jl_buf_puts(jl_buf *b, const char *s);
void jl_buf_printf(jl_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void jl_buf_free(jl_buf *b);

/* Edits (insert, delete, replace, swap of neighbours) between two words, for suggestions. */
unsigned jl_edit_distance(const char *a, const char *b);
/* The nearest of the names within a third of its length, or NULL. */
const char *jl_nearest(const char *word, const char *const *names, size_t count);

/* Makes one line of a text, in place: every run of blanks and line ends becomes one space, none is
 * left at the ends. For messages of libraries that go into tables. */
void jl_one_line(char *text);

#define JL_CLEANUP(f) __attribute__((cleanup(f)))

#endif
