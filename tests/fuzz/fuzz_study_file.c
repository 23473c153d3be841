/* YAML study files over a table with every kind of option. */
#include <stdlib.h>

#include "base/option.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    bool flag;
    const char *text;
    int choice;
    int64_t whole, time_ns;
    double number;
    jl_ints ints;
    jl_words words, texts;
};

#define AT(field) .offset = offsetof(struct settings, field)
static const jl_option table[] = {
    {.name = "resume", .kind = JL_OPT_FLAG, AT(flag)},
    {.name = "label", .kind = JL_OPT_TEXT, AT(text)},
    {.name = "order", .kind = JL_OPT_CHOICE, .choices = "random|fixed", AT(choice)},
    {.name = "rounds", .alias = "runs", .kind = JL_OPT_INT, .min = 1, .max = 1000, AT(whole)},
    {.name = "min-time", .kind = JL_OPT_DURATION, .max = 3600, AT(time_ns)},
    {.name = "limit", .kind = JL_OPT_NUMBER, AT(number)},
    {.name = "batch", .kind = JL_OPT_INTS, AT(ints)},
    {.name = "model", .kind = JL_OPT_WORDS, AT(words)},
    {.name = "shape", .kind = JL_OPT_TEXTS, AT(texts)},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path, sizeof path);
    struct settings s = {0};
    jl_option_mask given = 0;
    jl_error err = {0};
    jl_arena *arena = jl_arena_new();
    if (!arena) abort();
    int rc = jl_option_read_yaml(table, path, &s, &given, arena, &err);
    if (rc < 0 && !err.msg[0]) abort(); /* an error without words */
    if (rc == 0 && s.whole > 1000) abort();
    jl_arena_free(arena);
    close(fd);
    return 0;
}
