#include "report/sheet.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/sheet_private.h"

jl_report *jl_report_new(void)
{
    jl_report *r = calloc(1, sizeof *r);
    if (r) r->arena = jl_arena_new();
    if (r && r->arena) return r;
    free(r);
    return NULL;
}

void jl_report_for_programs(jl_report *r)
{
    r->programs = true;
}

void jl_report_free(jl_report *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->count; i++) {
        free(r->sheets[i]->data);
        free(r->sheets[i]->headings);
        free(r->sheets[i]);
    }
    jl_arena_free(r->arena);
    free(r);
}

jl_arena *jl_report_arena(jl_report *r)
{
    return r->arena;
}

jl_sheet *jl_report_sheet(jl_report *r, const char *name, const char *title,
                          const jl_sheet_column *columns, size_t count)
{
    static jl_sheet nowhere; /* rooms are 0: whatever is put there is dropped */
    jl_sheet *s =
        r->count < JL_REPORT_SHEETS && count <= JL_SHEET_COLUMNS ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        r->failed = true;
        return &nowhere;
    }
    *s = (jl_sheet){
        .report = r, .name = name, .title = title, .columns = columns, .column_count = count};
    r->sheets[r->count++] = s;
    return s;
}

bool jl_report_has(const jl_report *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->sheets[i]->name, name)) return true;
    return false;
}

void jl_sheet_prose(jl_sheet *s, bool apart)
{
    if (!s->report) return;
    s->prose = true;
    s->apart = apart;
}

static void add_fact(jl_report *r, const char *key, const char *text, size_t n)
{
    if (r->fact_count == JL_REPORT_FACTS) {
        r->failed = true;
        return;
    }
    r->facts[r->fact_count].key = key;
    r->facts[r->fact_count].text = text;
    r->facts[r->fact_count++].n = n;
}

void jl_report_fact(jl_report *r, const char *key, const char *text)
{
    add_fact(r, key, text ? text : "", 0);
}

void jl_report_count(jl_report *r, const char *key, size_t n)
{
    add_fact(r, key, NULL, n);
}

static bool grow(jl_sheet *s)
{
    size_t room = s->room ? 2 * s->room : 64;
    datum *data = realloc(s->data, room * s->column_count * sizeof *data);
    if (data) s->data = data;
    const char **headings = realloc(s->headings, room * sizeof *headings);
    if (headings) s->headings = headings;
    if (data && headings) s->room = room;
    return data && headings;
}

void jl_sheet_row(jl_sheet *s, const char *heading)
{
    if (!s->report || s->report->failed) return;
    if (s->rows == s->room && !grow(s)) {
        s->report->failed = true;
        return;
    }
    memset(s->data + s->rows * s->column_count, 0, s->column_count * sizeof *s->data);
    s->headings[s->rows++] = heading;
    s->put = 0;
}

static void put(jl_sheet *s, datum d)
{
    if (!s->report || s->report->failed || !s->rows || s->put == s->column_count) return;
    s->data[(s->rows - 1) * s->column_count + s->put++] = d;
}

void jl_sheet_text(jl_sheet *s, const char *text)
{
    put(s, (datum){.kind = text ? DATUM_TEXT : DATUM_NONE, .text = text});
}

void jl_sheet_count(jl_sheet *s, uint64_t n)
{
    put(s, (datum){.kind = DATUM_COUNT, .count = n});
}

void jl_sheet_bool(jl_sheet *s, bool b)
{
    put(s, (datum){.kind = DATUM_BOOL, .count = b});
}

const char *jl_digits(jl_arena *a, jl_value v, double unit)
{
    if (v.why) return NULL;
    double x = v.value * unit;
    int whole = fabs(x) > 0 ? (int)floor(log10(fabs(x))) : 0;
    if ((x != 0 && fabs(x) < 0.01) || fabs(x) >= 1e7) return jl_arena_printf(a, "%.3g", x);
    return jl_arena_printf(a, "%.*f", whole > 3 ? 0 : 3 - whole, x);
}

static void put_shown(jl_sheet *s, double v, const char *shown)
{
    put(s, (datum){.kind = DATUM_NUMBER, .number = v, .text = shown});
}

void jl_sheet_value(jl_sheet *s, jl_value v)
{
    if (v.why || !s->report)
        jl_sheet_text(s, NULL);
    else
        put_shown(s, v.value, s->report->programs ? NULL : jl_digits(s->report->arena, v, 1));
}

void jl_sheet_number(jl_sheet *s, double v)
{
    jl_sheet_value(s, isfinite(v) ? jl_some(v) : jl_none(JL_NO_VALUES));
}

void jl_sheet_p(jl_sheet *s, jl_value p)
{
    if (p.why || !s->report)
        jl_sheet_text(s, NULL);
    else
        put_shown(s, p.value,
                  s->report->programs ? NULL : jl_arena_printf(s->report->arena, "%.2g", p.value));
}

void jl_sheet_interval(jl_sheet *s, const jl_interval *i, double unit)
{
    if (!s->report) return;
    if (!i || i->why) {
        for (int k = 0; k < 4; k++)
            jl_sheet_text(s, NULL);
        s->lacks_interval = true;
        return;
    }
    jl_arena *a = s->report->arena;
    put_shown(s, i->low, NULL);
    put_shown(s, i->high, NULL);
    put_shown(s, i->level, NULL);
    jl_sheet_text(s, s->report->programs
                         ? NULL
                         : jl_arena_printf(a, "%s..%s", jl_digits(a, jl_some(i->low), unit),
                                           jl_digits(a, jl_some(i->high), unit)));
    if (!(s->least_level > 0) || i->level < s->least_level) s->least_level = i->level;
    if (i->level > s->most_level) s->most_level = i->level;
}

void jl_sheet_note(jl_sheet *s, const char *format, ...)
{
    if (!s->report || s->note_count == JL_SHEET_NOTES) return;
    va_list args;
    va_start(args, format);
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *note = jl_arena_strndup(s->report->arena, text, strlen(text));
    for (size_t i = 0; note && i < s->note_count; i++)
        if (!strcmp(s->notes[i], note)) return;
    if (note) s->notes[s->note_count++] = note;
    s->report->failed |= !note;
}

size_t jl_sheet_rows(const jl_sheet *s)
{
    return s->rows;
}

const char *jl_sheet_levels(const jl_sheet *s)
{
    jl_arena *a = s->report->arena;
    double low = 100 * s->least_level, high = 100 * s->most_level;
    if (!(low > 0))
        return s->lacks_interval && s->rows ? "No interval: at 95 % it needs at least 6 rounds."
                                            : NULL;
    if (high - low < 0.05) return jl_arena_printf(a, "Intervals hold with %.1f %%.", low);
    return jl_arena_printf(a, "Intervals hold with %.1f %% to %.1f %%.", low, high);
}
