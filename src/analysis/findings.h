/* What the rules of the findings share. */
#ifndef JL_ANALYSIS_FINDINGS_H
#define JL_ANALYSIS_FINDINGS_H

#include "base/arena.h"
#include "base/str.h"
#include "jouleline/findings.h"

/* Findings under construction. The first failure is kept; rules after it do nothing. */
typedef struct jl_notebook {
    const jl_study_table *t;
    double alpha;
    uint64_t seed;
    jl_findings *out;
    size_t room;
    jl_arena *arena;
    jl_roof_place *places; /* one a cell */
    int rc;
    jl_error *err;
} jl_notebook;

/* Adds a finding: text, caution (may be empty) and query are copied, and their buffers freed. */
void jl_note(jl_notebook *b, jl_finding finding, jl_buf *text, jl_buf *caution, jl_buf *query);

/* A subject: three indices. */
static inline uint64_t jl_subject(uint32_t a, uint32_t b, uint32_t c)
{
    return (uint64_t)a << 42 | (uint64_t)b << 21 | c;
}

/* Whether other cells of this device, configuration and in-flight have a smaller, and others a
 * larger batch: sentences are about the smallest and the largest, tables about all. */
bool jl_middle_batch(const jl_study_table *t, const jl_study_cell *c);

/* "GeForce GTX 1650", with " (simulated)" when it is. */
void jl_put_device(jl_buf *b, const jl_study_device *d);
/* "'text'" for SQL. */
void jl_put_quoted(jl_buf *b, const char *text);
/* " a, b and c", at most `most` names and then "and 4 more". */
void jl_put_models(jl_buf *b, const jl_study_table *t, const uint32_t *models, size_t n,
                   size_t most);
/* "97.9 % interval 0.61 to 0.64", or why there is none. */
void jl_put_interval(jl_buf *b, jl_interval i);
/* "p = 0.0020". */
void jl_put_p(jl_buf *b, jl_value p);
/* 3 or 4 digits: "0.0123", "12.34", "1234". */
void jl_put_number(jl_buf *b, double v);
/* "4 to 5 %" with so many digits, or "5 %" when both print alike. */
void jl_put_range(jl_buf *b, double low, double high, int digits, const char *unit);
/* SELECT ... FROM result WHERE device, and so far: the caller appends " AND ...". */
void jl_query_start(jl_buf *q, const char *columns, const jl_study_device *d);
/* The end of a query over finished rounds. */
void jl_query_end(jl_buf *q);

void jl_note_contrasts(jl_notebook *b, jl_metric metric);
void jl_note_devices(jl_notebook *b, jl_metric metric);
void jl_note_failures(jl_notebook *b);
void jl_note_roofs(jl_notebook *b);
void jl_note_energy(jl_notebook *b);

#endif
