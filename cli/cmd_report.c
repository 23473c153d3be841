#include <sqlite3.h>
#include <stdio.h>

#include "cli.h"
#include "results.h"
#include "terminal.h"

typedef struct settings {
    const char *db, *study, *baseline;
    jl_words sections;
    int64_t seed;
    int output;
    bool list;
} settings;

static const jl_option options[] = {
    JL_OPTION_STUDY(settings, study),
    {.name = "list",
     .kind = JL_OPT_FLAG,
     .command_line = true,
     .offset = offsetof(settings, list),
     .help = "list the studies of the store"},
    {.name = "section",
     .alias = "sections",
     .letter = 's',
     .kind = JL_OPT_WORDS,
     .argument = "NAME,...",
     .command_line = true,
     .offset = offsetof(settings, sections),
     .help = "ran, findings, cells, pairs, families, precision, int8, batch, devices, interpreter, "
             "roofline, energy, paradox, repeatability, idle, audit, portability, or all (default: "
             "what ran and failed, the main findings, cells, int8 where it ran)"},
    {.name = "baseline",
     .kind = JL_OPT_TEXT,
     .argument = "CONFIG",
     .command_line = true,
     .offset = offsetof(settings, baseline),
     .help = "pairs with this configuration only"},
    {.name = "seed",
     .kind = JL_OPT_INT,
     .argument = "N",
     .min = 0,
     .max = 1e15,
     .fallback = "1",
     .command_line = true,
     .offset = offsetof(settings, seed),
     .help = "of random sign flips and resamples"},
    JL_OPTION_OUTPUT(settings, output, "table|md|csv|json|jsonl|latex"),
    JL_OPTION_DB(settings, db),
    {0},
};

static int list_studies(const jl_invocation *call, jl_store *store)
{
    static const jl_column columns[] = {
        {"study", false}, {"uid", false}, {"begun", false},
        {"rounds", true}, {"runs", true}, {"failed", true},
    };
    enum { COLUMNS = sizeof columns / sizeof *columns, MOST = 10000 };
    sqlite3_stmt *q;
    const char *sql = "SELECT name, uid, created_at, "
                      "(SELECT count(*) FROM round WHERE study = study.id AND complete), "
                      "(SELECT count(*) FROM run WHERE round IN "
                      "(SELECT id FROM round WHERE study = study.id)), "
                      "(SELECT count(*) FROM run WHERE outcome <> 'ok' AND counts AND round IN "
                      "(SELECT id FROM round WHERE study = study.id)) "
                      "FROM study ORDER BY created_at";
    if (sqlite3_prepare_v2(jl_store_sqlite(store), sql, -1, &q, NULL) != SQLITE_OK) {
        jl_error err;
        jl_fail(&err, JL_ERR_IO, "cannot read the store: %s",
                sqlite3_errmsg(jl_store_sqlite(store)));
        return jl_report_error(call, &err);
    }
    const char **cells = NULL;
    size_t rows = 0;
    while (rows < MOST && sqlite3_step(q) == SQLITE_ROW) {
        const char **more = jl_arena_array(call->arena, (rows + 1) * COLUMNS, sizeof *more);
        if (!more) break;
        if (rows) memcpy(more, cells, rows * COLUMNS * sizeof *more);
        cells = more;
        for (int k = 0; k < COLUMNS; k++)
            cells[rows * COLUMNS + (size_t)k] = jl_arena_printf(
                call->arena, "%.*s", k == 1 ? 8 : 200, (const char *)sqlite3_column_text(q, k));
        rows++;
    }
    sqlite3_finalize(q);
    jl_print_table(stdout, columns, COLUMNS, cells, rows);
    return EXIT_OK;
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    jl_error err = {0};
    jl_store *store;
    if (jl_store_open(s->db, JL_STORE_READ, &store, &err)) return jl_report_error(call, &err);
    int code = EXIT_OK;
    jl_study_data *d = NULL;
    if (s->list) {
        code = list_studies(call, store);
    } else {
        jl_report_options o = {.baseline = s->baseline, .seed = (uint64_t)s->seed};
        int rc = jl_store_load(store, s->study, &d, &err);
        if (!rc)
            rc = jl_print_sections(stdout, d, true, s->sections.items, s->sections.count, &o,
                                   (jl_report_format)s->output, &err);
        if (rc) code = jl_report_error(call, &err);
    }
    jl_study_data_free(d);
    jl_store_close(store);
    return code;
}

const jl_command jl_command_report = {
    .name = "report",
    .summary = "print the results of a study",
    .about =
        "Prints what a store holds of a study: first the configuration that uses the fewest "
        "joules per inference (without a meter, the least time), then the sections asked for.\n"
        "\n"
        "ran: what was measured and under which conditions. findings: what was shown, in "
        "sentences, each with the query that lists its values; without -s only the main ones, "
        "without queries. cells: one row a cell with medians over rounds and their intervals. "
        "pairs: every two configurations of a model and batch, tested. families, precision, int8, "
        "batch, devices: what holds over models. roofline, energy, paradox: why. "
        "repeatability: how joules vary from run to run, and by what. idle: power without load and "
        "its drift. audit: what was not held equal, and on what it was measured. portability: what "
        "does not run.",
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
