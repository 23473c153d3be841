/* The command line: main.c holds the table of commands, each cmd_*.c one of them. Only this
 * folder prints. Results go to stdout, everything else to stderr.
 *
 * A command is a row: its options are a jl_option table (base/option.h) over a settings struct
 * of its own. main parses, then calls run(). */
#ifndef JL_CLI_H
#define JL_CLI_H

#include "base/option.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REGRESSION = 3,
    EXIT_INCONCLUSIVE = 4,
    EXIT_CELLS = 5,
};

typedef struct jl_command jl_command;

/* One call of a command. Everything lives until run() returns. */
typedef struct jl_invocation {
    const jl_command *command;
    const void *settings;   /* the command's own struct, filled in */
    jl_option_mask given;   /* the options that were given, in the study file or as flags */
    jl_words arguments;     /* what is not an option, study file apart */
    const char *study_file; /* NULL: none */
    jl_arena *arena;        /* for whatever must live as long as the call */
} jl_invocation;

struct jl_command {
    const char *name;         /* "run", or two words: "model export" */
    const char *summary;      /* one phrase, small letters, no full stop */
    const char *arguments;    /* "MODEL..."; NULL: takes none */
    const char *about;        /* paragraphs for --help and the man page, cut by empty lines */
    const jl_option *options; /* ends with {0}; NULL: none */
    size_t settings_size;
    size_t least_arguments, most_arguments;
    bool hidden;     /* not listed: started by the program itself */
    bool study_file; /* an argument that ends in .yaml is a study file of the option table */
    int (*run)(const jl_invocation *call); /* returns the process's exit code */
};

extern const jl_command jl_command_model_info, jl_command_model_cost;
extern const jl_command jl_command_doctor, jl_command_selftest;
extern const jl_command jl_command_run, jl_command_report, jl_command_merge, jl_command_worker;
extern const jl_command jl_command_model_list, jl_command_model_export, jl_command_model_convert;
extern const jl_command jl_command_model_quantize, jl_command_model_check;
extern const jl_command jl_command_compare, jl_command_advise;
extern const jl_command jl_command_measure;

/* The table of main.c, ending with NULL. */
extern const jl_command *const jl_commands[];

/* Prints "jouleline COMMAND: message" on stderr and returns the exit code that fits the error:
 * EXIT_USAGE for JL_ERR_USAGE, EXIT_FAILED otherwise. */
int jl_report_error(const jl_invocation *call, const jl_error *err);

/* Rows that several commands have, for a settings struct `type` with the named field. */
#define JL_OPTION_DB(type, field)                                                                  \
    {                                                                                              \
        .name = "db", .kind = JL_OPT_TEXT, .argument = "FILE", .fallback = "jouleline.db",         \
        .help = "the store, one SQLite file", .command_line = true,                                \
        .offset = offsetof(type, field)                                                            \
    }
#define JL_OPTION_QUIET(type, field)                                                               \
    {                                                                                              \
        .name = "quiet", .letter = 'q', .kind = JL_OPT_FLAG, .help = "print no progress",          \
        .command_line = true, .offset = offsetof(type, field)                                      \
    }
#define JL_OPTION_STUDY(type, field)                                                               \
    {                                                                                              \
        .name = "study", .kind = JL_OPT_TEXT, .argument = "NAME",                                  \
        .help = "name or beginning of the uid of a study (default: the newest)",                   \
        .command_line = true, .offset = offsetof(type, field)                                      \
    }
#define JL_OPTION_SEED(type, usual, words)                                                         \
    {                                                                                              \
        .name = "seed", .kind = JL_OPT_INT, .argument = "N", .min = 0, .max = 1e15,                \
        .fallback = (usual), .offset = offsetof(type, seed), .help = (words)                       \
    }
/* The values of `field` are the positions in `formats`, such as "table|md|csv|json". */
#define JL_OPTION_OUTPUT(type, field, formats)                                                     \
    {                                                                                              \
        .name = "output", .letter = 'o', .kind = JL_OPT_CHOICE, .argument = "FORMAT",              \
        .choices = (formats), .fallback = "table", .help = "how results are printed",              \
        .command_line = true, .offset = offsetof(type, field)                                      \
    }

#endif
