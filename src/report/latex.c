/* Sheets as LaTeX tables with the rules of booktabs, for papers. */
#include "report/layout.h"

static void put_text(jl_buf *out, const char *text)
{
    static const char *const special = "&%$#_{}";
    for (; text && *text; text++) {
        if (strchr(special, *text))
            jl_buf_printf(out, "\\%c", *text);
        else if (*text == '\\')
            jl_buf_puts(out, "\\textbackslash{}");
        else if (*text == '~')
            jl_buf_puts(out, "\\textasciitilde{}");
        else if (*text == '^')
            jl_buf_puts(out, "\\textasciicircum{}");
        else if (!strncmp(text, "\xc2\xb1", 2)) {
            jl_buf_puts(out, "$\\pm$");
            text++;
        } else if (!strncmp(text, "..", 2) && text[2] != '.') {
            jl_buf_puts(out, "--"); /* 0.97--0.99 */
            text++;
        } else
            jl_buf_append(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_row(jl_buf *out, const jl_sheet *s, size_t row, const size_t *at, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (k) jl_buf_puts(out, " & ");
        put_text(out, jl_shown(s, &s->data[row * s->column_count + at[k]]));
    }
    jl_buf_puts(out, " \\\\\n");
}

static void put_table(const jl_sheet *s, jl_buf *out)
{
    size_t at[JL_MAX_COLUMNS], n = jl_shown_columns(s, 0, s->rows, at);
    jl_buf_puts(out, "\\begin{tabular}{");
    for (size_t k = 0; k < n; k++)
        jl_buf_puts(out, s->columns[at[k]].align == JL_LEFT ? "l" : "r");
    jl_buf_puts(out, "}\n\\toprule\n");
    for (size_t k = 0; k < n; k++) {
        if (k) jl_buf_puts(out, " & ");
        put_text(out, s->columns[at[k]].title);
    }
    jl_buf_puts(out, " \\\\\n");
    for (size_t row = 0; row < s->rows; row++) {
        const char *heading = s->headings[row];
        bool begins = !row || !jl_same_heading(heading, s->headings[row - 1]);
        if (begins) jl_buf_puts(out, "\\midrule\n");
        if (begins && heading) {
            jl_buf_printf(out, "\\multicolumn{%zu}{l}{", n);
            put_text(out, heading);
            jl_buf_puts(out, "} \\\\\n");
        }
        put_row(out, s, row, at, n);
    }
    jl_buf_puts(out, "\\bottomrule\n\\end{tabular}\n");
}

static void put_prose(const jl_sheet *s, jl_buf *out)
{
    jl_buf_puts(out, "\\begin{itemize}\n");
    for (size_t row = 0; row < s->rows; row++) {
        jl_buf_puts(out, "\\item ");
        put_text(out, jl_shown(s, &s->data[row * s->column_count]));
        jl_buf_puts(out, "\n");
    }
    jl_buf_puts(out, "\\end{itemize}\n");
}

void jl_put_latex(const jl_report *r, jl_buf *out)
{
    jl_buf_puts(out, "% needs \\usepackage{booktabs}\n");
    for (size_t i = 0; i < r->count; i++) {
        const jl_sheet *s = r->sheets[i];
        jl_buf_puts(out, "\n\\paragraph{");
        put_text(out, s->title ? s->title : s->name);
        jl_buf_puts(out, "}\n\n");
        if (s->rows && s->prose)
            put_prose(s, out);
        else if (s->rows)
            put_table(s, out);
        const char *levels = jl_sheet_levels(s);
        for (size_t k = 0; k <= s->note_count; k++) { /* the levels come first */
            const char *note = k ? s->notes[k - 1] : levels;
            if (!note) continue;
            jl_buf_puts(out, "\n");
            put_text(out, note);
            jl_buf_puts(out, "\n");
        }
    }
}
