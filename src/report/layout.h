/* What the formats for readers share. */
#ifndef JL_REPORT_LAYOUT_H
#define JL_REPORT_LAYOUT_H

#include "base/text_table.h"
#include "report/sheet_private.h"

/* A value as readers see it; NULL for none. */
const char *jl_shown(const jl_sheet *s, const datum *d);
/* The columns with a title that hold anything in these rows: their places. */
size_t jl_shown_columns(const jl_sheet *s, size_t from, size_t to, size_t *at);
bool jl_same_heading(const char *a, const char *b);

void jl_put_latex(const jl_report *r, jl_buf *out);

#endif
