/* Sheets as text. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text_table.h"
#include "report/sheet_private.h"

/* --- for readers --- */

static const char *shown(const jl_sheet *s, const datum *d)
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

/* The columns with a title that hold anything in these rows: their places. */
static size_t shown_columns(const jl_sheet *s, size_t from, size_t to, size_t *at)
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

static bool same_heading(const char *a, const char *b)
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
        jl_buf_puts(out, s->columns[at[k]].right ? "|---:" : "|---");
    jl_buf_puts(out, "|\n");
    for (size_t row = from; row < to; row++) {
        for (size_t k = 0; k < n; k++) {
            jl_buf_puts(out, "| ");
            put_md_text(out, shown(s, &s->data[row * s->column_count + at[k]]));
            jl_buf_puts(out, " ");
        }
        jl_buf_puts(out, "|\n");
    }
}

static int put_rows(const jl_sheet *s, size_t from, size_t to, bool md, size_t width, jl_buf *out)
{
    size_t at[JL_MAX_COLUMNS], n = shown_columns(s, from, to, at);
    if (md) {
        put_md(s, from, to, at, n, out);
        return 0;
    }
    jl_column columns[JL_MAX_COLUMNS];
    const char **cells = calloc((to - from) * n + 1, sizeof *cells);
    if (!cells) return -1;
    for (size_t k = 0; k < n; k++) {
        columns[k] = (jl_column){s->columns[at[k]].title, s->columns[at[k]].right};
        for (size_t row = from; row < to; row++)
            cells[(row - from) * n + k] = shown(s, &s->data[row * s->column_count + at[k]]);
    }
    jl_text_table(out, columns, n, cells, to - from, width);
    free(cells);
    return 0;
}

/* Text cut at spaces, each line after `first` or `rest`. */
static void put_wrapped(jl_buf *out, const char *first, const char *rest, const char *text,
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

static void put_prose(const jl_sheet *s, bool md, size_t width, jl_buf *out)
{
    for (size_t row = 0; row < s->rows; row++) {
        const datum *d = s->data + row * s->column_count;
        if (row) jl_buf_puts(out, "\n");
        for (size_t k = 0; k < s->column_count; k++) {
            if (!s->columns[k].title || d[k].kind == DATUM_NONE) continue;
            const char *text = shown(s, &d[k]), *title = s->columns[k].title;
            if (md) {
                jl_buf_printf(out, "%s%s%s%s\n", k ? "  - " : "- ", title, *title ? ": " : "",
                              text);
            } else if (!*title) {
                put_wrapped(out, "", "", text, width);
            } else {
                const char *lead = jl_arena_printf(s->report->arena, "    %s: ", title);
                put_wrapped(out, lead ? lead : "    ", "      ", text, width);
            }
        }
    }
}

static int put_sheet(const jl_sheet *s, bool md, size_t width, jl_buf *out)
{
    if (s->title && md) jl_buf_printf(out, "### %s\n\n", s->title);
    if (s->title && !md) {
        put_wrapped(out, "", "", s->title, width);
        jl_buf_puts(out, "\n");
    }
    if (s->prose) put_prose(s, md, width, out);
    int rc = 0;
    for (size_t row = 0, to; !s->prose && row < s->rows && !rc; row = to) {
        for (to = row; to < s->rows && same_heading(s->headings[to], s->headings[row]);)
            to++;
        if (row) jl_buf_puts(out, "\n");
        if (s->headings[row] && md) jl_buf_printf(out, "**%s**\n\n", s->headings[row]);
        if (s->headings[row] && !md) put_wrapped(out, "", "  ", s->headings[row], width);
        rc = put_rows(s, row, to, md, width, out);
    }
    const char *levels = jl_sheet_levels(s);
    if (s->rows && (levels || s->note_count)) jl_buf_puts(out, "\n");
    if (levels) put_wrapped(out, "", "", levels, width);
    for (size_t i = 0; i < s->note_count; i++) {
        if (md && (levels || i)) jl_buf_puts(out, "\n");
        put_wrapped(out, "", "", s->notes[i], md ? SIZE_MAX : width);
    }
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
    if (format == JL_REPORT_TABLE || format == JL_REPORT_MD)
        for (size_t i = 0; i < r->count && !rc; i++) {
            if (i) jl_buf_puts(out, "\n");
            rc = put_sheet(r->sheets[i], format == JL_REPORT_MD, width, out);
        }
    if (rc || out->failed) return jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    return 0;
}
