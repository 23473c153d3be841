#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "jouleline/store.h"

typedef struct settings {
    const char *db;
} settings;

static const jl_option options[] = {
    JL_OPTION_DB(settings, db),
    {0},
};

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    jl_error err = {0};
    jl_store *store;
    if (jl_store_open(s->db, JL_STORE_WRITE, &store, &err)) return jl_report_error(call, &err);
    int code = EXIT_OK;
    for (size_t i = 0; i < call->arguments.count && !code; i++) {
        jl_merge_result r;
        if (jl_store_merge(store, call->arguments.items[i], &r, &err))
            code = jl_report_error(call, &err);
        else
            printf("%s: %" PRId64 " new studies, %" PRId64 " new rounds, %" PRId64 " new runs\n",
                   call->arguments.items[i], r.studies, r.rounds, r.runs);
    }
    jl_store_close(store);
    return code;
}

const jl_command jl_command_merge = {
    .name = "merge",
    .summary = "add stores measured elsewhere to one store",
    .arguments = "PART.db...",
    .about = "Copies everything of each part into the store of --db, which is made when it is "
             "absent. What is there already is left alone, so merging twice changes nothing.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 1000,
    .run = run,
};
