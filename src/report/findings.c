/* What the study shows, in sentences. */
#include "jouleline/findings.h"

#include <stdlib.h>

#include "base/memory.h"
#include "jouleline/multiplicity.h"
#include "report/sections.h"

#define COLUMNS_OF(query)                                                                          \
    {"text", "", false}, {"caution", "Caution", false}, {"kind", NULL, false},                     \
        {"metric", NULL, false}, {"rounds", NULL, false}, {"ratio", NULL, false},                  \
        {"low", NULL, false}, {"high", NULL, false}, {"level", NULL, false},                       \
        {"effect", NULL, false}, {"p", NULL, false},                                               \
    {                                                                                              \
        "query", query, false                                                                      \
    }

static const jl_sheet_column columns[] = {COLUMNS_OF("Query")},
                             brief_columns[] = {COLUMNS_OF(NULL)};
enum { COLUMNS = sizeof columns / sizeof *columns, BRIEF = 12 };

static const char *kept(jl_report *r, const char *text)
{
    return text ? jl_arena_strndup(jl_report_arena(r), text, strlen(text)) : NULL;
}

static const char *const headings[JL_FINDING_KINDS] = {
    [JL_FINDING_HEADLINE] = "Least energy or time",
    [JL_FINDING_RUNTIME] = "Runtimes",
    [JL_FINDING_PRECISION] = "Precisions",
    [JL_FINDING_INT8] = "INT8",
    [JL_FINDING_REGIME] = "Native against matched settings",
    [JL_FINDING_BATCH] = "Batches",
    [JL_FINDING_DEVICE] = "Devices",
    [JL_FINDING_FAILURE] = "What does not run",
    [JL_FINDING_ROOFLINE] = "What binds",
    [JL_FINDING_ENERGY] = "Where the joules go",
    [JL_FINDING_PARADOX] = "Fewer operations, more energy",
};

static void put_finding(jl_sheet *s, jl_report *r, const jl_finding *f)
{
    const jl_value none = jl_none(JL_NOT_TESTED);
    bool interval = !f->interval.why && f->interval.level > 0;
    jl_sheet_row(s, headings[f->kind]);
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

/* What the number of rounds cannot show. */
static void note_reach(jl_sheet *s, const jl_study_data *d, bool headline)
{
    size_t complete = jl_study_data_complete_rounds(d), least = jl_rounds_needed(1, 0.05);
    if (complete == 0)
        jl_sheet_note(s, "Nothing was shown: no round is complete.");
    else if (complete < least)
        jl_sheet_note(s,
                      "%zu complete round%s: no difference can be tested, which takes at least %zu "
                      "rounds. What is said here was observed.",
                      complete, complete == 1 ? "" : "s", least);
    else if (!jl_sheet_rows(s))
        jl_sheet_note(s, headline ? "Nothing was shown beyond the sentence at the top."
                                  : "Nothing was shown: no tested difference in complete rounds.");
    jl_note_origin(s, d);
}

int jl_section_findings(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err)
{
    jl_findings_options options = {.seed = o->seed};
    jl_findings all = {0};
    int rc = jl_find(jl_study_data_table(d), &options, &all, err);
    if (rc) return rc;
    JL_OWNED bool *chosen = calloc(all.count + 1, sizeof *chosen);
    if (!chosen) {
        jl_findings_free(&all);
        return jl_fail(err, JL_ERR_MEMORY, "no memory for the findings");
    }
    size_t n = o->brief ? jl_findings_brief(&all, BRIEF, chosen) : all.count, told = 0;
    jl_sheet *s =
        jl_report_sheet(r, "findings", "Findings", o->brief ? brief_columns : columns, COLUMNS);
    jl_sheet_prose(s, true);
    for (size_t i = 0; i < all.count; i++) {
        if (!o->brief || chosen[i]) put_finding(s, r, &all.items[i]);
        told += all.items[i].kind == JL_FINDING_HEADLINE || all.items[i].kind == JL_FINDING_FAILURE;
    }
    if (o->brief && n + told < all.count)
        jl_sheet_note(s, "%zu more findings, and the query behind each: section findings (-s).",
                      all.count - n - told);
    jl_findings_free(&all);
    note_reach(s, d, told > 0);
    return 0;
}
