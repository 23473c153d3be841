/* Sentences on devices, on what fails, and on which roof binds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/findings.h"
#include "analysis/order.h"
#include "analysis/table.h"
#include "base/memory.h"

enum { NAMES = 8 };

static bool same_place(const jl_study_cell *x, const jl_study_cell *y)
{
    return x->device == y->device && x->configuration == y->configuration && x->batch == y->batch &&
           x->in_flight == y->in_flight;
}

/* Whether dispatch binds most of the cells of both devices (known for every one). */
static bool bound_by_dispatch(const jl_notebook *b, const jl_device_ratio *r, size_t n)
{
    size_t dispatch = 0;
    for (size_t i = 0; i < n; i++) {
        const jl_roof_place *x = &b->places[r[i].base], *y = &b->places[r[i].new_cell];
        if (x->bound_s.why || y->bound_s.why || x->partial || y->partial) return false;
        dispatch += x->binds == JL_ROOF_DISPATCH && y->binds == JL_ROOF_DISPATCH;
    }
    return 2 * dispatch > n;
}

/* The models of one device's cells that win: how many, by what, and the first of them. */
typedef struct wins {
    size_t count;
    double least, most, worst_p;
    uint32_t models[NAMES];
} wins;

static wins count_wins(const jl_notebook *b, const jl_device_ratio *r, size_t n, int wanted)
{
    wins w = {.least = INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (jl_device_direction(&r[i], b->alpha) != wanted) continue;
        double gain = wanted < 0 ? 1 / r[i].ratio.value : r[i].ratio.value;
        if (w.count < NAMES) w.models[w.count] = b->t->cells[r[i].base].model;
        w.least = fmin(w.least, gain);
        w.most = fmax(w.most, gain);
        w.worst_p = fmax(w.worst_p, r[i].p.value);
        w.count++;
    }
    return w;
}

static void put_device_query(jl_buf *query, const jl_study_table *t, jl_metric metric,
                             const jl_study_cell *x, const jl_study_cell *y)
{
    const jl_study_device *dx = &t->devices[x->device], *dy = &t->devices[y->device];
    bool known = dx->uuid && dy->uuid;
    jl_buf_printf(query,
                  "SELECT device, model, batch, round, %s FROM result WHERE configuration = ",
                  jl_metric_column(metric));
    jl_put_quoted(query, t->configurations[x->configuration].name);
    jl_buf_puts(query, known ? " AND device_uid IN (" : " AND device IN (");
    jl_put_quoted(query, known ? dx->uuid : dx->name);
    jl_buf_puts(query, ", ");
    jl_put_quoted(query, known ? dy->uuid : dy->name);
    jl_buf_printf(
        query,
        ") AND batch = %u AND in_flight = %u AND outcome = 'ok' ORDER BY model, device, round",
        x->batch, x->in_flight);
}

/* "faster" one way: wanted -1 when the second device takes less. */
static void note_direction(jl_notebook *b, jl_metric metric, const jl_device_ratio *r, size_t n,
                           size_t family, int wanted)
{
    const jl_study_table *t = b->t;
    const jl_study_cell *x = &t->cells[r[0].base], *y = &t->cells[r[0].new_cell];
    wins w = count_wins(b, r, n, wanted);
    if (w.count == 0) return;
    bool energy = metric != JL_LATENCY;
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_put_device(&text, &t->devices[wanted < 0 ? y->device : x->device]);
    jl_buf_puts(&text, !energy              ? " is faster than "
                       : t->modelled_energy ? " uses less modelled energy than "
                                            : " uses less energy than ");
    jl_put_device(&text, &t->devices[wanted < 0 ? x->device : y->device]);
    jl_buf_printf(&text, " in %s at batch %u for %zu of %zu models",
                  t->configurations[x->configuration].name, x->batch, w.count, n);
    if (w.count < n && w.count <= NAMES) {
        jl_buf_puts(&text, " (");
        jl_put_models(&text, t, w.models, w.count, NAMES);
        jl_buf_puts(&text, ")");
    }
    jl_buf_puts(&text, energy ? ": energy ratios " : ": throughput ratios ");
    jl_put_range(&text, w.least, w.most, 2, "");
    jl_buf_printf(
        &text, " (Mann-Whitney, Holm over %zu comparisons, p at most %.2g, %u and %u runs%s).",
        family, w.worst_p, r[0].n1, r[0].n2, energy ? ", beyond both sensors' gain error" : "");
    if (!energy && bound_by_dispatch(b, r, n))
        jl_buf_puts(
            &text, " Dispatch binds most of these cells: this compares host and runtime, not GPU.");
    jl_audit audit = jl_audit_begin(t, x, t, y);
    const char *name, *value_x, *value_y;
    while (jl_audit_next(&audit, &name, &value_x, &value_y))
        jl_buf_printf(&caution, "%s%s (%s against %s)", caution.n ? ", " : "Not held equal: ", name,
                      value_x ? value_x : "unknown", value_y ? value_y : "unknown");
    put_device_query(&query, t, metric, x, y);
    jl_value none = jl_none(JL_NOT_TESTED);
    jl_finding f = {.kind = JL_FINDING_DEVICE,
                    .metric = metric,
                    .ratio = none,
                    .effect = none,
                    .interval = {.why = JL_NOT_TESTED},
                    .p = jl_some(w.worst_p),
                    .subject = jl_subject(x->device, y->device, x->configuration)};
    jl_note(b, f, &text, &caution, &query);
}

/* As for contrasts, the batches between the smallest and the largest are left to the tables. */
static bool between(const jl_study_table *t, const jl_device_ratios *all, const jl_study_cell *x,
                    const jl_study_cell *y)
{
    bool smaller = false, larger = false;
    for (size_t i = 0; i < all->count; i++) {
        const jl_study_cell *o = &t->cells[all->items[i].base];
        if (o->device != x->device || t->cells[all->items[i].new_cell].device != y->device ||
            o->configuration != x->configuration || o->in_flight != x->in_flight)
            continue;
        smaller |= o->batch < x->batch;
        larger |= o->batch > x->batch;
    }
    return smaller && larger;
}

void jl_note_devices(jl_notebook *b, jl_metric metric)
{
    __attribute__((cleanup(jl_device_ratios_free))) jl_device_ratios all = {0};
    b->rc = jl_compare_devices(b->t, metric, &all, b->err);
    const jl_study_cell *cells = b->t->cells;
    for (size_t i = 0; i < all.count && !b->rc;) {
        const jl_study_cell *x = &cells[all.items[i].base], *y = &cells[all.items[i].new_cell];
        size_t end = i, family = 0;
        while (end < all.count && same_place(x, &cells[all.items[end].base]) &&
               same_place(y, &cells[all.items[end].new_cell]))
            end++;
        for (size_t k = 0; k < all.count; k++)
            family += cells[all.items[k].base].device == x->device &&
                      cells[all.items[k].new_cell].device == y->device;
        for (int wanted = -1; wanted <= 1 && !between(b->t, &all, x, y); wanted += 2)
            note_direction(b, metric, &all.items[i], end - i, family, wanted);
        i = end;
    }
}

static const char *failure_words(jl_outcome o, bool many)
{
    switch (o) {
    case JL_OUTCOME_UNSUPPORTED:
        return many ? "are refused by the runtime" : "is refused by the runtime";
    case JL_OUTCOME_NUMERICAL:
        return many ? "fail numerically (NaN, infinity, or too far from FP32) and are unusable"
                    : "fails numerically (NaN, infinity, or too far from FP32) and is unusable";
    case JL_OUTCOME_OOM:
        return many ? "run out of memory" : "runs out of memory";
    case JL_OUTCOME_CRASH:
        return many ? "crash" : "crashes";
    case JL_OUTCOME_TIMEOUT:
        return many ? "do not finish in time" : "does not finish in time";
    case JL_OUTCOME_MISSING:
        return "cannot run: runtime or device missing";
    default:
        return many ? "are invalid" : "is invalid";
    }
}

/* Devices on which the configuration has cells at all. */
static size_t devices_of(const jl_study_table *t, uint32_t configuration, bool *has)
{
    size_t n = 0;
    for (size_t d = 0; d < t->device_count; d++)
        has[d] = false;
    for (size_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].configuration == configuration && !has[t->cells[i].device]) {
            has[t->cells[i].device] = true;
            n++;
        }
    return n;
}

/* Two models fail alike: same configuration, outcome, batches, and the same devices. Rows of one
 * model lie together. */
static size_t rows_of_model(const jl_portability *p, size_t at)
{
    const jl_portability_row *r = p->rows + at;
    size_t n = 1;
    while (at + n < p->count && r[n].model == r->model && r[n].configuration == r->configuration &&
           r[n].outcome == r->outcome)
        n++;
    return n;
}

static bool alike(const jl_portability_row *x, size_t nx, const jl_portability_row *y, size_t ny)
{
    if (nx != ny || x->configuration != y->configuration || x->outcome != y->outcome) return false;
    for (size_t i = 0; i < nx; i++)
        if (x[i].device != y[i].device || x[i].least_batch != y[i].least_batch ||
            x[i].most_batch != y[i].most_batch || x[i].cells != y[i].cells)
            return false;
    return true;
}

static void note_failure(jl_notebook *b, const jl_portability_row *rows, size_t devices,
                         const uint32_t *models, size_t count, bool *has)
{
    const jl_study_table *t = b->t;
    const jl_portability_row *r = rows;
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_put_models(&text, t, models, count, 15);
    jl_buf_printf(&text, " in %s", t->configurations[r->configuration].name);
    if (r->cells < r->of) {
        if (r->least_batch == r->most_batch)
            jl_buf_printf(&text, " at batch %u", r->least_batch);
        else
            jl_buf_printf(&text, " at batches %u to %u", r->least_batch, r->most_batch);
    }
    jl_buf_printf(&text, " %s on ", failure_words(r->outcome, count > 1));
    size_t all = devices_of(t, r->configuration, has);
    if (devices == all && all > 1)
        jl_buf_printf(&text, all == 2 ? "both devices" : "all %zu devices", all);
    else
        for (size_t i = 0; i < devices; i++) {
            jl_buf_puts(&text, i == 0 ? "" : i + 1 == devices ? " and " : ", ");
            jl_put_device(&text, &t->devices[rows[i].device]);
        }
    if (r->message)
        jl_buf_printf(&text, ": \"%s\"", r->message);
    else
        jl_buf_puts(&text, ".");
    jl_buf_puts(
        &query,
        "SELECT device, model, batch, round, outcome, message FROM result WHERE configuration = ");
    jl_put_quoted(&query, t->configurations[r->configuration].name);
    jl_buf_puts(&query, " AND outcome = ");
    jl_put_quoted(&query, jl_outcome_name(r->outcome));
    jl_buf_puts(&query, " ORDER BY model, device, batch, round");
    jl_value none = jl_none(JL_NOT_TESTED);
    jl_finding f = {.kind = JL_FINDING_FAILURE,
                    .ratio = none,
                    .effect = none,
                    .p = none,
                    .interval = {.why = JL_NOT_TESTED}};
    jl_note(b, f, &text, &caution, &query);
}

void jl_note_failures(jl_notebook *b)
{
    __attribute__((cleanup(jl_portability_free))) jl_portability p = {0};
    b->rc = jl_find_failures(b->t, &p, b->err);
    if (b->rc) return;
    JL_OWNED uint32_t *models = malloc((p.count + 1) * sizeof *models);
    JL_OWNED bool *said = calloc(p.count + 1, sizeof *said),
                  *has = calloc(b->t->device_count + 1, sizeof *has);
    if (!models || !said || !has) {
        b->rc = jl_no_memory(b->err);
        return;
    }
    for (size_t i = 0; i < p.count && !b->rc; i += rows_of_model(&p, i)) {
        if (said[i]) continue;
        size_t n = rows_of_model(&p, i), count = 0;
        for (size_t k = i; k < p.count; k += rows_of_model(&p, k))
            if (!said[k] && alike(p.rows + i, n, p.rows + k, rows_of_model(&p, k))) {
                said[k] = true;
                models[count++] = p.rows[k].model;
            }
        note_failure(b, p.rows + i, n, models, count, has);
    }
}

/* The cells of one device, configuration, batch that one roof binds. */
typedef struct bound_cells {
    size_t n;
    double least_fraction, most_fraction, least_intensity, most_intensity;
    uint32_t models[NAMES];
} bound_cells;

static bound_cells bound_by(const jl_notebook *b, const uint32_t *cells, size_t n, jl_roof roof)
{
    bound_cells s = {.least_fraction = INFINITY, .least_intensity = INFINITY};
    for (size_t i = 0; i < n; i++) {
        const jl_roof_place *p = &b->places[cells[i]];
        if (p->bound_s.why || p->partial || p->binds != roof) continue;
        if (s.n < NAMES) s.models[s.n] = b->t->cells[cells[i]].model;
        s.n++;
        if (!p->fraction.why) {
            s.least_fraction = fmin(s.least_fraction, p->fraction.value);
            s.most_fraction = fmax(s.most_fraction, p->fraction.value);
        }
        if (!p->intensity.why) {
            s.least_intensity = fmin(s.least_intensity, p->intensity.value);
            s.most_intensity = fmax(s.most_intensity, p->intensity.value);
        }
    }
    return s;
}

/* "every lightweight model" for the families that this roof binds whole. */
static void put_bound_families(const jl_notebook *b, const uint32_t *cells, size_t n, jl_roof roof,
                               jl_buf *text)
{
    const char *said = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *family = b->t->models[b->t->cells[cells[i]].model].family;
        size_t of = 0, bound = 0, before = 0;
        for (size_t k = 0; k < n && family; k++) {
            const jl_study_cell *c = &b->t->cells[cells[k]];
            if (!jl_same_word(b->t->models[c->model].family, family)) continue;
            before += k < i;
            of++;
            bound += !b->places[cells[k]].bound_s.why && !b->places[cells[k]].partial &&
                     b->places[cells[k]].binds == roof;
        }
        if (!family || before || of < 2 || bound != of) continue;
        jl_buf_printf(text, "%s%s", said ? " and every " : ", among them every ", family);
        said = family;
    }
    if (said) jl_buf_puts(text, " model");
}

static void note_roof(jl_notebook *b, const uint32_t *cells, size_t n,
                      const bound_cells s[JL_ROOF_COUNT])
{
    const jl_study_table *t = b->t;
    const jl_study_cell *c = &t->cells[cells[0]];
    jl_buf text = {0}, caution = {0}, query = {0};
    jl_buf_puts(&text, "On ");
    jl_put_device(&text, &t->devices[c->device]);
    jl_buf_printf(&text, " in %s at batch %u", t->configurations[c->configuration].name, c->batch);
    static const char *const binds[JL_ROOF_COUNT] = {
        "the compute roof binds", "the memory roof binds",
        "the dispatch roof (starting nodes one by one) binds"};
    const char *comma = ",";
    for (int r = 0; r < JL_ROOF_COUNT; r++) {
        if (s[r].n == 0) continue;
        if (n == 1)
            jl_buf_printf(&text, "%s %s %s", comma, binds[r], t->models[c->model].name);
        else if (s[r].n == n)
            jl_buf_printf(&text, "%s %s all %zu models", comma, binds[r], n);
        else
            jl_buf_printf(&text, "%s %s %zu of %zu models", comma, binds[r], s[r].n, n);
        if (s[r].n < n) put_bound_families(b, cells, n, (jl_roof)r, &text);
        if (s[r].n < n && s[r].n <= NAMES) {
            jl_buf_puts(&text, " (");
            jl_put_models(&text, t, s[r].models, s[r].n, NAMES);
            jl_buf_puts(&text, ")");
        }
        if (isfinite(s[r].least_intensity) && r != JL_ROOF_DISPATCH) {
            jl_buf_printf(&text,
                          r == JL_ROOF_COMPUTE ? ", all at or above " : ", all at or below ");
            jl_put_number(&text, r == JL_ROOF_COMPUTE ? s[r].least_intensity : s[r].most_intensity);
            jl_buf_puts(&text, " FLOP/byte");
        }
        if (isfinite(s[r].least_fraction)) {
            jl_buf_puts(&text, ", reaching ");
            jl_put_range(&text, 100 * s[r].least_fraction, 100 * s[r].most_fraction, 0, " % of it");
        }
        comma = ";";
    }
    jl_buf_puts(&text, ".");
    jl_query_start(&query, "model, batch, round, latency_ns", &t->devices[c->device]);
    jl_buf_puts(&query, " AND configuration = ");
    jl_put_quoted(&query, t->configurations[c->configuration].name);
    jl_buf_printf(&query, " AND batch = %u AND in_flight = %u", c->batch, c->in_flight);
    jl_query_end(&query);
    jl_value none = jl_none(JL_NOT_TESTED);
    jl_finding f = {.kind = JL_FINDING_ROOFLINE,
                    .ratio = none,
                    .effect = none,
                    .p = none,
                    .interval = {.why = JL_NOT_TESTED},
                    .subject = jl_subject(c->device, c->configuration, 0)};
    jl_note(b, f, &text, &caution, &query);
}

void jl_note_roofs(jl_notebook *b)
{
    const jl_study_table *t = b->t;
    JL_OWNED uint32_t *order = malloc((t->cell_count + 1) * sizeof *order);
    if (!order) {
        b->rc = jl_no_memory(b->err);
        return;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < t->cell_count; i++)
        if (t->cells[i].outcome == JL_OUTCOME_OK && !t->models[t->cells[i].model].probe)
            order[n++] = i;
    jl_sort_cells(t, order, n, JL_BY_CONFIGURATION);
    for (size_t i = 0; i < n && !b->rc;) {
        size_t end = i + 1, bound = 0;
        while (end < n && same_place(&t->cells[order[i]], &t->cells[order[end]]))
            end++;
        bound_cells s[JL_ROOF_COUNT];
        for (int r = 0; r < JL_ROOF_COUNT; r++) {
            s[r] = bound_by(b, order + i, end - i, (jl_roof)r);
            bound += s[r].n;
        }
        if (bound && !jl_middle_batch(t, &t->cells[order[i]])) note_roof(b, order + i, end - i, s);
        i = end;
    }
}
