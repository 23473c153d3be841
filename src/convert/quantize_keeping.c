/* --keep auto: which convolutions and products stay in FP32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/quantize_parts.h"
#include "convert/session.h"
#include "jouleline/cost.h"

enum { COST_ITEMS = 4 /* on which a node's cost is taken: each has an error for every class */ };

typedef struct candidate {
    const char *name;
    double macs, error;
    size_t order; /* its place in the file: ties keep it */
} candidate;

typedef struct searcher {
    const char *from;
    jl_quantize_options options; /* keep: room for every candidate */
    const char **keep;
    size_t own; /* names that the caller keeps */
    jl_samples calibration, judging;
    jl_known known;
    jl_arena *arena;
    char *scratch;
    jl_tensor *inputs;
    float *answers; /* of FP32: items x classes */
    size_t classes;
    candidate *candidates;
    size_t count;
    double macs; /* of the whole model */
    jl_keep_search *found;
} searcher;

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while quantising");
}

/* The second half of the samples. */
static int get_held_out(void *ctx, size_t i, jl_tensor *tensors, jl_error *err)
{
    const jl_samples *all = ctx;
    return all->get(all->ctx, all->count / 2 + i, tensors, err);
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

/* The answers of FP32 to the held-out samples. */
static int answer(searcher *s, jl_error *err)
{
    jl_session *session = NULL;
    int rc = get_held_out(s->judging.ctx, 0, s->inputs, err);
    if (!rc)
        rc = jl_session_open("ort-cpu/fp32", s->from, s->inputs, s->judging.inputs, &session, err);
    for (size_t i = 0; !rc && i < s->judging.count; i++) {
        const jl_tensor *outputs;
        size_t count, classes = 0;
        rc = get_held_out(s->judging.ctx, i, s->inputs, err);
        if (!rc) rc = jl_session_run(session, s->inputs, &outputs, &count, err);
        if (!rc) rc = classes_of(outputs, count, &classes, err);
        if (rc) break;
        if (i == 0) {
            s->classes = classes;
            s->answers = jl_arena_array(s->arena, s->judging.count * classes, sizeof *s->answers);
            if (!s->answers) rc = no_memory(err);
        }
        if (!rc) memcpy(s->answers + i * classes, outputs[0].data, classes * sizeof(float));
    }
    jl_session_close(session);
    return rc;
}

/* Runs the model in s->scratch on the first `items` held-out samples. */
static int compare(searcher *s, size_t items, double *error, size_t *agree, jl_error *err)
{
    jl_session *session = NULL;
    *error = 0;
    *agree = 0;
    int rc = get_held_out(s->judging.ctx, 0, s->inputs, err);
    if (!rc)
        rc = jl_session_open("ort-cpu/int8", s->scratch, s->inputs, s->judging.inputs, &session,
                             err);
    for (size_t i = 0; !rc && i < items; i++) {
        const jl_tensor *outputs;
        size_t count, n = s->classes;
        const float *wanted = s->answers + i * n;
        rc = get_held_out(s->judging.ctx, i, s->inputs, err);
        if (!rc) rc = jl_session_run(session, s->inputs, &outputs, &count, err);
        if (rc) break;
        const float *got = outputs[0].data;
        for (size_t k = 0; k < n; k++)
            *error += ((double)got[k] - wanted[k]) * ((double)got[k] - wanted[k]);
        *agree += first_answer(got, n) == first_answer(wanted, n);
    }
    jl_session_close(session);
    *error /= (double)(items * s->classes);
    return rc;
}

static int write_model(searcher *s, const char *to, bool plain, jl_quantize_summary *summary,
                       jl_error *err)
{
    const jl_quantize_mode mode = {.known = &s->known, .plain = plain, .name_nodes = true};
    return jl_quantize_as(s->from, to, &s->calibration, &s->options, &mode, summary, err);
}

/* The error of the outputs when this candidate alone is quantised. */
static int cost_alone(searcher *s, candidate *c, jl_error *err)
{
    jl_quantize_summary ignored;
    size_t agree;
    s->options.keep_count = s->own;
    for (size_t i = 0; i < s->count; i++)
        if (&s->candidates[i] != c) s->keep[s->options.keep_count++] = s->candidates[i].name;
    int rc = write_model(s, s->scratch, true, &ignored, err);
    s->found->models++;
    return rc ? rc : compare(s, COST_ITEMS, &c->error, &agree, err);
}

/* Agreement with the first n candidates kept. */
static int judge(searcher *s, size_t n, size_t *agree, jl_error *err)
{
    jl_quantize_summary ignored;
    double error;
    s->options.keep_count = s->own;
    for (size_t i = 0; i < n; i++)
        s->keep[s->options.keep_count++] = s->candidates[i].name;
    int rc = write_model(s, s->scratch, false, &ignored, err);
    s->found->models++;
    return rc ? rc : compare(s, s->judging.count, &error, agree, err);
}

static int by_error_per_mac(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    double left = x->error * y->macs, right = y->error * x->macs;
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

/* The candidates in the order in which they are kept, as many as the share allows, first. */
static size_t sort_candidates(searcher *s)
{
    double room = JL_KEEP_MACS_SHARE * s->macs - s->macs;
    for (size_t i = 0; i < s->count; i++)
        room += s->candidates[i].macs; /* what is no candidate is in FP32 already */
    size_t fitting = 0;
    qsort(s->candidates, s->count, sizeof *s->candidates, by_error_per_mac);
    for (size_t i = 0; i < s->count; i++) {
        candidate c = s->candidates[i];
        if (c.macs > room) continue;
        room -= c.macs;
        memmove(&s->candidates[fitting + 1], &s->candidates[fitting], (i - fitting) * sizeof c);
        s->candidates[fitting++] = c;
    }
    return fitting;
}

static bool enough(const searcher *s, size_t agree)
{
    return (double)agree >= JL_KEEP_AGREEMENT * (double)s->judging.count;
}

/* How many to keep: the fewest of the order that are enough, or all that fit. */
static int choose(searcher *s, size_t fitting, size_t *kept, jl_error *err)
{
    size_t agree, low = 0, high = fitting;
    *kept = fitting;
    int rc = judge(s, fitting, &agree, err);
    if (rc) return rc;
    s->found->agree = agree;
    while (enough(s, s->found->agree) && low + 1 < high) { /* low is too few, high enough */
        size_t middle = (low + high) / 2;
        rc = judge(s, middle, &agree, err);
        if (rc) return rc;
        if (enough(s, agree)) {
            high = *kept = middle;
            s->found->agree = agree;
        } else {
            low = middle;
        }
    }
    return 0;
}

static int search_nodes(searcher *s, jl_error *err)
{
    jl_keep_search *f = s->found;
    size_t kept = 0;
    int rc = judge(s, 0, &f->agree_before, err);
    f->agree = f->agree_before;
    if (!rc) rc = count_macs(s, err);
    if (!rc && !enough(s, f->agree)) {
        for (size_t i = 0; !rc && i < s->count; i++)
            rc = cost_alone(s, &s->candidates[i], err);
        if (!rc) rc = choose(s, sort_candidates(s), &kept, err);
    }
    if (rc) return rc;
    f->kept = kept;
    f->reached = enough(s, f->agree);
    s->options.keep_count = s->own;
    f->macs_share = 1;
    for (size_t i = kept; i < s->count; i++)
        f->macs_share -= s->candidates[i].macs / s->macs;
    for (size_t i = 0; i < kept; i++) {
        s->keep[s->options.keep_count++] = s->candidates[i].name;
        if (i < sizeof f->names / sizeof *f->names)
            snprintf(f->names[i], sizeof f->names[i], "%.*s", (int)sizeof f->names[i] - 1,
                     s->candidates[i].name);
    }
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
    s->keep = jl_arena_array(s->arena, s->own + s->count + 1, sizeof *s->keep);
    s->candidates = jl_arena_array(s->arena, s->count + 1, sizeof *s->candidates);
    s->inputs = jl_arena_array(s->arena, s->judging.inputs + 1, sizeof *s->inputs);
    s->scratch = jl_arena_printf(s->arena, "%s/keep-%d.onnx", options->scratch, (int)getpid());
    if (!s->keep || !s->candidates || !s->inputs || !s->scratch) return no_memory(err);
    if (s->own) memcpy(s->keep, options->keep, s->own * sizeof *s->keep);
    s->options.keep = s->keep;
    for (size_t i = 0; i < s->count; i++)
        s->candidates[i] = (candidate){.name = names[i], .order = i};
    return 0;
}

int jl_quantize_keeping(const char *from, const char *to, const jl_samples *samples,
                        const jl_quantize_options *options, jl_quantize_summary *summary,
                        jl_keep_search *search, jl_error *err)
{
    size_t half = samples->count / 2;
    *search = (jl_keep_search){.items = samples->count - half};
    if (samples->count < JL_KEEP_LEAST_ITEMS)
        return jl_fail(err, JL_ERR_USAGE,
                       "--keep auto needs %d samples or more, and has %zu: one half calibrates, "
                       "the other judges",
                       JL_KEEP_LEAST_ITEMS, samples->count);
    jl_samples all = *samples;
    searcher s = {.from = from, .calibration = *samples, .found = search};
    s.calibration.count = half;
    s.judging = (jl_samples){search->items, samples->inputs, get_held_out, &all};
    int rc = begin(&s, options, err);
    if (!rc) rc = answer(&s, err);
    if (!rc) rc = search_nodes(&s, err);
    if (!rc) rc = write_model(&s, to, false, summary, err);
    if (s.scratch) unlink(s.scratch);
    jl_map_free(&s.known.places);
    jl_arena_free(s.known.arena);
    jl_arena_free(s.arena);
    return rc;
}
