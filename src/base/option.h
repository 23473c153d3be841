/* Options: one table of rows says everything about a command's settings. The same row is a
 * command-line flag, a key of a YAML study file, a line of --help, of the man page and of the
 * shell completion; its text is parsed by one function into a field of a plain struct.
 *
 *   struct settings { int64_t rounds; jl_ints batch; bool resume; };
 *   static const jl_option options[] = {
 *       {.name = "rounds", .letter = 'r', .alias = "runs", .kind = JL_OPT_INT, .min = 1,
 *        .max = 100000, .offset = offsetof(struct settings, rounds), .argument = "N",
 *        .fallback = "10", .help = "independent runs of each cell"},
 *       ...
 *       {0},
 *   };
 */
#ifndef JL_BASE_OPTION_H
#define JL_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "jouleline/error.h"

typedef enum jl_option_kind {
    JL_OPT_FLAG,     /* bool: present or absent; in YAML true or false */
    JL_OPT_TEXT,     /* const char * */
    JL_OPT_CHOICE,   /* int: index of the word in `choices` */
    JL_OPT_INT,      /* int64_t */
    JL_OPT_NUMBER,   /* double, finite */
    JL_OPT_DURATION, /* int64_t nanoseconds: "1.5", "90s", "500ms", "20us", "5m", "2h" */
    JL_OPT_INTS,     /* jl_ints: "1,8,32"; given again, it adds */
    JL_OPT_WORDS,    /* jl_words, cut at commas; given again, it adds */
    JL_OPT_TEXTS,    /* jl_words, not cut: one item each time that it is given */
} jl_option_kind;

typedef struct jl_ints {
    const int64_t *items;
    size_t count;
} jl_ints;

typedef struct jl_words {
    const char *const *items;
    size_t count;
} jl_words;

enum { JL_MAX_OPTIONS = 64 };

typedef struct jl_option {
    const char *name;     /* "min-time": --min-time and the YAML key; NULL ends a table */
    const char *alias;    /* another long name, or NULL */
    const char *argument; /* "N", "TIME": how help names the value; NULL for flags */
    const char *fallback; /* text of the default, parsed like a given one; NULL: the field stays */
    const char *choices;  /* JL_OPT_CHOICE: "table|md|csv" */
    const char *conflict; /* name of an option that cannot be given together with this one */
    const char *help;     /* one phrase, small letters, no full stop */
    size_t offset;        /* of the field in the settings struct */
    double min, max;      /* bounds of numbers, durations (seconds) and integers; both 0: none;
                             min above 0 with max 0: only the lower one */
    jl_option_kind kind;
    char letter;       /* 'r' for -r, or 0 */
    bool command_line; /* not a key of study files: it says what to do now, not what to study */
} jl_option;

/* The options that were given, one bit a row of the table. */
typedef uint64_t jl_option_mask;

size_t jl_option_count(const jl_option *table);
/* The row whose name or alias is the word, or NULL. */
const jl_option *jl_option_find(const jl_option *table, const char *word);
/* Whether the named row was given. */
bool jl_option_given(const jl_option *table, jl_option_mask given, const char *name);

/* Parses `text` (NULL for a flag: true) into the row's field of `settings`; what it allocates
 * lives in the arena. JL_ERR_USAGE says what is wrong with the value, with the nearest choice. */
int jl_option_set(const jl_option *row, const char *text, void *settings, jl_arena *arena,
                  jl_error *err);

/* Empties the row's field when it is a list, so that the next value replaces instead of adding;
 * returns whether it is one. */
bool jl_option_empty(const jl_option *row, void *settings);

/* Sets every field that has a fallback. */
int jl_option_defaults(const jl_option *table, void *settings, jl_arena *arena, jl_error *err);

/* Fails when two rows that exclude each other were both given. */
int jl_option_conflicts(const jl_option *table, jl_option_mask given, jl_error *err);

/* Reads a YAML study file: a mapping whose keys are names of the table and whose values are
 * scalars, lists of scalars, or mappings of scalars (each pair is one item "key=value"). A key
 * given here replaces the default; keys are added to `given`. Anything else is an error with
 * the file, line and column. */
int jl_option_read_yaml(const jl_option *table, const char *path, void *settings,
                        jl_option_mask *given, jl_arena *arena, jl_error *err);

#endif
