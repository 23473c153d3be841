#include <argp.h>
#include <signal.h>
#include <stdio.h>

#include "options.h"

const jl_command *const jl_commands[] = {
    &jl_command_run,
    &jl_command_report,
    &jl_command_compare,
    &jl_command_advise,
    &jl_command_merge,
    &jl_command_measure,
    &jl_command_doctor,
    &jl_command_selftest,
    &jl_command_worker,
    &jl_command_model_list,
    &jl_command_model_export,
    &jl_command_model_info,
    &jl_command_model_cost,
    &jl_command_model_convert,
    &jl_command_model_quantize,
    &jl_command_model_check,
    NULL,
};

static void usage(FILE *to)
{
    fprintf(to, "usage: jouleline COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
    for (size_t i = 0; jl_commands[i]; i++)
        if (!jl_commands[i]->hidden)
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

/* "model" alone, or with a second word that is none of its own: says which there are. */
static bool lists_second_words(const char *first)
{
    size_t n = strlen(first);
    bool any = false;
    for (size_t i = 0; jl_commands[i]; i++) {
        if (strncmp(jl_commands[i]->name, first, n) != 0 || jl_commands[i]->name[n] != ' ')
            continue;
        if (!any) fprintf(stderr, "jouleline: '%s' is followed by one of:", first);
        fprintf(stderr, " %s", jl_commands[i]->name + n + 1);
        any = true;
    }
    if (any) fputc('\n', stderr);
    return any;
}

static int no_such_command(char **argv)
{
    enum { MOST_COMMANDS = 64 };
    const char *names[MOST_COMMANDS];
    size_t n = 0;
    if (lists_second_words(argv[0])) return EXIT_USAGE;
    for (; jl_commands[n] && n < MOST_COMMANDS; n++)
        names[n] = jl_commands[n]->name;
    const char *near = jl_nearest(argv[0], names, n);
    fprintf(stderr, "jouleline: there is no command '%s'%s%s%s; 'jouleline --help' lists them\n",
            argv[0], near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_USAGE;
}

static int run_command(int argc, char **argv)
{
    int words;
    const jl_command *c = find_command(argc, argv, &words);
    if (!c) return no_such_command(argv);
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
    if (argc && !c) return no_such_command(argv);
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
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit is an error of write(), not the end */
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
