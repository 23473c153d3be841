/* Every pair of configurations of a model, batch and device, in both families of corrections. */
#include <stdlib.h>

#include "jouleline/comparison.h"
#include "jouleline/multiplicity.h"
#include "jouleline/portability.h"
#include "report/sections.h"

static const jl_sheet_column columns[] = {
    {"model", NULL, false},
    {"batch", NULL, false},
    {"in_flight", NULL, false},
    {"device", NULL, false},
    {"device_uuid", NULL, false},
    {"metric", NULL, false},
    {"new", "new", false},
    {"base", "base", false},
    {"ratio", "new / base", true},
    JL_INTERVAL_COLUMNS,
    {"rounds", NULL, false},
    {NULL, "rounds", true},
    {"left_out", NULL, false},
    {"effect", NULL, false},
    {NULL, "effect (rank-biserial)", JL_RIGHT_IF_ROOM},
    {"p", NULL, false},
    {"p_least", NULL, false},
    {"family", NULL, false},
    {"p_bonferroni", NULL, false},
    {"p_holm", NULL, false},
    {NULL, "p Holm", true},
    {"study_family", NULL, false},
    {"p_study", NULL, false},
    {NULL, "p study", true},
    {"p_study_bonferroni", NULL, false},
    {"ties", NULL, false},
    {"not_held_equal", NULL, false},
    {"simulated", NULL, false},
    {"modelled", NULL, false},
};
enum { COLUMNS = sizeof columns / sizeof *columns, MOST_PAIRS = 50000 };

/* `usual`: the rounds of most pairs, not repeated in every row. A p that cannot fall below 5 % for
 * want of rounds is not shown to readers. */
static void put_pair(jl_sheet *s, jl_report *r, const jl_study_table *t, jl_metric metric,
                     const char *place, const jl_comparison *c, uint32_t usual)
{
    const jl_value none = jl_none(JL_NOT_TESTED);
    bool tested = c->p_least <= 0.05;
    const jl_study_cell *base = &t->cells[c->base], *new_cell = &t->cells[c->new_cell];
    const jl_study_device *d = &t->devices[base->device];
    jl_sheet_row(s, place);
    jl_sheet_text(s, t->models[base->model].name);
    jl_sheet_count(s, base->batch);
    jl_sheet_count(s, base->in_flight);
    jl_sheet_text(s, d->name);
    jl_sheet_text(s, d->uuid);
    jl_sheet_text(s, jl_metric_column(metric));
    jl_sheet_text(s, t->configurations[new_cell->configuration].name);
    jl_sheet_text(s, t->configurations[base->configuration].name);
    jl_sheet_value(s, c->ratio);
    jl_sheet_interval(s, &c->interval, 1);
    jl_sheet_count(s, c->n);
    jl_sheet_text(s, c->n == usual ? NULL : jl_arena_printf(jl_report_arena(r), "%u", c->n));
    jl_sheet_count(s, c->left_out);
    jl_sheet_value(s, c->effect);
    jl_sheet_value(s, tested ? c->effect : none);
    jl_sheet_p(s, c->p);
    jl_sheet_number(s, c->p_least);
    jl_sheet_count(s, c->family);
    jl_sheet_p(s, c->p_bonferroni);
    jl_sheet_p(s, c->p_holm);
    jl_sheet_p(s, tested ? c->p_holm : none);
    jl_sheet_count(s, c->study_family);
    jl_sheet_p(s, c->p_study);
    jl_sheet_p(s, tested ? c->p_study : none);
    jl_sheet_p(s, c->p_study_bonferroni);
    jl_sheet_bool(s, c->ties);
    jl_sheet_text(s, jl_not_held_equal(r, t, base, t, new_cell));
    jl_sheet_bool(s, d->simulated);
    jl_sheet_bool(s, t->modelled_energy);
}

static bool same_place(const jl_study_table *t, const jl_comparison *a, const jl_comparison *b)
{
    const jl_study_cell *x = &t->cells[a->base], *y = &t->cells[b->base];
    return x->model == y->model && x->batch == y->batch && x->device == y->device &&
           x->in_flight == y->in_flight;
}

static uint32_t most_rounds(const jl_comparisons *all)
{
    uint32_t rounds = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].n > rounds) rounds = all->items[i].n;
    return rounds;
}

/* What the numbers of rounds can and cannot show. */
static void put_reach(jl_sheet *s, const jl_comparisons *all)
{
    uint32_t family = 0, study = 0, rounds = most_rounds(all);
    bool differ = false;
    for (size_t i = 0; i < all->count; i++) {
        const jl_comparison *c = &all->items[i];
        if (c->family > family) family = c->family;
        if (c->study_family > study) study = c->study_family;
        differ |= c->n != rounds;
    }
    if (!rounds) return;
    if (rounds < jl_rounds_needed(1, 0.05)) {
        jl_sheet_note(s,
                      "%u complete round%s: no test is possible, and these ratios may be chance. "
                      "One pair needs at least %zu rounds, %u pair%s of one model and batch %zu "
                      "(Bonferroni).",
                      rounds, rounds == 1 ? "" : "s", jl_rounds_needed(1, 0.05), family,
                      family == 1 ? "" : "s", jl_rounds_needed(family, 0.05));
        return;
    }
    jl_sheet_note(s, "Over %u rounds%s.", rounds, differ ? " where no number is given" : "");
    if (family && jl_rounds_needed(family, 0.05) > rounds)
        jl_sheet_note(
            s,
            "With %u rounds no pair among %u can pass Holm's or Bonferroni's correction at "
            "5 %%: %zu rounds are needed.",
            rounds, family, jl_rounds_needed(family, 0.05));
    if (study && jl_rounds_needed(study, 0.05) > rounds)
        jl_sheet_note(
            s,
            "Over the study's %u pairs Bonferroni cannot be passed with %u rounds (%zu are "
            "needed); p study, by joint sign flips over rounds, has no such ceiling.",
            study, rounds, jl_rounds_needed(study, 0.05));
}

static int find_baseline(const jl_study_table *t, const char *name, uint32_t *at, jl_error *err)
{
    *at = JL_ALL_PAIRS;
    if (!name) return 0;
    for (uint32_t i = 0; i < t->configuration_count; i++)
        if (!strcmp(t->configurations[i].name, name)) *at = i;
    if (*at != JL_ALL_PAIRS) return 0;
    return jl_fail(err, JL_ERR_USAGE,
                   "the study has no configuration '%s'; section cells names those that it has",
                   name);
}

int jl_section_pairs(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err)
{
    const jl_study_table *t = jl_study_data_table(d);
    jl_comparison_options options = {.study_wide = true, .seed = o->seed, .threads = 2};
    int rc = find_baseline(t, o->baseline, &options.baseline, err);
    jl_sheet *s = jl_report_sheet(r, "pairs",
                                  "Pairs of configurations: p Holm is corrected within this model "
                                  "and batch, p study over all",
                                  columns, COLUMNS);
    jl_metric metrics[2];
    size_t n = jl_report_metrics(t, metrics), pairs = 0;
    if (!rc) rc = jl_count_comparisons(t, &options, &pairs, err);
    if (pairs > MOST_PAIRS && o->for_readers) {
        jl_sheet_note(s,
                      "%zu pairs are too many to read; --baseline CONFIG declares the one that "
                      "all are compared with, and -o csv or json has all of them.",
                      pairs);
        return rc;
    }
    for (size_t m = 0; m < n && !rc; m++) {
        jl_comparisons all = {0};
        options.metric = metrics[m];
        rc = jl_compare_study(t, &options, &all, err);
        uint32_t usual = most_rounds(&all);
        const char *place = NULL;
        for (size_t i = 0; i < all.count && !rc; i++) {
            if (!i || !same_place(t, &all.items[i - 1], &all.items[i]))
                place = jl_arena_printf(jl_report_arena(r), "%s: %s",
                                        jl_place_words(r, t, &t->cells[all.items[i].base]),
                                        jl_metric_words(t, metrics[m]));
            put_pair(s, r, t, metrics[m], place, &all.items[i], usual);
        }
        if (!rc) put_reach(s, &all);
        jl_comparisons_free(&all);
    }
    if (!jl_sheet_rows(s))
        jl_sheet_note(s,
                      "No pairs: fewer than two configurations ran the same model and batch in a "
                      "complete round.");
    else
        jl_sheet_note(s, "Below 1 the new one takes less. Section audit: what is not held equal.");
    jl_note_origin(s, d);
    return rc;
}
