#include "base/text_table.h"

enum { WIDE_GAP = 2, NARROW_GAP = 1, NARROWEST = 8, TITLES_REACH = 36 };

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
 * or (not in titles) after the last of "/+," that fits, or cut hard. */
static size_t line_bytes(const char *s, size_t width, bool title)
{
    size_t n = 0, seen = 0, good = 0;
    while (s[n]) {
        if (!continues(s[n])) {
            if (seen == width) break;
            seen++;
        }
        if (s[n] == ' ' && n) good = n;
        if (!title && breaks_after(s, n)) good = n + 1;
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
static void put_row(jl_buf *out, const layout *l, const char *const *cells, bool title)
{
    const char *rest[JL_MAX_COLUMNS];
    for (size_t c = 0; c < l->count; c++)
        rest[c] = cells[c] ? cells[c] : "";
    bool more = true;
    while (more) {
        size_t pending = 0; /* blanks owed: none are printed at the end of a line */
        more = false;
        for (size_t c = 0; c < l->count; c++) {
            size_t n = line_bytes(rest[c], l->widths[c], title), w = characters(rest[c], n);
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

/* Lines that a title takes in so many characters. */
static size_t title_lines(const char *title, size_t width)
{
    size_t lines = 0;
    while (*title) {
        title += line_bytes(title, width, true);
        title += strspn(title, " ");
        lines++;
    }
    return lines;
}

/* Gives room that is left to the titles of most lines, as long as all of them get shorter. */
static void widen(layout *l, size_t width)
{
    for (;;) {
        size_t most = 1, wanted[JL_MAX_COLUMNS], spare = total_width(l);
        for (size_t c = 0; c < l->count; c++) {
            size_t n = title_lines(l->columns[c].title, l->widths[c]);
            most = n > most ? n : most;
        }
        for (size_t c = 0; c < l->count; c++) {
            wanted[c] = l->widths[c];
            while (most > 1 && title_lines(l->columns[c].title, wanted[c]) >= most)
                wanted[c]++;
            spare += wanted[c] - l->widths[c];
        }
        if (most == 1 || spare > width) return;
        memcpy(l->widths, wanted, l->count * sizeof *wanted);
    }
}

/* Widths in which no cell wraps. */
static void measure(layout *l, const char *const *cells, size_t rows)
{
    for (size_t c = 0; c < l->count; c++) {
        l->widths[c] = l->pieces[c] = longest_word(l->columns[c].title);
        for (size_t r = 0; r < rows; r++) {
            const char *cell = cells[r * l->count + c];
            size_t w = cell ? characters(cell, strlen(cell)) : 0;
            size_t piece = cell ? longest_piece(cell) : 0;
            if (w > l->widths[c]) l->widths[c] = w;
            if (piece > l->pieces[c]) l->pieces[c] = piece;
        }
    }
}

static void lay_out(layout *l, const char *const *cells, size_t rows, size_t width)
{
    measure(l, cells, rows);
    if (total_width(l) > width) l->gap = NARROW_GAP;
    if (total_width(l) > width) {
        l->gap = WIDE_GAP;
        shrink(l, width, false);
        if (total_width(l) > width) l->gap = NARROW_GAP;
        shrink(l, width, true);
    }
    widen(l, width);
}

static void put_titles(jl_buf *out, const layout *l)
{
    const char *titles[JL_MAX_COLUMNS];
    for (size_t c = 0; c < l->count; c++)
        titles[c] = l->columns[c].title;
    put_row(out, l, titles, true);
    for (size_t c = 0; c < l->count; c++) {
        for (size_t i = 0; i < l->widths[c]; i++)
            jl_buf_puts(out, "-");
        jl_buf_puts(out, c + 1 == l->count ? "\n" : l->gap == WIDE_GAP ? "  " : " ");
    }
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

void jl_put_wrapped(jl_buf *out, const char *first, const char *rest, const char *text,
                    size_t width)
{
    const char *lead = first;
    while (*text) {
        size_t room = width > strlen(lead) + 20 ? width - strlen(lead) : 20;
        size_t n = strlen(text), good = n;
        if (n > room) {
            for (good = room; good && text[good] != ' ';)
                good--;
            if (!good) good = strcspn(text, " ");
        }
        jl_buf_printf(out, "%s%.*s\n", lead, (int)good, text);
        text += good;
        while (*text == ' ')
            text++;
        lead = rest;
    }
}

void jl_text_table_grouped(jl_buf *out, const jl_column *columns, size_t count,
                           const char *const *cells, const char *const *headings, size_t rows,
                           size_t width)
{
    layout l = {.columns = columns, .count = count, .gap = WIDE_GAP};
    if (count == 0 || count > JL_MAX_COLUMNS) return;
    lay_out(&l, cells, rows, width);
    size_t since = 0; /* rows since the titles */
    put_titles(out, &l);
    for (size_t r = 0; r < rows; r++, since++) {
        const char *heading = headings ? headings[r] : NULL;
        if (headings && (r == 0 || !same(heading, headings[r - 1]))) {
            if (r) jl_buf_puts(out, "\n");
            if (since > TITLES_REACH) {
                put_titles(out, &l);
                since = 0;
            }
            if (heading) jl_put_wrapped(out, "", "  ", heading, width);
        }
        put_row(out, &l, cells + r * count, false);
    }
}

size_t jl_text_table_width(const jl_column *columns, size_t count, const char *const *cells,
                           size_t rows)
{
    layout l = {.columns = columns, .count = count, .gap = WIDE_GAP};
    if (count == 0 || count > JL_MAX_COLUMNS) return 0;
    measure(&l, cells, rows);
    return total_width(&l);
}

void jl_text_table(jl_buf *out, const jl_column *columns, size_t count, const char *const *cells,
                   size_t rows, size_t width)
{
    jl_text_table_grouped(out, columns, count, cells, NULL, rows, width);
}
