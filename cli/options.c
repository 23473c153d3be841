#include "options.h"

#include <argp.h>
#include <stdlib.h>

enum { FIRST_KEY = 0x100 };

static const jl_option no_options[] = {{0}};

static const jl_option *options_of(const jl_command *c)
{
    return c->options ? c->options : no_options;
}

/* --- parsing --- */

typedef struct occurrence {
    const jl_option *row;
    const char *text;
} occurrence;

typedef struct parsing {
    jl_invocation *call;
    occurrence *flags; /* in the order given */
    size_t flag_count;
    const char **arguments;
    size_t argument_count;
} parsing;

static error_t collect(int key, char *text, struct argp_state *state)
{
    parsing *p = state->input;
    const jl_option *table = options_of(p->call->command);
    if (key == ARGP_KEY_ARG) {
        p->arguments[p->argument_count++] = text;
        return 0;
    }
    for (size_t i = 0; table[i].name; i++)
        if (key == (table[i].letter ? table[i].letter : FIRST_KEY + (int)i)) {
            p->flags[p->flag_count++] = (occurrence){&table[i], text};
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

/* What --help and the man page say of an option. */
static const char *words_of(const jl_option *o, jl_arena *arena)
{
    char choices[512] = "";
    for (size_t i = 0, n = 0; o->choices && o->choices[i] && n + 3 < sizeof choices; i++) {
        choices[n++] = o->choices[i] == '|' ? ',' : o->choices[i];
        if (o->choices[i] == '|') choices[n++] = ' ';
    }
    jl_buf b = {0};
    jl_buf_puts(&b, o->help);
    if (o->choices) jl_buf_printf(&b, ": %s", choices);
    if (o->fallback) jl_buf_printf(&b, " (default %s)", o->fallback);
    if (o->conflict) jl_buf_printf(&b, "; not together with --%s", o->conflict);
    const char *words = jl_arena_strndup(arena, b.p ? b.p : "", b.n);
    jl_buf_free(&b);
    return words ? words : "";
}

static struct argp_option *argp_options(const jl_option *table, jl_arena *arena)
{
    size_t n = jl_option_count(table), k = 0;
    struct argp_option *out = jl_arena_array(arena, 2 * n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++) {
        out[k++] =
            (struct argp_option){.name = table[i].name,
                                 .key = table[i].letter ? table[i].letter : FIRST_KEY + (int)i,
                                 .arg = table[i].argument,
                                 .doc = words_of(&table[i], arena)};
        if (table[i].alias)
            out[k++] = (struct argp_option){.name = table[i].alias, .flags = OPTION_ALIAS};
    }
    return out;
}

static _Noreturn void usage_error(const jl_command *c, const char *message)
{
    fprintf(stderr, "jouleline %s: %s\nTry 'jouleline %s --help'.\n", c->name, message, c->name);
    exit(EXIT_USAGE);
}

/* getopt would only say "unrecognized option". */
static void suggest_for_unknown(const jl_command *c, int argc, char **argv)
{
    const char *names[2 * JL_MAX_OPTIONS + 2] = {"help", "usage"};
    size_t n = 2;
    for (const jl_option *o = options_of(c); o->name; o++) {
        names[n++] = o->name;
        if (o->alias) names[n++] = o->alias;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char word[64];
        if (strncmp(argv[i], "--", 2) != 0) continue;
        snprintf(word, sizeof word, "%.*s", (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known |= strncmp(names[k], word, strlen(word)) == 0;
        if (known) continue;
        const char *near = jl_nearest(word, names, n);
        char message[200];
        snprintf(message, sizeof message, "there is no option --%s%s%s%s", word,
                 near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
        usage_error(c, message);
    }
}

static bool is_yaml(const char *name)
{
    return jl_ends_with(name, ".yaml") || jl_ends_with(name, ".yml");
}

static int take_study_file(parsing *p, void *settings, jl_error *err)
{
    jl_invocation *call = p->call;
    size_t kept = 0;
    for (size_t i = 0; i < p->argument_count; i++) {
        if (!call->command->study_file || !is_yaml(p->arguments[i])) {
            p->arguments[kept++] = p->arguments[i];
            continue;
        }
        if (call->study_file)
            return jl_fail(err, JL_ERR_USAGE, "two study files, %s and %s; give one",
                           call->study_file, p->arguments[i]);
        call->study_file = p->arguments[i];
    }
    p->argument_count = kept;
    if (!call->study_file) return 0;
    return jl_option_read_yaml(options_of(call->command), call->study_file, settings, &call->given,
                               call->arena, err);
}

static int take_flags(parsing *p, void *settings, jl_error *err)
{
    const jl_option *table = options_of(p->call->command);
    jl_option_mask given = 0;
    for (size_t i = 0; i < p->flag_count; i++) {
        const jl_option *row = p->flags[i].row;
        jl_option_mask bit = (jl_option_mask)1 << (row - table);
        /* The first one replaces the default or the study file's list, the others add. */
        if (!(given & bit)) jl_option_empty(row, settings);
        given |= bit;
        if (jl_option_set(row, p->flags[i].text, settings, p->call->arena, err))
            return jl_prefix(err, "--%s", row->name);
    }
    p->call->given |= given;
    return jl_option_conflicts(table, p->call->given, err);
}

static int check_arguments(const parsing *p, jl_error *err)
{
    const jl_command *c = p->call->command;
    if (p->argument_count < c->least_arguments && !p->call->study_file)
        return jl_fail(err, JL_ERR_USAGE, "%s is missing", c->arguments);
    if (p->argument_count <= c->most_arguments) return 0;
    const char *extra = p->arguments[c->most_arguments];
    const jl_option *row = options_of(c);
    while (row->name && strcmp(row->name, "db") != 0)
        row++;
    if (row->name && jl_ends_with(extra, ".db"))
        return jl_fail(err, JL_ERR_USAGE, "a store is given with --db: --db=%s", extra);
    return jl_fail(err, JL_ERR_USAGE, "'%s' is one argument too many", extra);
}

void jl_parse_command(const jl_command *c, int argc, char **argv, jl_invocation *call)
{
    jl_error err = {0};
    *call = (jl_invocation){.command = c, .arena = jl_arena_new()};
    suggest_for_unknown(c, argc, argv);
    void *settings = call->arena ? jl_arena_alloc(call->arena, c->settings_size + 1) : NULL;
    parsing p = {.call = call};
    size_t letters = 1; /* more than there can be flags: "-abc" holds three */
    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]);
    if (settings) {
        p.flags = jl_arena_array(call->arena, letters, sizeof *p.flags);
        p.arguments = jl_arena_array(call->arena, (size_t)argc, sizeof *p.arguments);
    }
    if (!p.flags || !p.arguments) usage_error(c, "no memory");
    const struct argp argp = {
        .options = argp_options(options_of(c), call->arena),
        .parser = collect,
        .args_doc = c->arguments,
        .doc = c->about,
    };
    argv[0] = jl_arena_printf(call->arena, "jouleline %s", c->name);
    argp_parse(&argp, argc, argv, 0, NULL, &p);
    int rc = jl_option_defaults(options_of(c), settings, call->arena, &err);
    if (!rc) rc = take_study_file(&p, settings, &err);
    if (!rc) rc = take_flags(&p, settings, &err);
    if (!rc) rc = check_arguments(&p, &err);
    if (rc) usage_error(c, err.msg);
    call->settings = settings;
    call->arguments = (jl_words){p.arguments, p.argument_count};
}

/* --- man pages --- */

/* Text with everything that scdoc reads as markup escaped. */
static void print_escaped(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\*_#[]|<>~`.", *text)) fputc('\\', to);
        fputc(*text, to);
    }
}

static void print_option(FILE *to, const jl_option *o, jl_arena *arena)
{
    fputc('*', to);
    if (o->letter) fprintf(to, "-%c*, *", o->letter);
    fprintf(to, "--%s*", o->name);
    if (o->alias) fprintf(to, ", *--%s*", o->alias);
    if (o->argument) fprintf(to, " _%s_", o->argument);
    fputs("\n\t", to);
    print_escaped(to, words_of(o, arena));
    fputs(".\n\n", to);
}

static void print_about(FILE *to, const char *about)
{
    fputs("# DESCRIPTION\n\n", to);
    print_escaped(to, about);
    fputs("\n\n", to);
}

static void print_program_page(FILE *to)
{
    fputs("jouleline(1)\n\n# NAME\n\njouleline - time and energy of neural network inference\n\n"
          "# SYNOPSIS\n\n*jouleline* _COMMAND_ [_OPTION_...] [_ARGUMENT_...]\n\n# COMMANDS\n\n",
          to);
    for (size_t i = 0; jl_commands[i]; i++) {
        if (jl_commands[i]->hidden) continue;
        fprintf(to, "*%s*\n\t", jl_commands[i]->name);
        print_escaped(to, jl_commands[i]->summary);
        fputs(".\n\n", to);
    }
}

void jl_print_man_page(FILE *to, const jl_command *c)
{
    if (!c) {
        print_program_page(to);
        return;
    }
    jl_arena *arena = jl_arena_new();
    if (!arena) return;
    char title[64];
    snprintf(title, sizeof title, "jouleline-%s", c->name);
    for (char *s = title; *s; s++)
        if (*s == ' ') *s = '-';
    fprintf(to, "%s(1)\n\n# NAME\n\n%s - ", title, title);
    print_escaped(to, c->summary);
    fprintf(to, "\n\n# SYNOPSIS\n\n*jouleline %s* [_OPTION_...]", c->name);
    if (c->arguments) fprintf(to, " %s", c->arguments);
    fputs("\n\n", to);
    if (c->about) print_about(to, c->about);
    if (c->options) fputs("# OPTIONS\n\n", to);
    for (const jl_option *o = options_of(c); o->name; o++)
        print_option(to, o, arena);
    jl_arena_free(arena);
}

/* --- completion --- */

static void print_words_of(FILE *to, const jl_command *c)
{
    for (const jl_option *o = options_of(c); o->name; o++)
        fprintf(to, "--%s ", o->name);
    fputs("--help", to);
}

/* The second words of the commands that begin with `first`, or nothing. */
static void print_second_words(FILE *to, const char *first, size_t length)
{
    for (size_t i = 0; jl_commands[i]; i++)
        if (!strncmp(jl_commands[i]->name, first, length) && jl_commands[i]->name[length] == ' ')
            fprintf(to, "%s ", jl_commands[i]->name + length + 1);
}

void jl_print_completion(FILE *to)
{
    fputs("# bash completion of jouleline, made by 'jouleline --completion'\n"
          "_jouleline()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\n"
          "    local command=${COMP_WORDS[1]} at=2\n"
          "    COMPREPLY=()\n",
          to);
    fputs("    case $command in\n", to);
    for (size_t i = 0; jl_commands[i]; i++) {
        size_t n = strcspn(jl_commands[i]->name, " ");
        if (!jl_commands[i]->name[n]) continue;
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first &= strncmp(jl_commands[k]->name, jl_commands[i]->name, n + 1) != 0;
        if (!first) continue;
        fprintf(to, "    %.*s)\n        if ((COMP_CWORD == 2)); then words='", (int)n,
                jl_commands[i]->name);
        print_second_words(to, jl_commands[i]->name, n);
        fputs("'; fi\n        command=\"$command ${COMP_WORDS[2]-}\"; at=3;;\n", to);
    }
    fputs("    esac\n    if ((COMP_CWORD == 1)); then words='", to);
    for (size_t i = 0; jl_commands[i]; i++) {
        size_t n = strcspn(jl_commands[i]->name, " ");
        if (i && !strncmp(jl_commands[i - 1]->name, jl_commands[i]->name, n) &&
            strchr(" ", jl_commands[i - 1]->name[n]))
            continue;
        fprintf(to, "%.*s ", (int)n, jl_commands[i]->name);
    }
    fputs("help --version'; fi\n"
          "    if ((COMP_CWORD >= at)); then\n"
          "        case \"$command $previous\" in\n",
          to);
    for (size_t i = 0; jl_commands[i]; i++)
        for (const jl_option *o = options_of(jl_commands[i]); o->name; o++) {
            if (!o->choices) continue;
            fprintf(to, "        '%s --%s'", jl_commands[i]->name, o->name);
            if (o->letter) fprintf(to, "|'%s -%c'", jl_commands[i]->name, o->letter);
            fputs(") words='", to);
            for (const char *s = o->choices; *s; s++)
                fputc(*s == '|' ? ' ' : *s, to);
            fputs("';;\n", to);
        }
    fputs("        *) case $command in\n", to);
    for (size_t i = 0; jl_commands[i]; i++) {
        fprintf(to, "            '%s') [[ $word == -* ]] && words='", jl_commands[i]->name);
        print_words_of(to, jl_commands[i]);
        fputs("';;\n", to);
    }
    fputs("            esac;;\n        esac\n    fi\n"
          "    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "}\ncomplete -o default -F _jouleline jouleline\n",
          to);
}
