#include "convert/samples.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "base/image.h"
#include "base/npy.h"
#include "base/rng.h"
#include "base/str.h"
#include "runtime/inputs.h"

struct jl_sample_set {
    jl_sample_source source;
    jl_arena *arena;
    jl_input_spec *specs;
    size_t inputs, count; /* count: items */
    char **files;         /* of a folder */
    jl_preprocess preprocess;
    int height, width;
    float *pixels;
    jl_npy npy;
    jl_inputs seeded; /* of the last item */
    char label[64];
    /* What the calls so far were. */
    bool looked, differ, varied; /* two calls were not alike; one call was not one number */
    uint64_t first;
};

static int no_memory(jl_error *err)
{
    return jl_fail(err, JL_ERR_MEMORY, "no memory for samples");
}

static bool picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot &&
           (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png"));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(jl_sample_set *s, jl_error *err)
{
    const char *folder = s->source.images;
    DIR *d = opendir(folder);
    if (!d) return jl_fail_errno(err, JL_ERR_IO, "cannot open the folder %s", folder);
    size_t n = 0, capacity = 0;
    bool memory = true;
    for (struct dirent *entry; memory && (entry = readdir(d));) {
        if (!picture_name(entry->d_name)) continue;
        if (n == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            char **files = jl_arena_array(s->arena, capacity, sizeof *files);
            if (files && n) memcpy(files, s->files, n * sizeof *files);
            memory = (s->files = files) != NULL;
        }
        if (memory) s->files[n] = jl_arena_printf(s->arena, "%s/%s", folder, entry->d_name);
        memory = memory && s->files[n++];
    }
    closedir(d);
    if (!memory) return no_memory(err);
    if (n) qsort(s->files, n, sizeof *s->files, by_name);
    if (n <= s->source.skip)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s holds %zu JPEG and PNG pictures, %zu or more are needed", folder, n,
                       s->source.skip + 1);
    s->count = n - s->source.skip < s->source.count ? n - s->source.skip : s->source.count;
    return 0;
}

static bool takes_batch(const jl_sample_set *s, const jl_input_spec *in)
{
    return in->rank <= 0 || in->dims[0] < 0 || in->dims[0] == (int64_t)s->source.batch;
}

/* One float input [1 or batch, 3, height, width]. */
static int open_pictures(jl_sample_set *s, jl_error *err)
{
    const jl_input_spec *in = &s->specs[0];
    bool fits = s->inputs == 1 && in->dtype == JL_FLOAT && in->rank == 4 && in->dims[1] == 3 &&
                takes_batch(s, in) && in->dims[2] > 0 && in->dims[3] > 0;
    if (!fits)
        return jl_fail(err, JL_ERR_USAGE,
                       "pictures need a model with one float input of shape [batch, 3, H, W] that "
                       "takes a batch of %zu",
                       s->source.batch);
    s->height = (int)in->dims[2];
    s->width = (int)in->dims[3];
    char usual[64];
    snprintf(usual, sizeof usual, "resize=%d,crop=%d", s->width * 256 / 224, s->width);
    int rc = jl_preprocess_parse(s->source.preprocess ? s->source.preprocess : usual,
                                 &s->preprocess, err);
    if (rc) return rc;
    s->pixels = jl_arena_array(s->arena, (size_t)s->height * (size_t)s->width * s->source.batch,
                               3 * sizeof(float));
    return s->pixels ? list_folder(s, err) : no_memory(err);
}

/* "float[batch, 3, 224, 224]"; a dimension below 0 is free. */
static void put_type(jl_buf *to, jl_dtype dtype, const int64_t *dims, int rank)
{
    jl_buf_printf(to, "%s[", jl_dtype_name(dtype));
    for (int k = 0; k < rank; k++) {
        if (dims[k] >= 0)
            jl_buf_printf(to, "%s%lld", k ? ", " : "", (long long)dims[k]);
        else
            jl_buf_printf(to, "%s?", k ? ", " : "");
    }
    jl_buf_puts(to, rank < 0 ? "...]" : "]");
}

static int misfit(const jl_sample_set *s, const jl_tensor *t, jl_error *err)
{
    const jl_input_spec *in = &s->specs[0];
    if (s->inputs != 1)
        return jl_fail(err, JL_ERR_USAGE, "%s holds one input, and the model takes %zu",
                       s->source.npy, s->inputs);
    JL_CLEANUP(jl_buf_free) jl_buf has = {0}, takes = {0};
    put_type(&has, t->dtype, t->dims, t->rank);
    put_type(&takes, in->dtype, in->dims, in->rank);
    return jl_fail(err, JL_ERR_USAGE,
                   "%s is %s and input '%s' takes %s: save items of that type and shape along the "
                   "first axis, which are given %zu a call",
                   s->source.npy, has.p ? has.p : "", in->name, takes.p ? takes.p : "",
                   s->source.batch);
}

static int open_npy(jl_sample_set *s, jl_error *err)
{
    int rc = jl_npy_open(s->source.npy, &s->npy, err);
    if (rc) return rc;
    const jl_tensor *t = &s->npy.tensor;
    const jl_input_spec *in = &s->specs[0];
    bool fits = s->inputs == 1 && t->dtype == in->dtype && t->rank >= 1 &&
                (in->rank < 0 || t->rank == in->rank) && takes_batch(s, in);
    for (int k = 1; fits && k < t->rank && in->rank > 0; k++)
        fits = in->dims[k] < 0 || in->dims[k] == t->dims[k];
    if (!fits) return misfit(s, t, err);
    size_t items = (size_t)t->dims[0];
    if (items <= s->source.skip)
        return jl_fail(err, JL_ERR_USAGE, "%s holds %zu items, %zu or more are needed",
                       s->source.npy, items, s->source.skip + 1);
    s->count = items - s->source.skip < s->source.count ? items - s->source.skip : s->source.count;
    return 0;
}

int jl_sample_set_open(const jl_model *model, const jl_sample_source *source, jl_sample_set **set,
                       jl_error *err)
{
    jl_sample_set *s = *set = calloc(1, sizeof *s);
    if (!s || !(s->arena = jl_arena_new())) {
        free(s);
        *set = NULL;
        return no_memory(err);
    }
    s->source = *source;
    s->count = source->count;
    if (!s->source.batch) s->source.batch = 1;
    int rc = jl_input_specs(model, s->arena, &s->specs, &s->inputs, err);
    if (!rc && source->preprocess && !source->images)
        rc =
            jl_fail(err, JL_ERR_USAGE, "--preprocess says how to read pictures: give --images too");
    if (!rc && s->inputs == 0) rc = jl_fail(err, JL_ERR_USAGE, "the model takes no input");
    if (!rc && source->images)
        rc = open_pictures(s, err);
    else if (!rc && source->npy)
        rc = open_npy(s, err);
    if (!rc && s->count < s->source.batch)
        rc = jl_fail(err, JL_ERR_USAGE, "%zu items do not fill a batch of %zu", s->count,
                     s->source.batch);
    if (rc) {
        jl_sample_set_close(s);
        *set = NULL;
    }
    return rc;
}

static int get_pictures(jl_sample_set *s, size_t at, jl_tensor *t, jl_error *err)
{
    size_t pixels = (size_t)s->height * (size_t)s->width * 3;
    for (size_t k = 0; k < s->source.batch; k++) {
        jl_image image;
        int rc = jl_image_read(s->files[at + k], &image, err);
        if (rc) return rc;
        rc = jl_image_to_floats(&image, &s->preprocess, s->height, s->width, s->pixels + k * pixels,
                                err);
        jl_image_free(&image);
        if (rc) return jl_prefix(err, "%s", s->files[at + k]);
    }
    *t = (jl_tensor){.name = s->specs[0].name,
                     .dtype = JL_FLOAT,
                     .rank = 4,
                     .dims = {(int64_t)s->source.batch, 3, s->height, s->width},
                     .data = s->pixels,
                     .size_bytes = s->source.batch * pixels * sizeof(float)};
    return 0;
}

static int get_seeded(jl_sample_set *s, size_t at, jl_tensor *tensors, jl_error *err)
{
    jl_inputs_free(&s->seeded);
    int rc = jl_inputs_make(s->specs, s->inputs, NULL, (int64_t)s->source.batch,
                            jl_mix64(s->source.seed + at), &s->seeded, err);
    if (rc) return rc;
    if (!s->seeded.batched && s->source.batch > 1)
        return jl_fail(err, JL_ERR_USAGE,
                       "the model's inputs have no dimension for a batch of %zu items",
                       s->source.batch);
    memcpy(tensors, s->seeded.tensors, s->inputs * sizeof *tensors);
    return 0;
}

static int make(jl_sample_set *s, size_t i, jl_tensor *tensors, jl_error *err)
{
    size_t at = i * s->source.batch + s->source.skip;
    if (s->source.images) return get_pictures(s, at, tensors, err);
    if (!s->source.npy) return get_seeded(s, at, tensors, err);
    jl_tensor t = s->npy.tensor;
    size_t item = t.size_bytes / (size_t)t.dims[0];
    t.dims[0] = (int64_t)s->source.batch;
    t.size_bytes = item * s->source.batch;
    char *data = (char *)t.data + at * item;
    if (i > 0) jl_npy_release(&s->npy, data - t.size_bytes, t.size_bytes);
    t.data = data;
    t.name = s->specs[0].name;
    tensors[0] = t;
    return 0;
}

static bool one_number(const jl_tensor *t)
{
    size_t n = (size_t)jl_tensor_elements(t), width = n ? t->size_bytes / n : 0;
    return !width || !memcmp(t->data, (const char *)t->data + width, t->size_bytes - width);
}

static int get(void *ctx, size_t i, jl_tensor *tensors, jl_error *err)
{
    jl_sample_set *s = ctx;
    int rc = make(s, i, tensors, err);
    if (rc) return rc;
    uint64_t hash = 0;
    for (size_t k = 0; k < s->inputs; k++) {
        hash = XXH3_64bits_withSeed(tensors[k].data, tensors[k].size_bytes, hash);
        s->varied |= !one_number(&tensors[k]);
    }
    if (!s->looked) s->first = hash;
    s->differ |= s->looked && hash != s->first;
    s->looked = true;
    return 0;
}

const char *jl_sample_set_caution(const jl_sample_set *s)
{
    if (!s->looked) return NULL;
    if (!s->varied) return "every sample was one number in all its places";
    if (s->count == 1) return "there was one sample";
    return s->differ ? NULL : "all samples were alike";
}

jl_samples jl_sample_set_samples(jl_sample_set *s)
{
    return (jl_samples){
        .count = s->count / s->source.batch, .inputs = s->inputs, .get = get, .ctx = s};
}

const char *jl_sample_set_label(jl_sample_set *s, size_t i)
{
    size_t at = i * s->source.batch + s->source.skip;
    if (s->source.images) return s->files[at];
    snprintf(s->label, sizeof s->label, "item %zu", at);
    return s->label;
}

void jl_sample_set_close(jl_sample_set *s)
{
    if (!s) return;
    jl_npy_close(&s->npy);
    jl_inputs_free(&s->seeded);
    jl_arena_free(s->arena);
    free(s);
}
