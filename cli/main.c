#include <argp.h>
#include <stdio.h>

#include "options.h"

const jl_command *const jl_commands[] = {
    &jl_command_model_list,
    &jl_command_model_export,
    &jl_command_model_convert,
    NULL,
};

static void usage(FILE *to)
{
    fprintf(to, "usage: jouleline COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
    for (size_t i = 0; jl_commands[i]; i++)
        fprintf(to, "  %-15s %s\n", jl_commands[i]->name, jl_commands[i]->summary);
    fprintf(to, "\n'jouleline COMMAND --help' says more of each.\n");
}

int jl_report_error(const jl_invocation *call, const jl_error *err)
{
    fprintf(stderr, "jouleline %s: %s\n", call->command->name, err->msg);
    return err->code == JL_ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

/* The command whose words stand first; sets how many they are. */
static const jl_command *find_command(int argc, char **argv, int *words)
{
    for (size_t i = 0; jl_commands[i]; i++) {
        const char *name = jl_commands[i]->name, *space = strchr(name, ' ');
        size_t first = space ? (size_t)(space - name) : strlen(name);
        *words = space ? 2 : 1;
        if (argc < *words || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
            continue;
        if (!space || !strcmp(argv[1], space + 1)) return jl_commands[i];
    }
    return NULL;
}

static int no_such_command(int argc, char **argv)
{
    enum { MOST_COMMANDS = 64 };
    const char *names[MOST_COMMANDS];
    size_t n = 0;
    char typed[128];
    snprintf(typed, sizeof typed, "%s", argv[0]);
    for (size_t i = 0; jl_commands[i] && n < MOST_COMMANDS; i++) {
        names[n++] = jl_commands[i]->name;
        size_t first = strcspn(names[n - 1], " ");
        if (names[n - 1][first] && strlen(argv[0]) == first &&
            !strncmp(argv[0], names[n - 1], first))
            snprintf(typed, sizeof typed, "%s %s", argv[0], argc > 1 ? argv[1] : "");
    }
    const char *near = jl_nearest(typed, names, n);
    fprintf(stderr, "jouleline: there is no command '%s'%s%s%s; 'jouleline --help' lists them\n",
            typed, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    int words;
    const jl_command *c = find_command(argc, argv, &words);
    if (!c) return no_such_command(argc, argv);
    jl_invocation call;
    jl_parse_command(c, argc - words + 1, argv + words - 1, &call);
    int code = c->run(&call);
    jl_arena_free(call.arena);
    return code;
}

/* "help", "help COMMAND", "--man COMMAND": what follows is the command's words. */
static int about_command(int argc, char **argv, bool man)
{
    int words;
    const jl_command *c = argc ? find_command(argc, argv, &words) : NULL;
    if (argc && !c) return no_such_command(argc, argv);
    if (man) {
        jl_print_man_page(stdout, c);
    } else if (c) {
        char help[] = "--help", *just_help[] = {argv[0], help, NULL};
        jl_invocation call;
        jl_parse_command(c, 2, just_help, &call); /* exits */
    } else {
        usage(stdout);
    }
    return EXIT_OK;
}

static int run_word(int argc, char **argv)
{
    if (!strcmp(argv[1], "--version")) {
        printf("jouleline %s\n", JL_VERSION);
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--completion")) {
        jl_print_completion(stdout);
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return about_command(argc - 2, argv + 2, false);
    if (!strcmp(argv[1], "--man")) return about_command(argc - 2, argv + 2, true);
    return run_command(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = EXIT_USAGE;
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    int code = run_word(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "jouleline: cannot write the results: %m\n");
        return code ? code : EXIT_FAILED;
    }
    return code;
}
