/* What the study shows, in sentences. */
#include "jouleline/findings.h"

#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"text", "", false},     {"caution", "Not held equal", false},
    {"kind", NULL, false},   {"metric", NULL, false},
    {"rounds", NULL, false}, {"ratio", NULL, false},
    {"low", NULL, false},    {"high", NULL, false},
    {"level", NULL, false},  {"effect", NULL, false},
    {"p", NULL, false},      {"query", "Query", false},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static const char *kept(jl_report *r, const char *text)
{
    return text ? jl_arena_strndup(jl_report_arena(r), text, strlen(text)) : NULL;
}

static void put_finding(jl_sheet *s, jl_report *r, const jl_finding *f)
{
    const jl_value none = jl_none(JL_NOT_TESTED);
    bool interval = !f->interval.why && f->interval.level > 0;
    jl_sheet_row(s, NULL);
    jl_sheet_text(s, kept(r, f->text));
    jl_sheet_text(s, kept(r, f->caution));
    jl_sheet_text(s, jl_finding_kind_name(f->kind));
    jl_sheet_text(s, jl_metric_column(f->metric));
    jl_sheet_count(s, f->rounds);
    jl_sheet_value(s, f->ratio);
    jl_sheet_value(s, interval ? jl_some(f->interval.low) : none);
    jl_sheet_value(s, interval ? jl_some(f->interval.high) : none);
    jl_sheet_value(s, interval ? jl_some(f->interval.level) : none);
    jl_sheet_value(s, f->effect);
    jl_sheet_p(s, f->p);
    jl_sheet_text(s, kept(r, f->query));
}

int jl_section_findings(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err)
{
    jl_findings_options options = {.seed = o->seed};
    jl_findings all = {0};
    int rc = jl_find(jl_study_data_table(d), &options, &all, err);
    if (rc) return rc;
    jl_sheet *s = jl_report_sheet(r, "findings", "Findings", columns, COLUMNS);
    jl_sheet_prose(s);
    for (size_t i = 0; i < all.count; i++)
        put_finding(s, r, &all.items[i]);
    jl_findings_free(&all);
    if (!jl_sheet_rows(s))
        jl_sheet_note(s, "Nothing was shown: no tested difference in complete rounds.");
    jl_note_origin(s, d);
    return 0;
}
