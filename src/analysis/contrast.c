#include "jouleline/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/max_t.h"
#include "analysis/order.h"
#include "analysis/rank_null.h"
#include "analysis/table.h"
#include "base/memory.h"
#include "jouleline/comparison.h"

/* Where a contrast stands before its members are known. */
typedef struct plan {
    jl_contrast_kind kind;
    uint32_t base, other; /* configurations */
    uint32_t base_batch, new_batch, in_flight;
} plan;

typedef struct builder {
    const jl_study_table *t;
    jl_metric metric;
    double alpha;
    uint64_t seed;
    jl_cell_lookup lookup;
    jl_signed_nulls nulls;
    double *d, *sum; /* rounds each */
    jl_contrasts *out;
    size_t *first; /* per contrast: where its members start (the array may still move) */
    size_t contrast_room, member_room;
} builder;

static void builder_free(builder *b)
{
    jl_cell_lookup_free(&b->lookup);
    jl_signed_nulls_free(&b->nulls);
    free(b->d);
    free(b->sum);
    free(b->first);
}

void jl_contrasts_free(jl_contrasts *c)
{
    free(c->items);
    free(c->members);
    *c = (jl_contrasts){0};
}

static bool add_contrast(builder *b, const jl_contrast *c, size_t first)
{
    if (b->out->count == b->contrast_room) {
        size_t room = b->contrast_room ? 2 * b->contrast_room : 64;
        jl_contrast *items = realloc(b->out->items, room * sizeof *items);
        if (items) b->out->items = items;
        size_t *starts = realloc(b->first, room * sizeof *starts);
        if (starts) b->first = starts;
        if (!items || !starts) return false;
        b->contrast_room = room;
    }
    b->first[b->out->count] = first;
    b->out->items[b->out->count++] = *c;
    return true;
}

static bool add_member(builder *b, const jl_member *m)
{
    if (b->out->member_count == b->member_room) {
        size_t room = b->member_room ? 2 * b->member_room : 256;
        jl_member *members = realloc(b->out->members, room * sizeof *members);
        if (!members) return false;
        b->out->members = members;
        b->member_room = room;
    }
    b->out->members[b->out->member_count++] = *m;
    return true;
}

/* log(new / base) per item. */
static void member_series(const builder *b, const jl_member *m, double *d)
{
    jl_log_ratios(b->t, b->metric, m->base, m->new_cell, d);
    if (b->metric != JL_LATENCY) return; /* energies are per item already */
    double shift =
        log((double)b->t->cells[m->base].batch) - log((double)b->t->cells[m->new_cell].batch);
    for (size_t r = 0; r < b->t->rounds; r++)
        d[r] += shift;
}

/* The models' mean log ratio, in rounds where every member has both sides. */
static void group_series(builder *b, const jl_member *members, size_t count, double *sum)
{
    for (size_t r = 0; r < b->t->rounds; r++)
        sum[r] = count ? 0 : NAN;
    for (size_t i = 0; i < count; i++) {
        member_series(b, &members[i], b->d);
        for (size_t r = 0; r < b->t->rounds; r++)
            sum[r] += b->d[r] / (double)count;
    }
}

static int describe_series(builder *b, double *d, uint32_t *n, jl_value *ratio,
                           jl_interval *interval, jl_value *effect, jl_error *err)
{
    size_t kept = jl_keep_finite(d, b->t->rounds, d);
    jl_shift s;
    jl_signed_rank w;
    int rc = jl_hodges_lehmann_with(&b->nulls, d, kept, 0.95, &s, err);
    if (!rc) rc = jl_wilcoxon_with(&b->nulls, d, kept, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, err);
    if (rc) return rc;
    *n = (uint32_t)kept;
    *ratio = s.estimate.why ? s.estimate : jl_some(exp(s.estimate.value));
    *interval = s.interval;
    if (!s.interval.why) {
        interval->low = exp(s.interval.low);
        interval->high = exp(s.interval.high);
    }
    *effect = w.rank_biserial;
    return 0;
}

static void mean_and_sd(const jl_member *members, size_t count, bool inverse, jl_value *mean,
                        jl_value *sd)
{
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        if (members[i].ratio.why) continue;
        sum += inverse ? 1 / members[i].ratio.value : members[i].ratio.value;
        n++;
    }
    *mean = n > 0 ? jl_some(sum / n) : jl_none(JL_NO_PAIRS);
    *sd = jl_none(n > 0 ? JL_TOO_FEW : JL_NO_PAIRS);
    if (n < 2) return;
    for (size_t i = 0; i < count; i++) {
        if (members[i].ratio.why) continue;
        double v = (inverse ? 1 / members[i].ratio.value : members[i].ratio.value) - sum / n;
        squares += v * v;
    }
    *sd = jl_some(sqrt(squares / (n - 1)));
}

/* Every model that ran on both sides of a plan becomes a member. */
static int add_all_members(builder *b, uint32_t device, const plan *p, jl_error *err)
{
    int rc = 0;
    for (uint32_t m = 0; m < b->t->model_count && !rc; m++) {
        if (b->t->models[m].probe) continue;
        jl_study_cell place = {.model = m,
                               .configuration = p->base,
                               .device = device,
                               .batch = p->base_batch,
                               .in_flight = p->in_flight};
        uint32_t base = jl_cell_that_ran(&b->lookup, &place);
        place.configuration = p->other;
        place.batch = p->new_batch;
        uint32_t new_cell = jl_cell_that_ran(&b->lookup, &place);
        if (base == JL_NO_CELL || new_cell == JL_NO_CELL) continue;
        jl_member made = {.base = base, .new_cell = new_cell};
        member_series(b, &made, b->d);
        rc = describe_series(b, b->d, &made.n, &made.ratio, &made.interval, &made.effect, err);
        if (!rc && !add_member(b, &made)) rc = jl_no_memory(err);
    }
    return rc;
}

/* The members of a family, copied from those of all models: all_first .. all_end - 1. */
static int add_family_members(builder *b, size_t all_first, size_t all_end, const char *family,
                              jl_error *err)
{
    for (size_t i = all_first; i < all_end; i++) {
        jl_member m = b->out->members[i];
        if (!jl_same_word(b->t->models[b->t->cells[m.base].model].family, family)) continue;
        if (!add_member(b, &m)) return jl_no_memory(err);
    }
    return 0;
}

/* The contrast that the members from `first` on make. */
static int add_group(builder *b, uint32_t device, const plan *p, const char *family, size_t first,
                     jl_error *err)
{
    size_t count = b->out->member_count - first;
    if (count == 0) return 0;
    const jl_member *members = b->out->members + first;
    jl_contrast c = {.kind = p->kind,
                     .metric = b->metric,
                     .device = device,
                     .base_configuration = p->base,
                     .new_configuration = p->other,
                     .base_batch = p->base_batch,
                     .new_batch = p->new_batch,
                     .in_flight = p->in_flight,
                     .family = family,
                     .count = count};
    mean_and_sd(members, count, false, &c.ratio_mean, &c.ratio_sd);
    mean_and_sd(members, count, true, &c.gain_mean, &c.gain_sd);
    group_series(b, members, count, b->sum);
    int rc = describe_series(b, b->sum, &c.n, &c.ratio, &c.interval, &c.effect, err);
    if (!rc && !add_contrast(b, &c, first)) rc = jl_no_memory(err);
    return rc;
}

static const char *family_of(const builder *b, size_t member)
{
    return b->t->models[b->t->cells[b->out->members[member].base].model].family;
}

/* All models, then every family in the order of its first model. */
static int add_groups(builder *b, uint32_t device, const plan *p, jl_error *err)
{
    size_t first = b->out->member_count;
    int rc = add_all_members(b, device, p, err);
    size_t end = b->out->member_count;
    if (!rc) rc = add_group(b, device, p, NULL, first, err);
    for (size_t i = first; i < end && !rc; i++) {
        const char *family = family_of(b, i);
        bool seen = !family;
        for (size_t k = first; k < i && !seen; k++)
            seen = jl_same_word(family_of(b, k), family);
        if (seen) continue;
        size_t from = b->out->member_count;
        rc = add_family_members(b, first, end, family, err);
        if (!rc) rc = add_group(b, device, p, family, from, err);
    }
    return rc;
}

static int precision_rank(const char *precision)
{
    static const char *const order[] = {"fp32", "tf32", "bf16", "fp16", "int8"};
    for (int i = 0; i < 5; i++)
        if (jl_same_word(order[i], precision)) return i;
    return 5;
}

/* Fills in kind, base and other for two configurations; false when they make no contrast. */
static bool plan_of(const jl_study_table *t, uint32_t a, uint32_t b, plan *p)
{
    const jl_study_configuration *x = &t->configurations[a], *y = &t->configurations[b];
    bool same_runtime =
        jl_same_word(x->runtime, y->runtime) && jl_same_word(x->provider, y->provider);
    bool same_precision = jl_same_word(x->precision, y->precision);
    if (!jl_same_options(x->options, y->options)) return false;
    bool swap = false;
    if (x->native != y->native) {
        const jl_study_configuration *matched = x->native ? y : x;
        if (!same_runtime || !jl_same_word(matched->precision, "fp32")) return false;
        p->kind = JL_CONTRAST_REGIME;
        swap = x->native;
    } else if (same_runtime && !same_precision) {
        p->kind = JL_CONTRAST_PRECISION;
        swap = precision_rank(x->precision) > precision_rank(y->precision);
    } else if (!same_runtime && same_precision) {
        p->kind = JL_CONTRAST_RUNTIME;
    } else {
        return false;
    }
    p->base = swap ? b : a;
    p->other = swap ? a : b;
    return true;
}

/* The distinct (batch, in-flight) of a device, ascending, packed as batch << 32 | in-flight. */
static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t sizes_of(const jl_study_table *t, uint32_t device, uint64_t *sizes)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].device == device && !t->models[t->cells[i].model].probe)
            sizes[n++] = (uint64_t)t->cells[i].batch << 32 | t->cells[i].in_flight;
    qsort(sizes, n, sizeof *sizes, by_u64);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || sizes[i] != sizes[i - 1]) sizes[kept++] = sizes[i];
    return kept;
}

static int add_device(builder *b, uint32_t device, uint64_t *sizes, jl_error *err)
{
    size_t count = sizes_of(b->t, device, sizes);
    int rc = 0;
    uint32_t configurations = (uint32_t)b->t->configuration_count;
    for (uint32_t x = 0; x < configurations && !rc; x++)
        for (uint32_t y = x + 1; y < configurations && !rc; y++) {
            plan p = {0};
            if (!plan_of(b->t, x, y, &p)) continue;
            for (size_t k = 0; k < count && !rc; k++) {
                p.base_batch = p.new_batch = (uint32_t)(sizes[k] >> 32);
                p.in_flight = (uint32_t)sizes[k];
                rc = add_groups(b, device, &p, err);
            }
        }
    for (uint32_t x = 0; x < configurations && !rc; x++)
        for (size_t k = 0; k < count && !rc; k++) {
            size_t least = 0; /* sizes ascend: the smallest batch of this in-flight */
            while ((uint32_t)sizes[least] != (uint32_t)sizes[k])
                least++;
            plan p = {
                JL_CONTRAST_BATCH, x, x, (uint32_t)(sizes[least] >> 32), (uint32_t)(sizes[k] >> 32),
                (uint32_t)sizes[k]};
            if (least != k) rc = add_groups(b, device, &p, err);
        }
    return rc;
}

/* The rounds of the members from `from` on; returns how many, their numbers in columns. */
static size_t rounds_of(builder *b, size_t from, size_t *columns, bool *holds)
{
    size_t used = 0;
    for (size_t i = from; i < b->out->member_count; i++) {
        member_series(b, &b->out->members[i], b->d);
        for (size_t r = 0; r < b->t->rounds; r++)
            holds[r] |= !isnan(b->d[r]);
    }
    for (size_t r = 0; r < b->t->rounds; r++)
        if (holds[r]) columns[used++] = r;
    return used;
}

static void add_series(jl_sign_flips *f, double *d, const size_t *columns, size_t used, jl_value *p)
{
    for (size_t k = 0; k < used; k++)
        d[k] = d[columns[k]];
    jl_sign_flips_add(f, d, 0, p);
}

/* Members of a family are those of all models again: their p is copied. */
static void copy_p(builder *b, size_t contrast, size_t all)
{
    const jl_contrasts *o = b->out;
    jl_member *to = o->members + b->first[contrast];
    const jl_member *from = o->members + b->first[all];
    for (size_t i = 0, k = 0; i < o->items[contrast].count; k++)
        if (from[k].base == to[i].base) to[i++].p = from[k].p;
}

/* The joint p of the contrasts first .. count - 1, those of one device, and of their members. */
static int test_device(builder *b, size_t first, jl_error *err)
{
    jl_contrasts *o = b->out;
    if (first == o->count) return 0;
    __attribute__((cleanup(jl_sign_flips_free))) jl_sign_flips f = {0};
    JL_OWNED bool *holds = calloc(b->t->rounds + 1, sizeof *holds);
    JL_OWNED size_t *columns = calloc(b->t->rounds + 1, sizeof *columns);
    if (!holds || !columns) return jl_no_memory(err);
    size_t used = rounds_of(b, b->first[first], columns, holds), tests = o->count - first;
    for (size_t i = first; i < o->count; i++)
        tests += o->items[i].family ? 0 : o->items[i].count;
    jl_max_t_options options = {.seed = b->seed, .draws = jl_usual_draws(tests)};
    int rc = jl_sign_flips_start(&f, used, &options, err);
    if (rc) return rc;
    for (size_t i = first; i < o->count; i++) {
        jl_member *members = o->members + b->first[i];
        group_series(b, members, o->items[i].count, b->sum);
        add_series(&f, b->sum, columns, used, &o->items[i].p);
        for (size_t k = 0; k < o->items[i].count && !o->items[i].family; k++) {
            member_series(b, &members[k], b->d);
            add_series(&f, b->d, columns, used, &members[k].p);
        }
    }
    jl_sign_flips_finish(&f);
    for (size_t i = first, all = first; i < o->count; i++) {
        jl_member *members = o->members + b->first[i];
        o->items[i].p = jl_sign_flips_p(&f, o->items[i].p);
        if (o->items[i].family) {
            copy_p(b, i, all);
            continue;
        }
        all = i;
        for (size_t k = 0; k < o->items[i].count; k++)
            members[k].p = jl_sign_flips_p(&f, members[k].p);
    }
    return 0;
}

static void count_directions(builder *b)
{
    for (size_t i = 0; i < b->out->count; i++) {
        jl_contrast *c = &b->out->items[i];
        c->members = b->out->members + b->first[i];
        for (size_t k = 0; k < c->count; k++) {
            const jl_member *m = &c->members[k];
            if (m->p.why || m->ratio.why || m->p.value > b->alpha) continue;
            c->lower += m->ratio.value < 1;
            c->higher += m->ratio.value > 1;
        }
    }
}

int jl_find_contrasts(const jl_study_table *t, jl_metric metric, double alpha, uint64_t seed,
                      jl_contrasts *out, jl_error *err)
{
    *out = (jl_contrasts){0};
    if ((unsigned)metric >= JL_METRIC_COUNT)
        return jl_fail(err, JL_ERR_USAGE, "contrasts: metric %d", (int)metric);
    __attribute__((cleanup(builder_free))) builder b = {
        .t = t, .metric = metric, .alpha = alpha > 0 ? alpha : 0.05, .seed = seed, .out = out};
    JL_OWNED uint64_t *sizes = malloc((t->cell_count + 1) * sizeof *sizes);
    b.d = malloc((t->rounds + 1) * sizeof *b.d);
    b.sum = malloc((t->rounds + 1) * sizeof *b.sum);
    if (!sizes || !b.d || !b.sum) return jl_no_memory(err);
    int rc = jl_cell_lookup_make(t, &b.lookup, err);
    for (uint32_t device = 0; device < t->device_count && !rc; device++) {
        size_t first = out->count;
        rc = add_device(&b, device, sizes, err);
        if (!rc) rc = test_device(&b, first, err);
    }
    if (rc)
        jl_contrasts_free(out);
    else
        count_directions(&b);
    return rc;
}
