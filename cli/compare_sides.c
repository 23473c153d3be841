#include "compare_sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/table.h"
#include "base/scratch.h"
#include "display.h"
#include "jouleline/configuration.h"
#include "jouleline/runtime.h"

typedef enum side_kind { SIDE_STORE, SIDE_MODEL, SIDE_CONFIGURATION } side_kind;

static const char *kind_words(side_kind k)
{
    return k == SIDE_STORE ? "a store" : k == SIDE_MODEL ? "a model" : "a configuration";
}

static side_kind kind_of(const char *word)
{
    char head[16] = "";
    FILE *f = fopen(word, "rb");
    if (f) {
        size_t n = fread(head, 1, sizeof head, f);
        fclose(f);
        if (n == sizeof head && !memcmp(head, "SQLite format 3", sizeof head)) return SIDE_STORE;
        return SIDE_MODEL;
    }
    size_t n = strlen(word);
    if (n > 3 && !strcmp(word + n - 3, ".db")) return SIDE_STORE;
    jl_configuration c;
    jl_error ignored;
    return strchr(word, '/') && !jl_configuration_parse(word, &c, &ignored) ? SIDE_CONFIGURATION
                                                                            : SIDE_MODEL;
}

void jl_sides_free(jl_sides *s)
{
    if (s->new_data != s->base) jl_study_data_free(s->new_data);
    jl_study_data_free(s->base);
    free(s->matches);
}

/* --- two stores --- */

static int load(const char *path, jl_study_data **d, jl_error *err)
{
    jl_store *s;
    int rc = jl_store_open(path, JL_STORE_READ, &s, err);
    if (rc) return rc;
    rc = jl_store_load(s, NULL, d, err);
    jl_store_close(s);
    return rc ? jl_prefix(err, "%s", path) : 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static const char *driver_of(const jl_study_cell *c)
{
    for (size_t i = 0; i < c->fact_count; i++)
        if (!strcmp(c->facts[i].name, "driver")) return c->facts[i].value;
    return NULL;
}

/* Why two cells of the same words do not come from the same place, or NULL. */
static const char *difference(const jl_study_table *a, const jl_study_cell *x,
                              const jl_study_table *b, const jl_study_cell *y)
{
    const jl_study_device *dx = &a->devices[x->device], *dy = &b->devices[y->device];
    if (!same_text(dx->host, dy->host)) return "hosts";
    if (!same_text(dx->uuid, dy->uuid)) return "devices";
    return same_text(driver_of(x), driver_of(y)) ? NULL : "drivers";
}

/* How the coordinates of the base's cells are called in the new version's table: an index for each
 * of the base's, or JL_NO_CELL. */
typedef struct naming {
    uint32_t *models, *configurations;
    uint32_t *devices; /* the first to look at */
    bool one_device;   /* and the only one */
} naming;

static void naming_free(naming *n)
{
    free(n->models);
    free(n->configurations);
    free(n->devices);
}

static int naming_make(const jl_study_table *a, naming *n, jl_error *err)
{
    n->models = malloc((a->model_count + 1) * sizeof *n->models);
    n->configurations = malloc((a->configuration_count + 1) * sizeof *n->configurations);
    n->devices = malloc((a->device_count + 1) * sizeof *n->devices);
    if (!n->models || !n->configurations || !n->devices)
        return jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    for (uint32_t i = 0; i < a->model_count; i++)
        n->models[i] = i;
    for (uint32_t i = 0; i < a->configuration_count; i++)
        n->configurations[i] = i;
    for (uint32_t i = 0; i < a->device_count; i++)
        n->devices[i] = i;
    return 0;
}

/* The cell of the new version that belongs to a cell of the base. */
static uint32_t counterpart(const jl_cell_lookup *l, const naming *n, const jl_study_cell *x)
{
    jl_study_cell place = *x;
    place.model = n->models[x->model];
    place.configuration = n->configurations[x->configuration];
    if (place.model == JL_NO_CELL || place.configuration == JL_NO_CELL) return JL_NO_CELL;
    uint32_t found = JL_NO_CELL;
    place.device = n->devices[x->device];
    if (place.device != JL_NO_CELL) found = jl_cell_at(l, &place);
    for (uint32_t i = 0; i < l->t->device_count && found == JL_NO_CELL && !n->one_device; i++) {
        place.device = i;
        found = jl_cell_at(l, &place);
    }
    return found;
}

static int match(jl_sides *sides, const naming *n, jl_error *err)
{
    const jl_study_table *a = jl_study_data_table(sides->base),
                         *b = jl_study_data_table(sides->new_data);
    jl_cell_lookup lookup JL_CLEANUP(jl_cell_lookup_free) = {0},
                          sorted JL_CLEANUP(jl_cell_lookup_free) = {0};
    int rc = jl_cell_lookup_make(b, &lookup, err);
    if (!rc) rc = jl_cell_lookup_make(a, &sorted, err);
    sides->matches = calloc(a->cell_count + 1, sizeof *sides->matches);
    if (!rc && !sides->matches) rc = jl_fail(err, JL_ERR_MEMORY, "no memory for the comparison");
    for (size_t at = 0; at < a->cell_count && !rc; at++) { /* in the order of readers */
        uint32_t i = sorted.order[at];
        uint32_t k = jl_cell_is_probe(a, i) ? JL_NO_CELL : counterpart(&lookup, n, &a->cells[i]);
        if (k != JL_NO_CELL) sides->matches[sides->count++] = (jl_match){i, k};
    }
    return rc;
}

/* Models and configurations by name, devices by UUID. */
static void name_between_stores(const jl_study_table *a, const jl_study_table *b, naming *n)
{
    for (size_t i = 0; i < a->model_count; i++) {
        n->models[i] = JL_NO_CELL;
        for (uint32_t k = 0; k < b->model_count && n->models[i] == JL_NO_CELL; k++)
            if (!strcmp(a->models[i].name, b->models[k].name)) n->models[i] = k;
    }
    for (size_t i = 0; i < a->configuration_count; i++) {
        n->configurations[i] = JL_NO_CELL;
        for (uint32_t k = 0; k < b->configuration_count; k++)
            if (!strcmp(a->configurations[i].name, b->configurations[k].name))
                n->configurations[i] = k;
    }
    for (size_t i = 0; i < a->device_count; i++) {
        n->devices[i] = JL_NO_CELL;
        for (uint32_t k = 0; k < b->device_count && n->devices[i] == JL_NO_CELL; k++)
            if (same_text(a->devices[i].uuid, b->devices[k].uuid)) n->devices[i] = k;
    }
}

static int match_stores(const jl_compare_settings *s, jl_sides *sides, jl_error *err)
{
    const jl_study_table *a = jl_study_data_table(sides->base),
                         *b = jl_study_data_table(sides->new_data);
    naming n JL_CLEANUP(naming_free) = {.one_device = false};
    int rc = naming_make(a, &n, err);
    if (rc) return rc;
    name_between_stores(a, b, &n);
    rc = match(sides, &n, err);
    for (size_t i = 0; i < sides->count && !rc && !s->allow_different_host; i++) {
        const jl_match *m = &sides->matches[i];
        const char *why = difference(a, &a->cells[m->base], b, &b->cells[m->new_cell]);
        if (!why) continue;
        sides->inconclusive = true;
        return jl_fail(err, JL_ERR_USAGE,
                       "the stores come from different %s, so that a difference says nothing of "
                       "the new version; --allow-different-host compares them all the same",
                       why);
    }
    if (rc) return rc;
    sides->inconclusive = !sides->count;
    return sides->count ? 0
                        : jl_fail(err, JL_ERR_MISSING,
                                  "%s and %s have no cell in common (model, configuration, batch)",
                                  s->base, s->new_side);
}

static int from_stores(const jl_compare_settings *s, jl_sides *sides, jl_error *err)
{
    int rc = load(s->base, &sides->base, err);
    if (!rc) rc = load(s->new_side, &sides->new_data, err);
    return rc ? rc : match_stores(s, sides, err);
}

/* --- measured now --- */

/* The word as the study takes it, and the name that the model has there. Files are named by their
 * side: two versions of a model usually have one file name. */
typedef struct model_word {
    char word[PATH_MAX + 64], name[PATH_MAX];
} model_word;

static int name_model(const char *given, const char *side, model_word *m, jl_error *err)
{
    const char *equals = strchr(given, '=');
    int n, k;
    if (equals) {
        n = snprintf(m->word, sizeof m->word, "%s", given);
        k = snprintf(m->name, sizeof m->name, "%.*s", (int)(equals - given), given);
    } else if (access(given, F_OK) == 0) {
        n = snprintf(m->word, sizeof m->word, "%s=onnx:%s", side, given);
        k = snprintf(m->name, sizeof m->name, "%s", side);
    } else {
        n = snprintf(m->word, sizeof m->word, "%s", given);
        k = snprintf(m->name, sizeof m->name, "%s", given);
    }
    if (n > 0 && (size_t)n < sizeof m->word && k > 0 && (size_t)k < sizeof m->name) return 0;
    return jl_fail(err, JL_ERR_USAGE, "the name of the %s model is too long", side);
}

static int find_model(const jl_study_table *t, const char *name, uint32_t *at)
{
    for (*at = 0; *at < t->model_count; (*at)++)
        if (!strcmp(t->models[*at].name, name)) return 0;
    return -1;
}

static int match_models(jl_sides *sides, const model_word *m, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(sides->base);
    uint32_t a, b;
    if (find_model(t, m[0].name, &a) || find_model(t, m[1].name, &b))
        return jl_fail(
            err, JL_ERR_USAGE,
            "the two models are the same file, or the store of --db knows one of them by "
            "another name");
    naming n JL_CLEANUP(naming_free) = {.one_device = true};
    int rc = naming_make(t, &n, err);
    for (uint32_t i = 0; i < t->model_count && !rc; i++)
        n.models[i] = i == a ? b : JL_NO_CELL;
    return rc ? rc : match(sides, &n, err);
}

/* The canonical text without @DEVICE, as the table has it. */
static int table_name(const char *word, char *name, size_t size, jl_error *err)
{
    jl_configuration c;
    int rc = jl_configuration_parse(word, &c, err);
    if (rc) return rc;
    c.device = 0;
    return jl_configuration_format(&c, name, size)
               ? jl_fail(err, JL_ERR_LIMIT, "configuration %s is too long", word)
               : 0;
}

/* The configuration of the table that a study made of `word`. */
static int find_configuration(const jl_study_table *t, const char *word, uint32_t *at,
                              jl_error *err)
{
    jl_configuration asked, stored;
    *at = JL_NO_CELL;
    int rc = jl_configuration_parse(word, &asked, err);
    for (uint32_t i = 0; !rc && i < t->configuration_count; i++) {
        rc = jl_configuration_parse(t->configurations[i].name, &stored, err);
        if (!rc && jl_configuration_answers(&asked, &stored)) *at = i;
    }
    return rc;
}

static int match_configurations(const jl_compare_settings *s, jl_sides *sides, jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(sides->base);
    uint32_t base, to;
    int rc = find_configuration(t, s->base, &base, err);
    if (!rc) rc = find_configuration(t, s->new_side, &to, err);
    naming n JL_CLEANUP(naming_free) = {.one_device = false};
    if (!rc) rc = naming_make(t, &n, err);
    for (uint32_t i = 0; i < t->configuration_count && !rc; i++)
        n.configurations[i] = i == base ? to : JL_NO_CELL;
    return rc ? rc : match(sides, &n, err);
}

static int measure(const jl_compare_settings *s, const jl_study_spec *spec, const char *db,
                   jl_sides *sides, jl_error *err)
{
    jl_store *store;
    jl_study_size size;
    jl_study_result result;
    int rc = jl_study_check(spec, &size, err);
    if (!rc) rc = jl_store_open(db, JL_STORE_WRITE, &store, err);
    if (rc) return rc;
    jl_display d;
    jl_study_events events = jl_display_start(&d, false, s->quiet);
    rc = jl_study_run(spec, store, &events, jl_catch_signals(), &result, err);
    jl_display_end(&d);
    if (!rc && result.stopped)
        rc = jl_fail(err, JL_ERR_INTERRUPTED, "interrupted after %zu rounds", result.rounds);
    if (!rc) rc = jl_store_load(store, result.uid, &sides->base, err);
    jl_store_close(store);
    sides->new_data = sides->base;
    return rc;
}

static int check_configurations(const jl_compare_settings *s, jl_error *err)
{
    char base[4096], new_name[4096];
    int rc = table_name(s->base, base, sizeof base, err);
    if (!rc) rc = table_name(s->new_side, new_name, sizeof new_name, err);
    if (rc || strcmp(base, new_name) != 0) return rc;
    return jl_fail(
        err, JL_ERR_USAGE,
        "%s and %s differ in the device at most: 'jouleline run' measures both, 'jouleline "
        "report --section devices' compares them",
        s->base, s->new_side);
}

/* Two configurations on --model, or two models on --config. */
static int fill_words(const jl_compare_settings *s, bool models, const model_word *m,
                      const char *words[2], jl_study_spec *spec, jl_error *err)
{
    words[0] = models ? m[0].word : s->base;
    words[1] = models ? m[1].word : s->new_side;
    const jl_words *others = models ? &s->configurations : &s->models;
    if (!others->count)
        return jl_fail(err, JL_ERR_USAGE, "%s",
                       models ? "two models need a configuration to run on: --config"
                              : "two configurations need a model to run: --model");
    spec->models = models ? words : s->models.items;
    spec->model_count = models ? 2 : s->models.count;
    spec->configurations = models ? s->configurations.items : words;
    spec->configuration_count = models ? s->configurations.count : 2;
    return 0;
}

static int load_plugins(const jl_compare_settings *s, jl_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->plugins.count && !rc; i++)
        rc = jl_runtime_load_plugin(s->plugins.items[i], err);
    return rc;
}

static int from_rounds(const jl_compare_settings *s, bool models, jl_sides *sides, jl_error *err)
{
    static const int64_t one_in_flight[] = {1};
    static model_word m[2];
    const char *words[2];
    jl_study_spec spec = {.name = "compare",
                          .meters = s->meters.items,
                          .meter_count = s->meters.count,
                          .plugins = s->plugins.items,
                          .plugin_count = s->plugins.count,
                          .batches = s->batches.items,
                          .batch_count = s->batches.count,
                          .in_flight = one_in_flight,
                          .in_flight_count = 1,
                          .rounds = s->rounds,
                          .retries = 2,
                          .host_io = s->io == 1,
                          .trust = s->trust,
                          .min_time_ns = s->min_time_ns,
                          .max_time_ns = s->max_time_ns,
                          .warmup_ns = s->warmup_ns,
                          .idle_ns = s->idle_ns,
                          .timeout_ns = 300000000000,
                          .seed = (uint64_t)s->seed,
                          .python = s->python};
    int rc = load_plugins(s, err);
    if (!rc && models) rc = name_model(s->base, "base", &m[0], err);
    if (!rc && models) rc = name_model(s->new_side, "new", &m[1], err);
    if (!rc && !models) rc = check_configurations(s, err);
    if (!rc) rc = fill_words(s, models, m, words, &spec, err);
    jl_path folder = {""}, db;
    if (!rc && !s->db) rc = jl_scratch_make(&folder, "compare", err);
    snprintf(db.s, sizeof db.s, "%.*s/compare.db", (int)sizeof db.s - 65, folder.s);
    if (!rc) rc = measure(s, &spec, s->db ? s->db : db.s, sides, err);
    jl_scratch_remove(&folder);
    if (rc) return rc;
    return models ? match_models(sides, m, err) : match_configurations(s, sides, err);
}

int jl_sides_make(const jl_compare_settings *s, jl_sides *sides, jl_error *err)
{
    if (!s->base || !s->new_side)
        return jl_fail(err, JL_ERR_USAGE, "--base and --new name what is compared");
    if (!strcmp(s->base, s->new_side))
        return jl_fail(err, JL_ERR_USAGE, "--base and --new are the same");
    side_kind a = kind_of(s->base), b = kind_of(s->new_side);
    if (a != b)
        return jl_fail(err, JL_ERR_USAGE,
                       "--base %s is %s, --new %s is %s: compare two of one kind", s->base,
                       kind_words(a), s->new_side, kind_words(b));
    if (a == SIDE_STORE) return from_stores(s, sides, err);
    return from_rounds(s, a == SIDE_MODEL, sides, err);
}
