#ifndef JL_REPORT_SHEET_PRIVATE_H
#define JL_REPORT_SHEET_PRIVATE_H

#include "report/sheet.h"

typedef enum datum_kind {
    DATUM_NONE,
    DATUM_TEXT,
    DATUM_NUMBER,
    DATUM_COUNT,
    DATUM_BOOL
} datum_kind;

typedef struct datum {
    datum_kind kind;
    const char *text; /* of DATUM_TEXT, and how readers see a number */
    union {
        double number;
        uint64_t count; /* also of DATUM_BOOL */
    };
} datum;

enum { JL_SHEET_COLUMNS = 48, JL_SHEET_NOTES = 64, JL_REPORT_SHEETS = 24, JL_REPORT_FACTS = 8 };

struct jl_sheet {
    jl_report *report;
    const char *name, *title;
    const jl_sheet_column *columns;
    size_t column_count, rows, room, put; /* put: values of the last row */
    datum *data;
    const char **headings; /* one a row */
    const char *notes[JL_SHEET_NOTES];
    size_t note_count;
    bool prose, apart;
    double least_level, most_level; /* of the intervals; 0: none yet */
    bool lacks_interval;
};

struct jl_report {
    jl_arena *arena;
    jl_sheet *sheets[JL_REPORT_SHEETS];
    size_t count;
    struct {
        const char *key, *text; /* text NULL: the count */
        size_t n;
    } facts[JL_REPORT_FACTS];
    size_t fact_count;
    const void *table; /* the study table that the next two were found in */
    bool several_devices, several_in_flight;
    bool failed, programs;
};

/* "Intervals hold with 95.1 % to 97.9 %.", or NULL when the sheet has none. */
const char *jl_sheet_levels(const jl_sheet *s);

#endif
