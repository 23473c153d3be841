#include "base/text_table.h"

enum { WIDE_GAP = 2, NARROW_GAP = 1, NARROWEST = 8 };

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t characters(const char *s, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += !continues(s[i]);
    return n;
}

/* Inside a word: not after the slash that begins a path. */
static bool breaks_after(const char *s, size_t i)
{
    return strchr("/+,", s[i]) && i > 0 && s[i - 1] != ' ';
}

/* Bytes of the first line of `s` when it may be `width` characters wide: up to the last space
 * or after the last of "/+," that fits, or cut hard. */
static size_t line_bytes(const char *s, size_t width)
{
    size_t n = 0, seen = 0, good = 0;
    while (s[n]) {
        if (!continues(s[n])) {
            if (seen == width) break;
            seen++;
        }
        if (s[n] == ' ' && n) good = n;
        if (breaks_after(s, n)) good = n + 1;
        n++;
    }
    if (!s[n] || s[n] == ' ') return n;
    while (continues(s[n]))
        n--;
    return good ? good : n;
}

/* Characters of the longest piece that is only ever cut hard. */
static size_t longest_piece(const char *s)
{
    size_t best = 0, start = 0;
    for (size_t i = 0; s[i]; i++) {
        bool last = s[i + 1] == '\0' || s[i + 1] == ' ' || breaks_after(s, i);
        size_t w = last ? characters(s + start, i + 1 - start) : 0;
        if (w > best) best = w;
        if (last) start = i + 1 + (s[i + 1] == ' ');
    }
    return best;
}

static size_t longest_word(const char *s)
{
    size_t best = 0;
    while (*s) {
        size_t n = strcspn(s, " "), w = characters(s, n);
        if (w > best) best = w;
        s += n + (s[n] == ' ');
    }
    return best;
}

typedef struct layout {
    const jl_column *columns;
    size_t count, gap;
    size_t widths[JL_MAX_COLUMNS];
    size_t pieces[JL_MAX_COLUMNS]; /* the narrowest without hard cuts */
} layout;

/* One row on as many lines as its tallest cell needs. */
static void put_row(jl_buf *out, const layout *l, const char *const *cells)
{
    const char *rest[JL_MAX_COLUMNS];
    for (size_t c = 0; c < l->count; c++)
        rest[c] = cells[c] ? cells[c] : "";
    bool more = true;
    while (more) {
        size_t pending = 0; /* blanks owed: none are printed at the end of a line */
        more = false;
        for (size_t c = 0; c < l->count; c++) {
            size_t n = line_bytes(rest[c], l->widths[c]), w = characters(rest[c], n);
            size_t blank = l->widths[c] > w ? l->widths[c] - w : 0;
            if (l->columns[c].right) pending += blank;
            if (n) {
                jl_buf_printf(out, "%*s%.*s", (int)pending, "", (int)n, rest[c]);
                pending = 0;
            }
            pending += l->gap + (l->columns[c].right ? 0 : blank);
            rest[c] += n;
            while (*rest[c] == ' ')
                rest[c]++;
            more |= *rest[c] != '\0';
        }
        jl_buf_puts(out, "\n");
    }
}

static size_t total_width(const layout *l)
{
    size_t total = l->gap * (l->count - 1);
    for (size_t c = 0; c < l->count; c++)
        total += l->widths[c];
    return total;
}

/* Takes characters from the widest left-aligned column until the table fits, or none is left
 * that may shrink: down to its longest piece, or with `hard` to NARROWEST. */
static void shrink(layout *l, size_t width, bool hard)
{
    for (size_t total = total_width(l); total > width; total--) {
        size_t widest = l->count;
        for (size_t c = 0; c < l->count; c++) {
            size_t least = hard ? NARROWEST : l->pieces[c];
            if (!l->columns[c].right && l->widths[c] > least &&
                (widest == l->count || l->widths[c] > l->widths[widest]))
                widest = c;
        }
        if (widest == l->count) return;
        l->widths[widest]--;
    }
}

void jl_text_table(jl_buf *out, const jl_column *columns, size_t count, const char *const *cells,
                   size_t rows, size_t width)
{
    layout l = {.columns = columns, .count = count, .gap = WIDE_GAP};
    if (count == 0 || count > JL_MAX_COLUMNS) return;
    const char *titles[JL_MAX_COLUMNS];
    for (size_t c = 0; c < count; c++) {
        titles[c] = columns[c].title;
        l.widths[c] = l.pieces[c] = longest_word(titles[c]);
        for (size_t r = 0; r < rows; r++) {
            const char *cell = cells[r * count + c];
            size_t w = cell ? characters(cell, strlen(cell)) : 0;
            size_t piece = cell ? longest_piece(cell) : 0;
            if (w > l.widths[c]) l.widths[c] = w;
            if (piece > l.pieces[c]) l.pieces[c] = piece;
        }
    }
    shrink(&l, width, false);
    if (total_width(&l) > width) l.gap = NARROW_GAP;
    shrink(&l, width, true);
    put_row(out, &l, titles);
    for (size_t c = 0; c < count; c++) {
        for (size_t i = 0; i < l.widths[c]; i++)
            jl_buf_puts(out, "-");
        jl_buf_puts(out, c + 1 == count ? "\n" : l.gap == WIDE_GAP ? "  " : " ");
    }
    for (size_t r = 0; r < rows; r++)
        put_row(out, &l, cells + r * count);
}
