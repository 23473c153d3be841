/* A table of text laid out for a terminal: titles wrap at spaces, long left-aligned cells wrap
 * when the table would be wider than allowed. Widths count UTF-8 characters. */
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

#endif
