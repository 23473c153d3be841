/* --keep auto: which convolutions and products stay in FP32. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/quantize_parts.h"
#include "convert/session.h"
#include "jouleline/cost.h"

enum { COST_ITEMS = 4 /* on which errors are taken: each has one for every class */ };

#define SHARED                                                                                     \
    1.1 /* error of a choice, as a multiple of the sum of its parts, that is looked into */

typedef struct candidate {
    const char *name;
    double macs;
    double gain;  /* squared error that FP32 takes from the outputs */
    size_t order; /* its place in the file: ties keep it */
    bool kept;
} candidate;

typedef struct searcher {
    const char *from;
    jl_quantize_options options; /* keep: room for every candidate */
    const char **keep;
    size_t own;                  /* names that the caller keeps */
    jl_samples all, calibration; /* the first half calibrates and chooses, the rest judges */
    jl_known known;
    jl_arena *arena;
    char *scratch;
    jl_tensor *inputs;
    float *answers; /* of FP32: samples x classes */
    size_t classes;
    candidate *candidates, *before;
    size_t count;
    double macs;  /* of the whole model */
    size_t total; /* models that will be tried, about */
    const jl_quantize_watch *watch;
    jl_keep_search *found;
} searcher;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
}

static void step(const searcher *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void step(const searcher *s, const char *format, ...)
{
    char words[512];
    va_list args;
    if (!s->watch) return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    s->watch->step(s->watch->ctx, s->found->models, s->total, words);
}

static size_t first_answer(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* One output of floats [1, classes]. */
static int classes_of(const jl_tensor *outputs, size_t count, size_t *classes, jl_error *err)
{
    if (count != 1 || outputs[0].dtype != JL_FLOAT || outputs[0].rank != 2 ||
        outputs[0].dims[0] != 1 || outputs[0].dims[1] < 2)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "--keep auto judges by the first answer of a classifier, and the model has "
                       "no single output [batch, classes]; name the nodes to keep instead");
    *classes = (size_t)outputs[0].dims[1];
    return 0;
}

/* The answers of FP32. */
static int answer(searcher *s, jl_error *err)
{
    const jl_samples *all = &s->all;
    jl_session *session = NULL;
    bool alike = true;
    step(s, "running the FP32 model on the samples");
    int rc = all->get(all->ctx, 0, s->inputs, err);
    if (!rc) rc = jl_session_open("ort-cpu/fp32", s->from, s->inputs, all->inputs, &session, err);
    for (size_t i = 0; !rc && i < all->count; i++) {
        const jl_tensor *outputs;
        size_t count, classes = 0;
        rc = all->get(all->ctx, i, s->inputs, err);
        if (!rc) rc = jl_session_run(session, s->inputs, &outputs, &count, err);
        if (!rc) rc = classes_of(outputs, count, &classes, err);
        if (rc) break;
        if (i == 0) {
            s->classes = classes;
            s->answers = jl_arena_array(s->arena, all->count * classes, sizeof *s->answers);
            if (!s->answers) rc = no_memory(err);
        }
        size_t bytes = classes * sizeof(float);
        if (!rc) memcpy(s->answers + i * classes, outputs[0].data, bytes);
        if (!rc) alike = alike && !memcmp(s->answers, outputs[0].data, bytes);
    }
    jl_session_close(session);
    if (!rc && alike)
        rc = jl_fail(err, JL_ERR_USAGE,
                     "FP32 answers all %zu samples alike, number for number, so that they cannot "
                     "say which nodes cost agreement: give samples that differ",
                     all->count);
    return rc;
}

/* Runs the model in s->scratch on the first `items` samples: the squared error of the outputs, and
 * how many have FP32's first answer in either half. */
static int compare(searcher *s, size_t items, double *error, size_t agree[2], jl_error *err)
{
    const jl_samples *all = &s->all;
    jl_session *session = NULL;
    *error = 0;
    agree[0] = agree[1] = 0;
    int rc = all->get(all->ctx, 0, s->inputs, err);
    if (!rc)
        rc = jl_session_open("ort-cpu/int8", s->scratch, s->inputs, all->inputs, &session, err);
    for (size_t i = 0; !rc && i < items; i++) {
        const jl_tensor *outputs;
        size_t count, n = s->classes;
        const float *wanted = s->answers + i * n;
        rc = all->get(all->ctx, i, s->inputs, err);
        if (!rc) rc = jl_session_run(session, s->inputs, &outputs, &count, err);
        if (rc) break;
        const float *got = outputs[0].data;
        for (size_t k = 0; k < n; k++)
            *error += ((double)got[k] - wanted[k]) * ((double)got[k] - wanted[k]);
        agree[i >= s->calibration.count] += first_answer(got, n) == first_answer(wanted, n);
    }
    jl_session_close(session);
    *error /= (double)(items * s->classes);
    return rc;
}

/* The model with those candidates in FP32 that are marked. */
static int write_model(searcher *s, const char *to, bool plain, jl_quantize_summary *summary,
                       jl_error *err)
{
    const jl_quantize_mode mode = {.known = &s->known, .plain = plain, .name_nodes = true};
    s->options.keep_count = s->own;
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].kept) s->keep[s->options.keep_count++] = s->candidates[i].name;
    return jl_quantize_as(s->from, to, &s->calibration, &s->options, &mode, summary, err);
}

static int try_model(searcher *s, bool plain, size_t items, double *error, size_t agree[2],
                     jl_error *err)
{
    jl_quantize_summary ignored;
    int rc = write_model(s, s->scratch, plain, &ignored, err);
    if (!rc) rc = compare(s, items, error, agree, err);
    s->found->models++;
    return rc;
}

/* The squared error of the outputs. */
static int take_error(searcher *s, double *error, jl_error *err)
{
    size_t ignored[2];
    return try_model(s, true, COST_ITEMS, error, ignored, err);
}

/* Marks the first n candidates. */
static void mark_first(searcher *s, size_t n)
{
    for (size_t i = 0; i < s->count; i++)
        s->candidates[i].kept = i < n;
}

/* The same first answers in either half, with the first n candidates kept. */
static int judge(searcher *s, size_t n, size_t agree[2], jl_error *err)
{
    double ignored;
    mark_first(s, n);
    step(s, "trying the model with %zu of %zu nodes in FP32", n, s->count);
    return try_model(s, false, s->all.count, &ignored, agree, err);
}

/* What each candidate gains in FP32 beside those that are marked, whose error is `now`. */
static int take_gains(searcher *s, double now, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < s->count; i++) {
        candidate *c = &s->candidates[i];
        double then = 0;
        step(s, "trying the model with '%s' %s", c->name, c->kept ? "in 8 bits" : "back in FP32");
        c->kept = !c->kept;
        rc = take_error(s, &then, err);
        c->kept = !c->kept;
        c->gain = c->kept ? then - now : now - then;
    }
    return rc;
}

static int by_gain_per_mac(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    double left = x->gain * y->macs, right = y->gain * x->macs;
    return left > right ? -1 : left < right ? 1 : x->order < y->order ? -1 : 1;
}

/* Multiplications of the model and of each candidate. */
static int count_macs(searcher *s, jl_error *err)
{
    jl_model *model;
    jl_cost *cost = NULL;
    jl_map places = {0};
    int rc = jl_model_open(s->from, &model, err);
    if (rc) return rc;
    rc = jl_cost_new(model, &(jl_cost_options){.batch = 1}, &cost, err);
    for (size_t i = 0; !rc && i < s->count; i++)
        if (!jl_map_set(&places, jl_str_c(s->candidates[i].name), (uint32_t)i)) rc = no_memory(err);
    for (size_t i = 0; !rc && i < cost->n_nodes; i++) {
        uint32_t at = jl_map_get(&places, jl_str_c(cost->nodes[i].name));
        if (at != JL_MAP_NONE) s->candidates[at].macs += (double)cost->nodes[i].cost.macs;
    }
    if (!rc) s->macs = (double)cost->total.macs;
    for (size_t i = 0; !rc && i < s->count; i++)
        if (!(s->candidates[i].macs > 0))
            rc = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the multiplications of '%s' cannot be told from the model's shapes",
                         s->candidates[i].name);
    jl_map_free(&places);
    jl_cost_free(cost);
    jl_model_close(model);
    return rc;
}

/* Marks those with the largest gains, as many as the share allows, and puts them first. */
static size_t mark(searcher *s)
{
    double room = JL_KEEP_MACS_SHARE * s->macs - s->macs;
    for (size_t i = 0; i < s->count; i++)
        room += s->candidates[i].macs; /* what is no candidate is in FP32 already */
    size_t fitting = 0;
    qsort(s->candidates, s->count, sizeof *s->candidates, by_gain_per_mac);
    for (size_t i = 0; i < s->count; i++) {
        candidate c = s->candidates[i];
        c.kept = c.macs <= room && c.gain > 0;
        s->candidates[i].kept = false;
        if (!c.kept) continue;
        room -= c.macs;
        memmove(&s->candidates[fitting + 1], &s->candidates[fitting], (i - fitting) * sizeof c);
        s->candidates[fitting++] = c;
    }
    return fitting;
}

/* Finds the order of candidates, and how many of it fit into the share. */
static int rank(searcher *s, size_t *fitting, jl_error *err)
{
    double parts = 0, least, error;
    mark_first(s, s->count);
    int rc = take_gains(s, 0, err);
    if (rc) return rc;
    *fitting = mark(s);
    for (size_t i = *fitting; i < s->count; i++)
        parts += s->candidates[i].gain;
    step(s, "trying the model with %zu of %zu nodes in FP32", *fitting, s->count);
    rc = take_error(s, &least, err);
    if (rc || least <= SHARED * parts) return rc;
    memcpy(s->before, s->candidates, s->count * sizeof *s->before);
    s->total += s->count + 1;
    rc = take_gains(s, least, err);
    if (rc) return rc;
    size_t marked = mark(s);
    step(s, "trying the model with %zu of %zu nodes in FP32", marked, s->count);
    rc = take_error(s, &error, err);
    if (rc) return rc;
    if (error < least)
        *fitting = marked;
    else
        memcpy(s->candidates, s->before, s->count * sizeof *s->before);
    return 0;
}

static bool enough(size_t agree, size_t items)
{
    return (double)agree >= JL_KEEP_AGREEMENT * (double)items;
}

/* How many to keep: the fewest of the order that are enough on the first half, or all that fit. */
static int choose(searcher *s, size_t fitting, size_t *kept, size_t agree[2], jl_error *err)
{
    size_t half = s->calibration.count, low = 0, now[2];
    *kept = fitting;
    int rc = judge(s, fitting, agree, err);
    while (!rc && enough(agree[0], half) && low + 1 < *kept) { /* low is too few */
        size_t middle = (low + *kept) / 2;
        s->total++;
        rc = judge(s, middle, now, err);
        if (rc || !enough(now[0], half)) {
            low = middle;
            continue;
        }
        *kept = middle;
        memcpy(agree, now, sizeof now);
    }
    return rc;
}

static int calibrate(searcher *s, jl_calibration how, double *error, jl_error *err)
{
    jl_arena_free(s->known.arena);
    jl_map_free(&s->known.places);
    s->known = (jl_known){.arena = jl_arena_new()};
    if (!s->known.arena) return no_memory(err);
    s->options.calibration = how;
    mark_first(s, 0);
    step(s, "calibrating by %s", how == JL_CALIBRATE_PERCENTILE ? "percentile" : "extremes");
    return take_error(s, error, err);
}

/* The way to find ranges that gives the smaller error, and what it found. */
static int choose_calibration(searcher *s, jl_error *err)
{
    double *error = s->found->error;
    s->total += 2;
    int rc = calibrate(s, JL_CALIBRATE_MINMAX, &error[0], err);
    if (!rc) rc = calibrate(s, JL_CALIBRATE_PERCENTILE, &error[1], err);
    if (!rc && error[0] <= error[1]) rc = calibrate(s, JL_CALIBRATE_MINMAX, &error[0], err);
    return rc;
}

static int search_nodes(searcher *s, jl_error *err)
{
    jl_keep_search *f = s->found;
    size_t kept = 0, fitting = 0, agree[2];
    int rc = judge(s, 0, agree, err);
    f->agree_before = agree[1];
    if (!rc) rc = count_macs(s, err);
    if (!rc && !enough(agree[0], f->chosen_items)) rc = rank(s, &fitting, err);
    if (!rc && fitting) rc = choose(s, fitting, &kept, agree, err);
    if (rc) return rc;
    mark_first(s, kept);
    f->chosen_agree = agree[0];
    f->agree = agree[1];
    f->calibration = s->options.calibration;
    f->kept = kept;
    f->reached = enough(f->agree, f->items);
    f->macs_share = 1;
    for (size_t i = kept; i < s->count; i++)
        f->macs_share -= s->candidates[i].macs / s->macs;
    for (size_t i = 0; i < kept && i < sizeof f->names / sizeof *f->names; i++)
        snprintf(f->names[i], sizeof f->names[i], "%.*s", (int)sizeof f->names[i] - 1,
                 s->candidates[i].name);
    return rc;
}

static int begin(searcher *s, const jl_quantize_options *options, jl_error *err)
{
    const char **names;
    s->arena = jl_arena_new();
    s->known.arena = jl_arena_new();
    if (!s->arena || !s->known.arena) return no_memory(err);
    int rc = jl_quantize_anchors(s->from, options, s->arena, &names, &s->count, err);
    if (rc) return rc;
    s->options = *options;
    s->own = options->keep_count;
    s->found->candidates = s->count;
    s->total = s->count + 3; /* nothing kept, each alone, the choice by its error and its answers */
    s->keep = jl_arena_array(s->arena, s->own + s->count + 1, sizeof *s->keep);
    s->candidates = jl_arena_array(s->arena, s->count + 1, sizeof *s->candidates);
    s->before = jl_arena_array(s->arena, s->count + 1, sizeof *s->before);
    s->inputs = jl_arena_array(s->arena, s->all.inputs + 1, sizeof *s->inputs);
    s->scratch = jl_arena_printf(s->arena, "%s/keep-%d.onnx", options->scratch, (int)getpid());
    if (!s->keep || !s->candidates || !s->before || !s->inputs || !s->scratch)
        return no_memory(err);
    if (s->own) memcpy(s->keep, options->keep, s->own * sizeof *s->keep);
    s->options.keep = s->keep;
    for (size_t i = 0; i < s->count; i++)
        s->candidates[i] = (candidate){.name = names[i], .order = i};
    return 0;
}

int jl_quantize_keeping(const char *from, const char *to, const jl_samples *samples,
                        const jl_quantize_options *options, bool any_calibration,
                        const jl_quantize_watch *watch, jl_quantize_summary *summary,
                        jl_keep_search *search, jl_error *err)
{
    size_t half = samples->count / 2;
    *search = (jl_keep_search){.items = samples->count - half, .chosen_items = half};
    if (samples->count < JL_KEEP_LEAST_ITEMS)
        return jl_fail(err, JL_ERR_USAGE,
                       "--keep auto needs %d samples or more, and has %zu: one half calibrates, "
                       "the other judges; give more samples",
                       JL_KEEP_LEAST_ITEMS, samples->count);
    searcher s = {
        .from = from, .all = *samples, .calibration = *samples, .watch = watch, .found = search};
    s.calibration.count = half;
    int rc = begin(&s, options, err);
    if (!rc) rc = answer(&s, err);
    if (!rc && any_calibration) rc = choose_calibration(&s, err);
    if (!rc) rc = search_nodes(&s, err);
    if (!rc) step(&s, "writing the result");
    if (!rc) rc = write_model(&s, to, false, summary, err);
    if (s.scratch) unlink(s.scratch);
    jl_map_free(&s.known.places);
    jl_arena_free(s.known.arena);
    jl_arena_free(s.arena);
    return rc;
}
