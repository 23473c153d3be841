/* A table of text laid out for a terminal: titles wrap at spaces, into fewer lines where there is
 * room, and long left-aligned cells wrap when the table would be wider than allowed. Widths count
 * UTF-8 characters. */
#ifndef JL_BASE_TEXT_TABLE_H
#define JL_BASE_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { JL_MAX_COLUMNS = 32, JL_TABLE_WIDTH = 80 };

typedef struct jl_column {
    const char *title;
    bool right; /* numbers: aligned right, never wrapped */
} jl_column;

/* Appends the table to `out`: titles, a rule, and `rows` rows of `count` cells each, row after
 * row in `cells` (NULL prints as an empty cell). `count` is at most JL_MAX_COLUMNS. */
void jl_text_table(jl_buf *out, const jl_column *columns, size_t count, const char *const *cells,
                   size_t rows, size_t width);

/* The same with rows in groups, all in the same columns: rows with equal headings (one a row, NULL
 * for none) follow one another below it. Titles are repeated when the last are far above. */
void jl_text_table_grouped(jl_buf *out, const jl_column *columns, size_t count,
                           const char *const *cells, const char *const *headings, size_t rows,
                           size_t width);
/* Characters that the table takes when no cell wraps. */
size_t jl_text_table_width(const jl_column *columns, size_t count, const char *const *cells,
                           size_t rows);
/* Text cut at spaces into lines of at most `width`; the first begins with `first`, the others with
 * `rest`. */
void jl_put_wrapped(jl_buf *out, const char *first, const char *rest, const char *text,
                    size_t width);

#endif
