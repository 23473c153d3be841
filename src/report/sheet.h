/* A report as sheets: rows of typed values, laid out for readers (table, Markdown) and for programs
 * (CSV, JSON). A column may be for one of them alone: readers get rounded figures in handy units,
 * programs everything in base units. */
#ifndef JL_REPORT_SHEET_H
#define JL_REPORT_SHEET_H

#include "base/arena.h"
#include "base/str.h"
#include "jouleline/statistics.h"

typedef enum jl_report_format {
    JL_REPORT_TABLE,
    JL_REPORT_MD,
    JL_REPORT_CSV,
    JL_REPORT_JSON,
    JL_REPORT_JSONL,
    JL_REPORT_LATEX,
} jl_report_format;

/* How readers see a column; false is left, true right. */
typedef enum jl_align {
    JL_LEFT,
    JL_RIGHT,
    JL_RIGHT_IF_ROOM, /* left out where the table would be too wide */
} jl_align;

typedef struct jl_sheet_column {
    const char *key;   /* of CSV and JSON; NULL: only for readers */
    const char *title; /* of tables; NULL: only for programs */
    jl_align align;
} jl_sheet_column;

/* What jl_sheet_interval fills, for readers and for programs. */
#define JL_INTERVAL_COLUMNS                                                                        \
    {"low", NULL, false}, {"high", NULL, false}, {"level", NULL, false},                           \
    {                                                                                              \
        NULL, "interval", true                                                                     \
    }

typedef struct jl_sheet jl_sheet;
typedef struct jl_report jl_report;

jl_report *jl_report_new(void); /* NULL: no memory */
void jl_report_free(jl_report *r);
/* Nobody will read it as tables: the texts of numbers are left out, which halves a large report. */
void jl_report_for_programs(jl_report *r);
jl_arena *jl_report_arena(jl_report *r);

/* A new sheet at the end; `columns` stays borrowed. `name` is its key in JSON. After memory ran out
 * every function does nothing and jl_report_print fails. */
jl_sheet *jl_report_sheet(jl_report *r, const char *name, const char *title,
                          const jl_sheet_column *columns, size_t count);
bool jl_report_has(const jl_report *r, const char *name);
/* Each row is a paragraph (its first column) with the other columns below it, `apart` by an empty
 * line. */
void jl_sheet_prose(jl_sheet *s, bool apart);
/* A member of the JSON document beside the sheets. */
void jl_report_fact(jl_report *r, const char *key, const char *text);
void jl_report_count(jl_report *r, const char *key, size_t n);

/* Starts a row; rows with the same heading (compared as text, NULL none) form one table. Then one
 * value a column, from left to right. Texts must live as long as the report. */
void jl_sheet_row(jl_sheet *s, const char *heading);
void jl_sheet_text(jl_sheet *s, const char *text);
void jl_sheet_count(jl_sheet *s, uint64_t n);
void jl_sheet_bool(jl_sheet *s, bool b);
void jl_sheet_number(jl_sheet *s, double v);  /* NaN: absent */
void jl_sheet_value(jl_sheet *s, jl_value v); /* four digits for readers */
void jl_sheet_p(jl_sheet *s, jl_value p);     /* two digits */
void jl_sheet_interval(jl_sheet *s, const jl_interval *i, double unit); /* four columns */

/* Below the sheet's tables. */
void jl_sheet_note(jl_sheet *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t jl_sheet_rows(const jl_sheet *s);

/* "12.34", "0.001234": four significant digits of v times unit; NULL when absent. */
const char *jl_digits(jl_arena *a, jl_value v, double unit);

int jl_report_print(const jl_report *r, jl_report_format format, size_t width, jl_buf *out,
                    jl_error *err);

#endif
