/* The command line: main.c holds the table of commands, each cmd_*.c one of them. Only this
 * folder prints. Results go to stdout, everything else to stderr. */
#ifndef JL_CLI_H
#define JL_CLI_H

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REGRESSION = 3,
    EXIT_INCONCLUSIVE = 4,
    EXIT_CELLS = 5
};

/* Each takes its own name in argv[0] and returns the process's exit code. */

#endif
