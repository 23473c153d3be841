/* What the commands share that run a model on sample inputs: model check, convert and quantize. The
 * settings of each have the fields images, preprocess, npy, samples and seed. */
#ifndef JL_SAMPLE_OPTIONS_H
#define JL_SAMPLE_OPTIONS_H

#include "base/option.h"
#include "convert/samples.h"

/* `does` begins the sentence: "calibrate". */
#define JL_OPTION_IMAGES(type, does)                                                               \
    {                                                                                              \
        .name = "images", .kind = JL_OPT_TEXT, .argument = "FOLDER", .conflict = "npy",            \
        .offset = offsetof(type, images), .help = does " on the JPEG and PNG files of a folder"    \
    }
#define JL_OPTION_PREPROCESS(type)                                                                 \
    {                                                                                              \
        .name = "preprocess", .kind = JL_OPT_TEXT, .argument = "WORDS",                            \
        .offset = offsetof(type, preprocess),                                                      \
        .help = "resize=256,crop=224,mean=R:G:B,std=R:G:B,order=rgb for --images"                  \
    }
#define JL_OPTION_NPY(type, does)                                                                  \
    {                                                                                              \
        .name = "npy", .kind = JL_OPT_TEXT, .argument = "FILE", .offset = offsetof(type, npy),     \
        .help = does " on the items of a .npy file"                                                \
    }
#define JL_OPTION_SAMPLES(type, usual, most, what)                                                 \
    {                                                                                              \
        .name = "samples", .letter = 'n', .kind = JL_OPT_INT, .argument = "N",                     \
        .fallback = (usual), .min = 1, .max = (most), .offset = offsetof(type, samples),           \
        .help = what "; without --images and --npy, seeded noise"                                  \
    }
#define JL_OPTION_TIMEOUT(type, words)                                                             \
    {                                                                                              \
        .name = "timeout", .kind = JL_OPT_DURATION, .argument = "TIME", .fallback = "1h",          \
        .offset = offsetof(type, timeout_ns), .help = (words)                                      \
    }

/* What can be done about a model that ended the process that ran it. */
#define JL_CRASH_ADVICE                                                                            \
    "'jouleline doctor' names the library that died, JOULELINE_ORT=PATH takes another"

/* The fields of a jl_sample_source that come from these settings. */
#define JL_SAMPLE_SOURCE(s)                                                                        \
    .images = (s)->images, .preprocess = (s)->preprocess, .npy = (s)->npy,                         \
    .count = (size_t)(s)->samples, .seed = (uint64_t)(s)->seed

/* Opens a model that must be a file. JL_ERR_USAGE for a model of the zoo, whose file does not exist
 * before it is exported. */
int jl_open_model_file(const char *path, jl_model **model, jl_error *err);

/* Before long work: `model` is no name of the zoo without a file, and `output` can be written. */
int jl_files_named(const char *model, const char *output, jl_error *err);

/* What is to be said of the samples' likeness (jl_sample_set_caution), from the child that ran on
 * them to the parent that prints it. */
enum { JL_CAUTION = 96 };
void jl_take_caution(const jl_sample_set *set, char caution[JL_CAUTION]); /* NULL is fine */
void jl_print_caution(const char *caution);

/* MODEL.kind.onnx beside the model, for a result that was given no name. */
const char *jl_result_beside(jl_arena *arena, const char *model, const char *kind);

#endif
