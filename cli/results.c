#include "results.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text_table.h"
#include "jouleline/findings.h"
#include "terminal.h"

static bool device_has_cells(const jl_study_table *t, uint32_t device)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device) return true;
    return false;
}

static int add_headline(jl_buf *text, const jl_study_table *t, uint32_t device, size_t width,
                        jl_error *err)
{
    jl_headline h;
    int rc = jl_find_headline(t, device, &h, err);
    if (rc) return rc;
    JL_OWNED char *sentence = NULL;
    if (!h.why)
        sentence = jl_headline_text(t, &h);
    else if (asprintf(&sentence,
                      "%s: no comparison: fewer than two configurations ran the same cells in a "
                      "complete round.",
                      t->devices[device].name) < 0)
        sentence = NULL;
    if (!sentence) return jl_fail(err, JL_ERR_MEMORY, "no memory for a sentence");
    jl_put_wrapped(text, "", "", sentence, width);
    return 0;
}

int jl_print_headline(FILE *to, const jl_study_data *d, size_t width, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    JL_CLEANUP(jl_buf_free) jl_buf text = {0};
    for (uint32_t i = 0; i < t->device_count; i++) {
        if (!device_has_cells(t, i) || !t->devices[i].uuid) continue;
        int rc = add_headline(&text, t, i, width, err);
        if (rc) return rc;
    }
    if (jl_study_data_studies(d) > 1) {
        char note[160];
        snprintf(note, sizeof note,
                 "(%zu studies with the same settings are read as one; --study UID takes one "
                 "alone, --list names them.)",
                 jl_study_data_studies(d));
        jl_put_wrapped(&text, "", "", note, width);
    }
    if (text.n) fwrite(text.p, 1, text.n, to);
    return 0;
}

int jl_print_report(FILE *to, const jl_report *r, jl_report_format format, jl_error *err)
{
    jl_buf b JL_CLEANUP(jl_buf_free) = {0};
    int rc = jl_report_print(r, format, jl_terminal_width(to), &b, err);
    if (!rc && b.n) fwrite(b.p, 1, b.n, to);
    return rc;
}

static bool something_failed(const jl_study_table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome != JL_OUTCOME_OK && !jl_cell_is_probe(t, i)) return true;
    return false;
}

static int add_sections(jl_report *r, const jl_study_data *d, const char *const *names,
                        size_t count, const jl_report_options *options, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++) {
        const jl_section *s = jl_section_find(names[i]);
        if (s) {
            rc = s->add(r, d, options, err);
            continue;
        }
        const char *all[32];
        size_t n = 0;
        for (; jl_sections[n].name && n < sizeof all / sizeof *all; n++)
            all[n] = jl_sections[n].name;
        const char *near = jl_nearest(names[i], all, n);
        rc = jl_fail(err, JL_ERR_USAGE, "there is no section '%s'%s%s%s; --help lists them",
                     names[i], near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
    }
    return rc;
}

int jl_print_sections(FILE *to, const jl_study_data *d, bool headline, const char *const *names,
                      size_t count, const jl_report_options *options, jl_report_format format,
                      jl_error *err)
{
    static const char *const all_ran[] = {"ran", "findings", "cells"},
                             *const failed[] = {"ran", "portability", "findings", "cells"},
                             *const cells[] = {"cells"};
    const jl_study_table *t = jl_study_data_table(d);
    bool for_programs =
        format == JL_REPORT_CSV || format == JL_REPORT_JSON || format == JL_REPORT_JSONL;
    jl_report_options own = *options;
    const char *every[32];
    if (!count) {
        bool f = something_failed(t), csv = format == JL_REPORT_CSV;
        own.brief = !for_programs;
        names = csv ? cells : f ? failed : all_ran;
        count = csv ? 1 : f ? 4 : 3;
        for (size_t i = 0; i < count; i++)
            every[i] = names[i];
        if (!csv && jl_has_int8(t)) every[count++] = "int8";
        if (!csv && jl_has_interpreter_shares(t)) every[count++] = "interpreter";
        names = every;
    } else if (count == 1 && !strcmp(names[0], "all")) {
        for (count = 0; jl_sections[count].name; count++)
            every[count] = jl_sections[count].name;
        names = every;
    }
    jl_report *r = jl_report_new();
    if (!r) return jl_fail(err, JL_ERR_MEMORY, "no memory for the report");
    if (for_programs) jl_report_for_programs(r);
    jl_report_fact(r, "study", t->name);
    jl_report_count(r, "complete_rounds", jl_study_data_complete_rounds(d));
    jl_report_fact(r, "no_energy_because", t->values[JL_ENERGY] ? "" : jl_study_data_no_energy(d));
    own.for_readers = !for_programs;
    int rc = add_sections(r, d, names, count, &own, err);
    if (!rc && headline && !for_programs && format != JL_REPORT_LATEX) {
        size_t width = format == JL_REPORT_MD ? SIZE_MAX : jl_terminal_width(to);
        rc = jl_print_headline(to, d, width, err);
        fputc('\n', to);
    }
    if (!rc) rc = jl_print_report(to, r, format, err);
    jl_report_free(r);
    return rc;
}
