#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(jl_buf *b, size_t extra)
{
    if (b->failed || extra > SIZE_MAX / 2 - b->n) {
        b->failed = true;
        return false;
    }
    if (b->n + extra + 1 <= b->capacity) return true;
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < b->n + extra + 1)
        capacity *= 2;
    char *p = realloc(b->p, capacity);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->capacity = capacity;
    return true;
}

void jl_buf_append(jl_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n)) return;
    if (n) memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void jl_buf_puts(jl_buf *b, const char *s)
{
    jl_buf_append(b, s, strlen(s));
}

void jl_buf_printf(jl_buf *b, const char *format, ...)
{
    enum { USUAL = 64 }; /* most texts are shorter, and then written at once */
    va_list args, again;
    if (!reserve(b, USUAL)) return;
    va_start(args, format);
    va_copy(again, args);
    size_t room = b->capacity - b->n;
    int n = vsnprintf(b->p + b->n, room, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= room) {
        b->p[b->n] = '\0';
        if (reserve(b, (size_t)n)) vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
    }
    if (n >= 0 && !b->failed) b->n += (size_t)n;
    va_end(again);
}

void jl_buf_free(jl_buf *b)
{
    free(b->p);
    *b = (jl_buf){0};
}

unsigned jl_edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t na = strlen(a), nb = strlen(b);
    if (na > LONGEST || nb > LONGEST) return (unsigned)(na > nb ? na : nb);
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best) best = up[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[na % 3][nb];
}

const char *jl_nearest(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned d = jl_edit_distance(word, names[i]);
        if (d <= (strlen(names[i]) + 2) / 3 && (!best || d < best_distance)) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

void jl_one_line(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool blank = *from == ' ' || (*from >= '\t' && *from <= '\r');
        if (!blank)
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to > text && to[-1] == ' ') to--;
    *to = '\0';
}
