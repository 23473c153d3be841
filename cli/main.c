#include "cli.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {NULL, NULL, NULL},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: jouleline COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; commands[i].name; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "\n'jouleline COMMAND --help' says more of each.\n");
}

int main(int argc, char **argv)
{
    argp_err_exit_status = EXIT_USAGE;
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("jouleline %s\n", JL_VERSION);
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; commands[i].name; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "jouleline: there is no command '%s'; 'jouleline --help' lists them\n",
            argv[1]);
    return EXIT_USAGE;
}
