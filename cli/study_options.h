/* Option rows of the commands that measure a study: run and compare. The settings of each have the
 * fields named here. */
#ifndef JL_STUDY_OPTIONS_H
#define JL_STUDY_OPTIONS_H

#include "base/option.h"

#define JL_OPTION_MODELS(type, words)                                                              \
    {                                                                                              \
        .name = "model", .alias = "models", .letter = 'm', .kind = JL_OPT_WORDS,                   \
        .argument = "MODEL,...", .offset = offsetof(type, models), .help = (words)                 \
    }
#define JL_OPTION_CONFIGURATIONS(type, words)                                                      \
    {                                                                                              \
        .name = "config", .alias = "configurations", .letter = 'c', .kind = JL_OPT_WORDS,          \
        .argument = "CONFIG,...", .offset = offsetof(type, configurations), .help = (words)        \
    }
#define JL_OPTION_BATCHES(type)                                                                    \
    {                                                                                              \
        .name = "batch", .letter = 'b', .kind = JL_OPT_INTS, .argument = "N,...", .min = 1,        \
        .max = 1 << 20, .fallback = "1", .offset = offsetof(type, batches),                        \
        .help = "items of one call"                                                                \
    }
#define JL_OPTION_ROUNDS(type, words)                                                              \
    {                                                                                              \
        .name = "rounds", .alias = "runs", .letter = 'r', .kind = JL_OPT_INT, .argument = "N",     \
        .min = 1, .max = 100000, .fallback = "10", .offset = offsetof(type, rounds),               \
        .help = (words)                                                                            \
    }
#define JL_OPTION_TIME(type, field, word, most, usual, words)                                      \
    .name = (word), .kind = JL_OPT_DURATION, .argument = "TIME", .max = (most),                    \
    .fallback = (usual), .offset = offsetof(type, field), .help = (words)
#define JL_OPTION_WARMUP(type)                                                                     \
    {                                                                                              \
        JL_OPTION_TIME(                                                                            \
            type, warmup_ns, "warmup", 3600, "3s",                                                 \
            "longest warm-up; it ends earlier when latency (on a GPU also power) is steady"),      \
            .letter = 'w'                                                                          \
    }
#define JL_OPTION_MIN_TIME(type)                                                                   \
    {                                                                                              \
        JL_OPTION_TIME(type, min_time_ns, "min-time", 86400, "1s", "shortest timed loop"),         \
            .min = 0.001                                                                           \
    }
#define JL_OPTION_MAX_TIME(type)                                                                   \
    {                                                                                              \
        JL_OPTION_TIME(type, max_time_ns, "max-time", 86400, "10s",                                \
                       "longest timed loop, when the median is still uncertain"),                  \
            .min = 0.001                                                                           \
    }
#define JL_OPTION_IDLE(type)                                                                       \
    {                                                                                              \
        JL_OPTION_TIME(type, idle_ns, "idle", 600, "2s",                                           \
                       "time for each idle power in a round, when there is a meter")               \
    }
#define JL_OPTION_IO(type)                                                                         \
    {                                                                                              \
        .name = "io", .kind = JL_OPT_CHOICE, .argument = "PLACE", .choices = "device|host",        \
        .fallback = "device", .offset = offsetof(type, io),                                        \
        .help = "where inputs and outputs lie; with host every copy is part of a call"             \
    }
#define JL_OPTION_METERS(type)                                                                     \
    {                                                                                              \
        .name = "meter", .kind = JL_OPT_TEXTS, .argument = "NAME[:ARGS]",                          \
        .offset = offsetof(type, meters),                                                          \
        .help = "energy meters to use instead of every one that works"                             \
    }
#define JL_OPTION_PLUGINS(type)                                                                    \
    {                                                                                              \
        .name = "plugin", .kind = JL_OPT_TEXTS, .argument = "FILE.so",                             \
        .offset = offsetof(type, plugins), .help = "load a runtime from a shared object"           \
    }
#define JL_OPTION_TRUST(type)                                                                      \
    {                                                                                              \
        .name = "trust", .kind = JL_OPT_FLAG, .command_line = true,                                \
        .offset = offsetof(type, trust),                                                           \
        .help = "models may be code of their own (TorchScript, exported programs)"                 \
    }
#define JL_OPTION_PYTHON(type)                                                                     \
    {                                                                                              \
        .name = "python", .kind = JL_OPT_TEXT, .argument = "FILE", .command_line = true,           \
        .offset = offsetof(type, python), .help = "interpreter for pytorch"                        \
    }

#endif
