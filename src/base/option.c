#include "base/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

size_t jl_option_count(const jl_option *table)
{
    size_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

const jl_option *jl_option_find(const jl_option *table, const char *word)
{
    for (; table->name; table++)
        if (!strcmp(table->name, word) || (table->alias && !strcmp(table->alias, word)))
            return table;
    return NULL;
}

bool jl_option_given(const jl_option *table, jl_option_mask given, const char *name)
{
    const jl_option *row = jl_option_find(table, name);
    return row && (given >> (row - table) & 1);
}

/* A whole text that strtod accepts as a finite number. */
static bool parse_number(const char *text, double *value, const char **rest)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    *rest = end;
    return end != text && isfinite(*value) && (errno == 0 || *value == 0);
}

/* "1.5", "90s", "500ms", "20us", "5m", "2h" into nanoseconds >= 0. */
static int parse_duration_ns(const char *text, int64_t *ns, jl_error *err)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9},   {"s", 1e9},    {"ms", 1e6},  {"us", 1e3},
                 {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
    double value;
    const char *rest;
    if (parse_number(text, &value, &rest) && value >= 0)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (!strcmp(rest, units[i].unit) && value * units[i].ns < 9e18) {
                *ns = llround(value * units[i].ns);
                return 0;
            }
    return jl_fail(err, JL_ERR_USAGE, "'%s' is not a time such as 10, 1.5s, 500ms, 5m or 2h", text);
}

/* Without an upper bound max is 0 and min above. */
static bool open_above(const jl_option *row)
{
    return row->max == 0 && row->min > 0;
}

static int out_of_bounds(const jl_option *row, const char *text, jl_error *err)
{
    if (open_above(row)) return jl_fail(err, JL_ERR_USAGE, "'%s' is below %.15g", text, row->min);
    return jl_fail(err, JL_ERR_USAGE, "'%s' is not between %.15g and %.15g", text, row->min,
                   row->max);
}

static bool within(const jl_option *row, double value)
{
    if (row->min == 0 && row->max == 0) return true;
    return value >= row->min && (open_above(row) || value <= row->max);
}

static int parse_int(const jl_option *row, const char *text, int64_t *value, jl_error *err)
{
    char *end;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return jl_fail(err, JL_ERR_USAGE, "'%s' is not a whole number", text);
    if (!within(row, (double)parsed)) return out_of_bounds(row, text, err);
    *value = parsed;
    return 0;
}

static int parse_choice(const jl_option *row, const char *text, int *value, jl_error *err)
{
    enum { MOST_CHOICES = 32, LONGEST_LIST = 512 };
    char all[LONGEST_LIST];
    const char *words[MOST_CHOICES];
    size_t n = 0;
    snprintf(all, sizeof all, "%s", row->choices);
    for (char *save, *w = strtok_r(all, "|", &save); w && n < MOST_CHOICES;
         w = strtok_r(NULL, "|", &save))
        words[n++] = w;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(words[i], text)) {
            *value = (int)i;
            return 0;
        }
    const char *near = jl_nearest(text, words, n);
    return jl_fail(err, JL_ERR_USAGE, "'%s' is not one of %s%s%s%s", text, row->choices,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int parse_flag(const char *text, bool *value, jl_error *err)
{
    if (!text || !strcmp(text, "true") || !strcmp(text, "yes")) {
        *value = true;
    } else if (!strcmp(text, "false") || !strcmp(text, "no")) {
        *value = false;
    } else {
        return jl_fail(err, JL_ERR_USAGE, "'%s' is neither true nor false", text);
    }
    return 0;
}

static int add_int(const jl_option *row, const char *text, jl_ints *list, jl_arena *arena,
                   jl_error *err)
{
    int64_t *items = jl_arena_array(arena, list->count + 1, sizeof *items);
    if (!items) return jl_fail(err, JL_ERR_MEMORY, "no memory for options");
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    int rc = parse_int(row, text, &items[list->count], err);
    if (!rc) *list = (jl_ints){items, list->count + 1};
    return rc;
}

static int add_word(const char *text, jl_words *list, jl_arena *arena, jl_error *err)
{
    const char **items = jl_arena_array(arena, list->count + 1, sizeof *items);
    char *copy = jl_arena_strndup(arena, text, strlen(text));
    if (!items || !copy) return jl_fail(err, JL_ERR_MEMORY, "no memory for options");
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    items[list->count] = copy;
    *list = (jl_words){items, list->count + 1};
    return 0;
}

/* Cuts at commas; an empty piece is an error. */
static int add_pieces(const jl_option *row, const char *text, void *field, jl_arena *arena,
                      jl_error *err)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        char *piece = jl_arena_strndup(arena, text, n);
        if (!piece) return jl_fail(err, JL_ERR_MEMORY, "no memory for options");
        if (n == 0) return jl_fail(err, JL_ERR_USAGE, "an item of the list is empty");
        int rc = row->kind == JL_OPT_INTS ? add_int(row, piece, field, arena, err)
                                          : add_word(piece, field, arena, err);
        if (rc || !text[n]) return rc;
        text += n + 1;
    }
}

int jl_option_set(const jl_option *row, const char *text, void *settings, jl_arena *arena,
                  jl_error *err)
{
    void *field = (char *)settings + row->offset;
    double number;
    int64_t ns = 0;
    const char *rest;
    int rc;
    switch (row->kind) {
    case JL_OPT_FLAG:
        return parse_flag(text, field, err);
    case JL_OPT_INT:
        return parse_int(row, text, field, err);
    case JL_OPT_CHOICE:
        return parse_choice(row, text, field, err);
    case JL_OPT_INTS:
    case JL_OPT_WORDS:
        return add_pieces(row, text, field, arena, err);
    case JL_OPT_TEXTS:
        return add_word(text, field, arena, err);
    case JL_OPT_TEXT:
        *(const char **)field = jl_arena_strndup(arena, text, strlen(text));
        return *(const char **)field ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for options");
    case JL_OPT_NUMBER:
        if (!parse_number(text, &number, &rest) || *rest)
            return jl_fail(err, JL_ERR_USAGE, "'%s' is not a number", text);
        if (!within(row, number)) return out_of_bounds(row, text, err);
        *(double *)field = number;
        return 0;
    case JL_OPT_DURATION:
        rc = parse_duration_ns(text, &ns, err);
        if (rc) return rc;
        if (!within(row, (double)ns / 1e9)) {
            out_of_bounds(row, text, err);
            return jl_prefix(err, "in seconds");
        }
        *(int64_t *)field = ns;
        return 0;
    }
    return jl_fail(err, JL_ERR, "option %s has no kind", row->name);
}

bool jl_option_empty(const jl_option *row, void *settings)
{
    _Static_assert(sizeof(jl_words) == sizeof(jl_ints), "lists are emptied alike");
    if (row->kind != JL_OPT_INTS && row->kind != JL_OPT_WORDS && row->kind != JL_OPT_TEXTS)
        return false;
    memset((char *)settings + row->offset, 0, sizeof(jl_words));
    return true;
}

int jl_option_defaults(const jl_option *table, void *settings, jl_arena *arena, jl_error *err)
{
    for (; table->name; table++)
        if (table->fallback && jl_option_set(table, table->fallback, settings, arena, err))
            return jl_prefix(err, "default of --%s", table->name);
    return 0;
}

int jl_option_conflicts(const jl_option *table, jl_option_mask given, jl_error *err)
{
    for (size_t i = 0; table[i].name; i++)
        if ((given >> i & 1) && table[i].conflict &&
            jl_option_given(table, given, table[i].conflict))
            return jl_fail(err, JL_ERR_USAGE, "--%s and --%s exclude each other; leave one out",
                           table[i].name, table[i].conflict);
    return 0;
}
