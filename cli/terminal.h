/* What depends on the terminal: its width, tables and the progress line. */
#ifndef JL_TERMINAL_H
#define JL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text_table.h"
#include "jouleline/clock.h"

/* Columns of the terminal that the stream is, at least 40; JL_TABLE_WIDTH for anything else. */
size_t jl_terminal_width(FILE *stream);

/* Prints a table (base/text_table.h) as wide as the stream's terminal. */
void jl_print_table(FILE *stream, const jl_column *columns, size_t count, const char *const *cells,
                    size_t rows);

/* Progress of a job of `total` steps. On a terminal one line that is rewritten; elsewhere plain
 * lines, at most one in five seconds; nothing at all when quiet. */
typedef struct jl_progress {
    FILE *stream;
    const jl_clock *clock;
    size_t total, done;
    int64_t start_ns, last_ns;
    bool quiet, terminal, drawn;
} jl_progress;

void jl_progress_start(jl_progress *p, FILE *stream, const jl_clock *clock, size_t total,
                       bool quiet);

/* `done` steps are finished and `now` is under way: "[12/60] resnet50 ... 2 min 10 s left". */
void jl_progress_update(jl_progress *p, size_t done, const char *now);

/* Prints a line of its own that stays, also when quiet: a warning, a failure. */
void jl_progress_say(jl_progress *p, const char *line);

/* Removes the progress line. */
void jl_progress_end(jl_progress *p);

/* "45 s", "2 min 10 s", "3 h 5 min". */
void jl_duration_words(int64_t ns, char *words, size_t size);

#endif
