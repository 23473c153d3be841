/* The option tables of the commands as flags, help, shell completion and man pages. */
#ifndef JL_OPTIONS_H
#define JL_OPTIONS_H

#include <stdio.h>

#include "cli.h"

/* Parses argv (argv[0] is ignored) for a command: defaults, then the study file, then flags.
 * Like every argp program it exits by itself: with EXIT_USAGE and a message when the words are
 * wrong, with 0 after --help. Fills in everything of `call`, allocated in its arena. */
void jl_parse_command(const jl_command *command, int argc, char **argv, jl_invocation *call);

/* The man page of a command in scdoc's format; with NULL the page of the whole program. */
void jl_print_man_page(FILE *to, const jl_command *command);

/* A completion script for bash. */
void jl_print_completion(FILE *to);

#endif
