/* Sheets as text. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/layout.h"

/* --- for readers --- */

const char *jl_shown(const jl_sheet *s, const datum *d)
{
    jl_arena *a = s->report->arena;
    switch (d->kind) {
    case DATUM_TEXT:
    case DATUM_NUMBER:
        return d->text;
    case DATUM_COUNT:
        return jl_arena_printf(a, "%" PRIu64, d->count);
    case DATUM_BOOL:
        return d->count ? "yes" : "no";
    default:
        return NULL;
    }
}

size_t jl_shown_columns(const jl_sheet *s, size_t from, size_t to, size_t *at)
{
    size_t n = 0;
    for (size_t k = 0; k < s->column_count && n < JL_MAX_COLUMNS; k++) {
        bool any = false;
        for (size_t row = from; row < to && !any && s->columns[k].title; row++)
            any = s->data[row * s->column_count + k].kind != DATUM_NONE;
        if (any) at[n++] = k;
    }
    return n;
}

bool jl_same_heading(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static void put_md_text(jl_buf *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|') jl_buf_puts(out, "\\");
        jl_buf_append(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_md(const jl_sheet *s, size_t from, size_t to, const size_t *at, size_t n,
                   jl_buf *out)
{
    for (size_t k = 0; k < n; k++)
        jl_buf_printf(out, "| %s ", s->columns[at[k]].title);
    jl_buf_puts(out, "|\n");
    for (size_t k = 0; k < n; k++)
        jl_buf_puts(out, s->columns[at[k]].align ? "|---:" : "|---");
    jl_buf_puts(out, "|\n");
    for (size_t row = from; row < to; row++) {
        for (size_t k = 0; k < n; k++) {
            jl_buf_puts(out, "| ");
            put_md_text(out, jl_shown(s, &s->data[row * s->column_count + at[k]]));
            jl_buf_puts(out, " ");
        }
        jl_buf_puts(out, "|\n");
    }
}

static void fill_cells(const jl_sheet *s, const size_t *at, size_t n, jl_column *columns,
                       const char **cells)
{
    for (size_t k = 0; k < n; k++) {
        columns[k] = (jl_column){s->columns[at[k]].title, s->columns[at[k]].align != JL_LEFT};
        for (size_t row = 0; row < s->rows; row++)
            cells[row * n + k] = jl_shown(s, &s->data[row * s->column_count + at[k]]);
    }
}

/* Takes out the last column that may go; false when there is none. */
static bool drop_column(const jl_sheet *s, size_t *at, size_t *n)
{
    for (size_t k = *n; k-- > 0;) {
        if (s->columns[at[k]].align != JL_RIGHT_IF_ROOM) continue;
        memmove(at + k, at + k + 1, (--*n - k) * sizeof *at);
        return true;
    }
    return false;
}

static int put_table(const jl_sheet *s, size_t width, jl_buf *out)
{
    size_t at[JL_MAX_COLUMNS], n = jl_shown_columns(s, 0, s->rows, at);
    if (!s->rows) return 0;
    jl_column columns[JL_MAX_COLUMNS];
    JL_OWNED const char **cells = calloc(s->rows * n + 1, sizeof *cells);
    if (!cells) return -1;
    bool grouped = false;
    for (size_t row = 0; row < s->rows; row++)
        grouped |= s->headings[row] != NULL;
    do {
        fill_cells(s, at, n, columns, cells);
    } while (jl_text_table_width(columns, n, cells, s->rows) > width && drop_column(s, at, &n));
    jl_text_table_grouped(out, columns, n, cells, grouped ? s->headings : NULL, s->rows, width);
    return 0;
}

static void put_md_tables(const jl_sheet *s, jl_buf *out)
{
    for (size_t row = 0, to; row < s->rows; row = to) {
        for (to = row; to < s->rows && jl_same_heading(s->headings[to], s->headings[row]);)
            to++;
        if (row) jl_buf_puts(out, "\n");
        if (s->headings[row]) jl_buf_printf(out, "**%s**\n\n", s->headings[row]);
        size_t at[JL_MAX_COLUMNS], n = jl_shown_columns(s, row, to, at);
        put_md(s, row, to, at, n, out);
    }
}

static void put_prose(const jl_sheet *s, bool md, size_t width, jl_buf *out)
{
    for (size_t row = 0; row < s->rows; row++) {
        const datum *d = s->data + row * s->column_count;
        const char *heading = s->headings[row];
        if (row && s->apart) jl_buf_puts(out, "\n");
        if (heading && (!row || !jl_same_heading(heading, s->headings[row - 1])))
            jl_buf_printf(out, md ? "**%s**\n\n" : "%s:\n", heading);
        for (size_t k = 0; k < s->column_count; k++) {
            if (!s->columns[k].title || d[k].kind == DATUM_NONE) continue;
            const char *text = jl_shown(s, &d[k]), *title = s->columns[k].title;
            if (md) {
                jl_buf_printf(out, "%s%s%s%s\n", k ? "  - " : "- ", title, *title ? ": " : "",
                              text);
            } else if (!*title) {
                jl_put_wrapped(out, "", "", text, width);
            } else {
                const char *lead = jl_arena_printf(s->report->arena, "    %s: ", title);
                jl_put_wrapped(out, lead ? lead : "    ", "      ", text, width);
            }
        }
    }
}

/* A note that stands below a sheet before this one already. */
static bool said_before(const jl_report *r, size_t sheet, const char *note)
{
    for (size_t i = 0; i < sheet; i++)
        for (size_t k = 0; k < r->sheets[i]->note_count; k++)
            if (!strcmp(r->sheets[i]->notes[k], note)) return true;
    return false;
}

static void put_notes(const jl_report *r, size_t sheet, bool md, size_t width, jl_buf *out)
{
    const jl_sheet *s = r->sheets[sheet];
    const char *levels = jl_sheet_levels(s);
    bool any = false;
    for (size_t i = 0; i <= s->note_count; i++) { /* the levels come first */
        const char *note = i ? s->notes[i - 1] : levels;
        if (!note || (i && said_before(r, sheet, note))) continue;
        if (any ? md : s->rows && (!s->prose || s->apart)) jl_buf_puts(out, "\n");
        jl_put_wrapped(out, "", "", note, md ? SIZE_MAX : width);
        any = true;
    }
}

static int put_sheet(const jl_report *r, size_t sheet, bool md, size_t width, jl_buf *out)
{
    const jl_sheet *s = r->sheets[sheet];
    int rc = 0;
    if (s->title && md) jl_buf_printf(out, "### %s\n\n", s->title);
    if (s->title && !md) {
        jl_put_wrapped(out, "", "", s->title, width);
        jl_buf_puts(out, "\n");
    }
    if (s->prose)
        put_prose(s, md, width, out);
    else if (md)
        put_md_tables(s, out);
    else
        rc = put_table(s, width, out);
    put_notes(r, sheet, md, width, out);
    return rc;
}

/* --- for programs --- */

static json_t *json_of(const datum *d)
{
    switch (d->kind) {
    case DATUM_TEXT:
        return json_string(d->text);
    case DATUM_NUMBER:
        return json_real(d->number);
    case DATUM_COUNT:
        return json_integer((json_int_t)d->count);
    case DATUM_BOOL:
        return json_boolean(d->count);
    default:
        return json_null();
    }
}

static json_t *sheet_json(const jl_sheet *s)
{
    json_t *all = json_array();
    for (size_t row = 0; row < s->rows; row++) {
        json_t *j = json_object();
        for (size_t k = 0; k < s->column_count; k++)
            if (s->columns[k].key)
                json_object_set_new(j, s->columns[k].key,
                                    json_of(&s->data[row * s->column_count + k]));
        json_array_append_new(all, j);
    }
    return all;
}

static void put_json(const jl_report *r, jl_buf *out)
{
    json_t *all = json_object(), *notes = json_object();
    for (size_t i = 0; i < r->fact_count; i++)
        json_object_set_new(all, r->facts[i].key,
                            r->facts[i].text ? json_string(r->facts[i].text)
                                             : json_integer((json_int_t)r->facts[i].n));
    for (size_t i = 0; i < r->count; i++) {
        const jl_sheet *s = r->sheets[i];
        json_object_set_new(all, s->name, sheet_json(s));
        json_t *list = json_array();
        for (size_t k = 0; k < s->note_count; k++)
            json_array_append_new(list, json_string(s->notes[k]));
        json_object_set_new(notes, s->name, list);
    }
    json_object_set_new(all, "notes", notes);
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (text)
        jl_buf_printf(out, "%s\n", text);
    else
        out->failed = true;
    free(text);
    json_decref(all);
}

/* One line a row, each with the name of its sheet. */
static void put_jsonl(const jl_report *r, jl_buf *out)
{
    for (size_t i = 0; i < r->count; i++) {
        json_t *rows = sheet_json(r->sheets[i]), *row;
        size_t at;
        json_array_foreach(rows, at, row)
        {
            json_object_set_new(row, "section", json_string(r->sheets[i]->name));
            char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
            if (text)
                jl_buf_printf(out, "%s\n", text);
            else
                out->failed = true;
            free(text);
        }
        json_decref(rows);
    }
}

static void put_csv_text(jl_buf *out, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) {
        jl_buf_puts(out, text);
        return;
    }
    jl_buf_puts(out, "\"");
    for (; *text; text++) {
        if (*text == '"') jl_buf_puts(out, "\"");
        jl_buf_append(out, text, 1);
    }
    jl_buf_puts(out, "\"");
}

static void put_csv_datum(jl_buf *out, const datum *d)
{
    if (d->kind == DATUM_TEXT) put_csv_text(out, d->text);
    if (d->kind == DATUM_NUMBER) jl_buf_printf(out, "%.9g", d->number);
    if (d->kind == DATUM_COUNT || d->kind == DATUM_BOOL) jl_buf_printf(out, "%" PRIu64, d->count);
}

/* Sheets after one another, an empty line between them; the first column names the sheet when
 * there are several. */
static void put_csv(const jl_report *r, jl_buf *out)
{
    bool several = r->count > 1;
    for (size_t i = 0; i < r->count; i++) {
        const jl_sheet *s = r->sheets[i];
        if (i) jl_buf_puts(out, "\r\n");
        if (several) jl_buf_puts(out, "section");
        for (size_t k = 0, first = !several; k < s->column_count; k++) {
            if (!s->columns[k].key) continue;
            jl_buf_printf(out, "%s%s", first ? "" : ",", s->columns[k].key);
            first = false;
        }
        jl_buf_puts(out, "\r\n");
        for (size_t row = 0; row < s->rows; row++) {
            if (several) jl_buf_puts(out, s->name);
            for (size_t k = 0, first = !several; k < s->column_count; k++) {
                if (!s->columns[k].key) continue;
                if (!first) jl_buf_puts(out, ",");
                put_csv_datum(out, &s->data[row * s->column_count + k]);
                first = false;
            }
            jl_buf_puts(out, "\r\n");
        }
    }
}

int jl_report_print(const jl_report *r, jl_report_format format, size_t width, jl_buf *out,
                    jl_error *err)
{
    int rc = r->failed ? -1 : 0;
    if (!rc && format == JL_REPORT_JSON) put_json(r, out);
    if (!rc && format == JL_REPORT_CSV) put_csv(r, out);
    if (!rc && format == JL_REPORT_JSONL) put_jsonl(r, out);
    if (!rc && format == JL_REPORT_LATEX) jl_put_latex(r, out);
    if (format == JL_REPORT_TABLE || format == JL_REPORT_MD)
        for (size_t i = 0; i < r->count && !rc; i++) {
            if (i) jl_buf_puts(out, "\n");
            rc = put_sheet(r, i, format == JL_REPORT_MD, width, out);
        }
    if (rc || out->failed) return jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    return 0;
}
