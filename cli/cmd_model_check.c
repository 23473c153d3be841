#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/process.h"
#include "base/scratch.h"
#include "cli.h"
#include "convert/fits.h"
#include "display.h"
#include "jouleline/check.h"
#include "jouleline/convert.h"
#include "sample_options.h"

typedef struct settings {
    const char *images, *preprocess, *npy, *labels, *base, *other;
    int64_t samples, skip, seed, timeout_ns;
    int format;
} settings;

static const jl_option options[] = {
    {.name = "base",
     .kind = JL_OPT_TEXT,
     .argument = "CONFIG",
     .offset = offsetof(settings, base),
     .help = "configuration that runs the first model (default: ort-cpu and the file's precision)"},
    {.name = "new",
     .kind = JL_OPT_TEXT,
     .argument = "CONFIG",
     .offset = offsetof(settings, other),
     .help =
         "configuration that runs the second model; fp16 and bf16 of an FP32 file are converted "
         "as run does"},
    JL_OPTION_IMAGES(settings, "compare"),
    JL_OPTION_PREPROCESS(settings),
    JL_OPTION_NPY(settings, "compare"),
    {.name = "labels",
     .kind = JL_OPT_TEXT,
     .argument = "FILE",
     .offset = offsetof(settings, labels),
     .help = "lines 'FILE CLASS' for --images, or a class a line in the order of the items"},
    JL_OPTION_SAMPLES(settings, "64", 1 << 24, "items to compare on"),
    {.name = "skip",
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "0",
     .min = 0,
     .max = 1 << 24,
     .offset = offsetof(settings, skip),
     .help = "leave out the first items, which calibration had"},
    JL_OPTION_SEED(settings, "1", "seed of the noise"),
    {.name = "output",
     .letter = 'o',
     .kind = JL_OPT_CHOICE,
     .argument = "FORMAT",
     .choices = "table|json",
     .fallback = "table",
     .offset = offsetof(settings, format),
     .help = "how to print"},
    JL_OPTION_TIMEOUT(settings, "give up after this long"),
    {0},
};

typedef struct work {
    const settings *s;
    const char *models[2], *scratch;
} work;

/* What the child found. */
typedef struct answer {
    jl_check check;
    char configurations[2][512];
    bool converted[2], zoo_weights;
} answer;

/* A class after the last blank of a line; what is before it is a name. */
static bool take_label(char *line, const char **name, int64_t *class)
{
    jl_one_line(line);
    char *blank = strrchr(line, ' '), *number = blank ? blank + 1 : line, *end;
    errno = 0;
    long long value = strtoll(number, &end, 10);
    *class = value;
    if (errno || end == number || *end || value < 0 || value >= JL_MAP_NONE) return false;
    if (blank) *blank = '\0';
    const char *slash = strrchr(line, '/');
    *name = !blank ? NULL : slash ? slash + 1 : line;
    return true;
}

/* Lines "name class" (by the file's name or its last part) or "class" (by place). */
static int read_labels(const char *path, jl_sample_set *set, size_t count, jl_arena *arena,
                       int64_t *labels, jl_error *err)
{
    FILE *f = fopen(path, "r");
    if (!f) return jl_fail_errno(err, JL_ERR_IO, "cannot open %s", path);
    char line[4096];
    const char *name;
    int64_t class;
    jl_map by_name = {0};
    int rc = 0;
    size_t found = 0;
    for (size_t number = 1; !rc && fgets(line, sizeof line, f); number++) {
        if (!take_label(line, &name, &class)) {
            rc = jl_fail(err, JL_ERR_FORMAT,
                         "%s:%zu: neither 'FILE CLASS' nor a class; classes count from 0", path,
                         number);
        } else if (name) {
            jl_map_set(&by_name, jl_str_c(jl_arena_printf(arena, "%s", name)), (uint32_t) class);
        } else if (number <= count) {
            labels[number - 1] = class;
            found++;
        }
    }
    if (!rc && ferror(f)) rc = jl_fail_errno(err, JL_ERR_IO, "cannot read %s", path);
    fclose(f);
    for (size_t i = 0; !rc && by_name.count && i < count; i++) {
        const char *label = jl_sample_set_label(set, i), *slash = strrchr(label, '/');
        uint32_t known = jl_map_get(&by_name, jl_str_c(slash ? slash + 1 : label));
        labels[i] = known == JL_MAP_NONE ? -1 : (int64_t)known;
        found += known != JL_MAP_NONE;
    }
    jl_map_free(&by_name);
    if (!rc && !found)
        rc = jl_fail(err, JL_ERR_USAGE, "no line of %s is the label of one of the %zu items", path,
                     count);
    return rc;
}

/* The file that side k runs: its own, or that one converted as the configuration says. */
static int settle_side(const work *w, int k, const jl_model *model, jl_arena *arena, answer *a,
                       jl_check_side *side, jl_error *err)
{
    const char *path = w->models[k], *given = k ? w->s->other : w->s->base;
    jl_dtype arithmetic = jl_model_arithmetic(model);
    jl_configuration c;
    char *text = a->configurations[k];
    bool convert;
    if (given)
        snprintf(text, sizeof a->configurations[k], "%s", given);
    else
        snprintf(text, sizeof a->configurations[k], "ort-cpu/%s",
                 jl_precision_name(jl_file_precision(arithmetic)));
    int rc = jl_configuration_parse(text, &c, err);
    if (rc) return rc;
    *side = (jl_check_side){.configuration = text, .model = path};
    const char *word = jl_configuration_option(&c, "convert");
    if (word && strcmp(word, "jouleline") != 0)
        return jl_fail(
            err, JL_ERR_USAGE,
            "+convert=%s is for 'jouleline run': convert %s first, and give the result as "
            "a model of its own",
            word, path);
    rc = jl_file_fits(&c, arithmetic, path, &convert, err);
    if (rc || !convert) return rc;
    if (c.precision == JL_PRECISION_INT8)
        return jl_fail(
            err, JL_ERR_USAGE,
            "%s is not quantised: write it in 8 bits with 'jouleline model quantize %s', "
            "and give the result as NEW.onnx",
            path, path);
    jl_convert_options o = {.to = c.precision == JL_PRECISION_BF16 ? JL_BFLOAT16 : JL_FLOAT16};
    jl_convert_summary summary;
    side->model = jl_arena_printf(arena, "%s/converted-%d.onnx", w->scratch, k);
    side->label = jl_arena_printf(arena, "%s, converted,", path);
    if (!side->model || !side->label) return jl_fail(err, JL_ERR_MEMORY, "no memory for a path");
    a->converted[k] = true;
    return jl_convert_precision(path, side->model, &o, &summary, err);
}

static int check_models(const work *w, jl_model *const models[2], jl_arena *arena, answer *a,
                        jl_error *err)
{
    const settings *s = w->s;
    jl_sample_source source = {JL_SAMPLE_SOURCE(s), .skip = (size_t)s->skip};
    jl_check_side sides[2];
    jl_sample_set *set = NULL;
    jl_samples samples = {0};
    int rc = 0;
    for (int k = 0; !rc && k < 2; k++)
        rc = settle_side(w, k, models[k], arena, a, &sides[k], err);
    if (!rc) rc = jl_sample_set_open(models[0], &source, &set, err);
    if (!rc) samples = jl_sample_set_samples(set);
    int64_t *labels = jl_arena_array(arena, samples.count + 1, sizeof *labels);
    if (!rc && !labels) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for labels");
    for (size_t i = 0; !rc && i < samples.count; i++)
        labels[i] = -1;
    if (!rc && s->labels) rc = read_labels(s->labels, set, samples.count, arena, labels, err);
    if (!rc) rc = jl_check_run(&sides[0], &sides[1], &samples, labels, w->scratch, &a->check, err);
    jl_sample_set_close(set);
    return rc;
}

/* In a child: it runs other people's models. */
static int check(void *arg, jl_buf *out, jl_error *err)
{
    const work *w = arg;
    answer a = {0};
    jl_model *models[2] = {0};
    jl_arena *arena = jl_arena_new();
    int rc = arena ? 0 : jl_fail(err, JL_ERR_MEMORY, "no memory for a comparison");
    for (int k = 0; !rc && k < 2; k++)
        rc = jl_open_model_file(w->models[k], &models[k], err);
    if (!rc) {
        a.zoo_weights = strstr(jl_model_producer(models[0]), "jouleline zoo") != NULL;
        rc = check_models(w, models, arena, &a, err);
    }
    jl_model_close(models[0]);
    jl_model_close(models[1]);
    jl_arena_free(arena);
    if (!rc) jl_buf_append(out, &a, sizeof a);
    return rc;
}

static void print_share(const char *what, const jl_share *s)
{
    printf("%-28s %zu of %zu, %.1f %% [%.1f, %.1f]\n", what, s->count, s->n,
           100.0 * (double)s->count / (double)s->n, 100 * s->low, 100 * s->high);
}

static void print_values(const jl_check *c)
{
    if (c->compared) {
        printf("%-28s mean %.6f, least %.6f\n", "cosine", c->cosine_mean, c->cosine_least);
        if (!isnan(c->centred_cosine_mean))
            printf("%-28s mean %.6f\n", "cosine, means subtracted", c->centred_cosine_mean);
        printf("%-28s mean %.3g, most %.3g\n", "absolute difference", c->error_mean, c->error_most);
    }
    if (c->compared < c->items)
        printf("%-28s %zu of %zu items, which are finite on both sides\n", "so compared",
               c->compared, c->items);
    if (c->base_bad || c->new_bad)
        printf("%-28s base %llu, new %llu\n", "NaN and infinite elements",
               (unsigned long long)c->base_bad, (unsigned long long)c->new_bad);
    if (c->first_bad[0]) printf("%-28s %s\n", "first in the new model", c->first_bad);
    if (c->no_place[0]) printf("%-28s not found: %s\n", "first in the new model", c->no_place);
}

static void print_table(const work *w, const answer *a, bool noise)
{
    const jl_check *c = &a->check;
    printf("%s%s on %s against %s%s on %s, %zu items\n", w->models[1],
           a->converted[1] ? ", converted," : "", a->configurations[1], w->models[0],
           a->converted[0] ? ", converted," : "", a->configurations[0], c->items);
    if (c->classes) {
        print_share("same first answer", &c->top1);
        print_share("same five first answers", &c->top5);
    }
    if (c->labelled) {
        print_share("first answer right, base", &c->base_right);
        print_share("first answer right, new", &c->new_right);
    }
    print_values(c);
    if (*c->base_emulated) printf("%s is emulated: %s.\n", a->configurations[0], c->base_emulated);
    if (*c->new_emulated && strcmp(a->configurations[0], a->configurations[1]) != 0)
        printf("%s is emulated: %s.\n", a->configurations[1], c->new_emulated);
    if (noise && c->classes)
        printf("The items are noise: the agreement does not transfer to real pictures.\n");
    else if (a->zoo_weights && c->classes)
        printf("The weights are the zoo's: unless 'model export --weights' gave others, the "
               "agreement does not transfer to a trained model.\n");
}

static json_t *share_json(const jl_share *s)
{
    return json_pack("{s:I,s:I,s:f,s:f}", "count", (json_int_t)s->count, "n", (json_int_t)s->n,
                     "low", s->low, "high", s->high);
}

/* A number, or null where there is none. */
static json_t *number(double x)
{
    return isnan(x) ? json_null() : json_real(x);
}

static void add_text(json_t *to, const char *key, const char *text)
{
    if (*text) json_object_set_new(to, key, json_string(text));
}

static void print_json(const work *w, const answer *a, bool noise)
{
    const jl_check *c = &a->check;
    json_t *j =
        json_pack("{s:s,s:s,s:b,s:s,s:s,s:b,s:I,s:I,s:o,s:o,s:o,s:o,s:I,s:I,s:b,s:b}", "base_model",
                  w->models[0], "base", a->configurations[0], "base_converted", a->converted[0],
                  "new_model", w->models[1], "new", a->configurations[1], "new_converted",
                  a->converted[1], "items", (json_int_t)c->items, "compared",
                  (json_int_t)c->compared, "cosine_mean", number(c->cosine_mean), "cosine_least",
                  number(c->cosine_least), "error_mean", number(c->error_mean), "error_most",
                  number(c->error_most), "base_bad", (json_int_t)c->base_bad, "new_bad",
                  (json_int_t)c->new_bad, "items_are_noise", noise, "zoo_weights", a->zoo_weights);
    if (!isnan(c->centred_cosine_mean))
        json_object_set_new(j, "centred_cosine_mean", json_real(c->centred_cosine_mean));
    if (c->classes) {
        json_object_set_new(j, "top1", share_json(&c->top1));
        json_object_set_new(j, "top5", share_json(&c->top5));
    }
    if (c->labelled) {
        json_object_set_new(j, "base_right", share_json(&c->base_right));
        json_object_set_new(j, "new_right", share_json(&c->new_right));
    }
    add_text(j, "base_emulated", c->base_emulated);
    add_text(j, "new_emulated", c->new_emulated);
    add_text(j, "first_bad", c->first_bad);
    add_text(j, "no_place", c->no_place);
    json_dumpf(j, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(j);
}

/* What the models did to the process that ran them, and what can be done. */
static void explain_end(const work *w, jl_error *err)
{
    jl_error why = *err;
    bool crash = why.code == JL_ERR_CRASH;
    jl_fail(err, why.code, "%s and %s: %s while running the models%s", w->models[0], w->models[1],
            why.msg,
            crash ? "; " JL_CRASH_ADVICE
                  : "; give more time with --timeout, or fewer items with --samples");
}

static int run(const jl_invocation *call)
{
    const settings *s = call->settings;
    const jl_words *given = &call->arguments;
    work w = {.s = s, .models = {given->items[0], given->items[given->count - 1]}};
    answer result;
    JL_CLEANUP(jl_buf_free) jl_buf bytes = {0};
    jl_path scratch;
    jl_error err = {0};
    const volatile sig_atomic_t *interrupted = jl_catch_signals();
    if (jl_scratch_make(&scratch, "check", &err)) return jl_report_error(call, &err);
    w.scratch = scratch.s;
    int rc = jl_call_in_child(check, &w, s->timeout_ns, interrupted, sizeof result, &bytes, &err);
    jl_scratch_remove(&scratch);
    if (rc == JL_ERR_CRASH || rc == JL_ERR_TIMEOUT) explain_end(&w, &err);
    if (rc) return jl_report_error(call, &err);
    memcpy(&result, bytes.p, sizeof result);
    bool noise = !s->images && !s->npy;
    if (s->format)
        print_json(&w, &result, noise);
    else
        print_table(&w, &result, noise);
    return EXIT_OK;
}

const jl_command jl_command_model_check = {
    .name = "model check",
    .summary = "compare the outputs of two models, or of one on two configurations",
    .arguments = "BASE.onnx [NEW.onnx]",
    .about = "Runs both on the same inputs and prints how far their outputs agree. With one model "
             "the same file is run by --base and by --new, or converted for it. A configuration "
             "whose precision the file is not in is refused, unless the runtime converts it.",
    .options = options,
    .settings_size = sizeof(settings),
    .least_arguments = 1,
    .most_arguments = 2,
    .run = run,
};
