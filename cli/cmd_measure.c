/* jouleline measure -- CMD: energy, time and memory of any command. */
#include "cli.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "jouleline/window.h"
#include "process_tree.h"
#include "terminal.h"

enum { DOMAINS_MOST = 64, ROUNDS_MOST = 1000, NOT_FOUND = 127 };
enum { AS_TABLE, AS_JSON };

typedef struct measure_settings {
    int64_t rounds, idle_ns;
    jl_words meters;
    int output;
} measure_settings;

static const jl_option measure_options[] = {
    {.name = "rounds",
     .letter = 'r',
     .alias = "runs",
     .kind = JL_OPT_INT,
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = ROUNDS_MOST,
     .help = "how often the command is run",
     .offset = offsetof(measure_settings, rounds)},
    {.name = "idle",
     .kind = JL_OPT_DURATION,
     .argument = "TIME",
     .fallback = "2",
     .min = 0,
     .max = 3600,
     .help = "how long the idle power is measured before the first run; 0: not at all",
     .offset = offsetof(measure_settings, idle_ns)},
    {.name = "meter",
     .kind = JL_OPT_TEXTS,
     .argument = "NAME[:ARGS]",
     .help = "a meter to use instead of all that work; may be given again",
     .offset = offsetof(measure_settings, meters)},
    JL_OPTION_OUTPUT(measure_settings, output, "table|json"),
    {0},
};

typedef struct round_result {
    jl_exit exit;
    int64_t from_ns, to_ns, peak_memory_bytes;
    jl_span span[DOMAINS_MOST];
} round_result;

typedef struct job {
    const jl_invocation *call;
    const measure_settings *settings;
    jl_meter_set *set;
    jl_sampler *sampler;
    size_t domains[DOMAINS_MOST], count; /* numbers in the set */
    jl_idle idle[DOMAINS_MOST];
    jl_power_check check[DOMAINS_MOST]; /* over all rounds */
    round_result *rounds;
    size_t done;
} job;

static const jl_meter_domain *domain(const job *j, size_t i)
{
    return jl_meter_set_domain(j->set, j->domains[i]);
}

/* Every domain but single cores, of which there may be hundreds. */
static int start_meters(job *j, jl_error *err)
{
    const measure_settings *s = j->settings;
    int rc = jl_meter_set_open(s->meters.items, s->meters.count, NULL, &j->set, err);
    if (rc) return rc;
    for (size_t i = 0; i < jl_meter_set_count(j->set) && j->count < DOMAINS_MOST; i++)
        if (jl_meter_set_domain(j->set, i)->kind != JL_DOMAIN_CORE) j->domains[j->count++] = i;
    if (!j->count) return 0;
    rc = jl_sampler_start(j->set, j->domains, j->count, &jl_clock_real, &j->sampler, err);
    if (rc) return rc;
    int64_t begin_ns = jl_now_ns();
    for (size_t i = 0; i < j->count; i++)
        jl_sampler_wait_tick(j->sampler, i, begin_ns, 2 * JL_NS_PER_S);
    if (s->idle_ns <= 0) return 0;
    begin_ns = jl_now_ns();
    jl_clock_real.sleep_until_ns(NULL, begin_ns + s->idle_ns);
    for (size_t i = 0; i < j->count; i++) {
        jl_tick *ticks = NULL;
        size_t n = 0;
        rc = jl_sampler_ticks(j->sampler, i, begin_ns, &ticks, &n, err);
        if (rc) return rc;
        jl_idle_estimate(domain(j, i), ticks, n, begin_ns, jl_now_ns(), &j->idle[i]);
        free(ticks);
    }
    return 0;
}

/* Lets the sensors show the end of the run: a tick, and what they average over. */
static void wait_for_tail(job *j, int64_t end_ns)
{
    for (size_t i = 0; i < j->count; i++) {
        const jl_meter_domain *d = domain(j, i);
        int64_t tail_ns = 0;
        if (!d->has_counter && !d->modelled)
            tail_ns = (int64_t)((fmax(d->power_average_s, 0) + d->tick_s) * 1e9);
        jl_sampler_wait_tick(j->sampler, i, end_ns + tail_ns, tail_ns + 3 * JL_NS_PER_S);
    }
}

static int run_once(job *j, round_result *r, jl_error *err)
{
    jl_process p;
    jl_spawn spawn = {.argv = j->call->arguments.items,
                      .stdout_fd = 2, /* ours is for results */
                      .inherit_stdin = true,
                      .same_group = true};
    r->from_ns = jl_now_ns();
    int rc = jl_process_spawn(&spawn, &p, err);
    if (rc) return rc;
    pid_t pid = p.pid;
    do {
        int64_t now = jl_tree_memory_bytes(pid);
        if (now > r->peak_memory_bytes) r->peak_memory_bytes = now;
        rc = jl_process_wait(&p, jl_now_ns() + JL_NS_PER_S / 20, &r->exit, err);
    } while (rc == JL_ERR_TIMEOUT);
    r->to_ns = jl_now_ns();
    if (rc) return rc;
    if (r->exit.peak_memory_bytes > r->peak_memory_bytes)
        r->peak_memory_bytes = r->exit.peak_memory_bytes;
    wait_for_tail(j, r->to_ns);
    for (size_t i = 0; i < j->count; i++) {
        jl_tick *ticks = NULL;
        size_t n = 0;
        rc = jl_sampler_ticks(j->sampler, i, r->from_ns - 5 * JL_NS_PER_S, &ticks, &n, err);
        if (rc) return rc;
        jl_span_estimate(domain(j, i), ticks, n, r->from_ns, r->to_ns,
                         j->idle[i].valid ? &j->idle[i] : NULL, &r->span[i]);
        const char *trouble = jl_sampler_trouble(j->sampler, i);
        if (!r->span[i].valid && *trouble)
            snprintf(r->span[i].reason, sizeof r->span[i].reason, "%.199s", trouble);
        free(ticks);
    }
    return 0;
}

/* Domains that offer energy and power are held against themselves, over all runs. */
static int check_power(job *j, jl_error *err)
{
    int64_t from_ns = j->rounds[0].from_ns, to_ns = j->rounds[j->done - 1].to_ns;
    int rc = 0;
    for (size_t i = 0; i < j->count && !rc; i++) {
        jl_tick *ticks = NULL;
        size_t n = 0;
        if (!domain(j, i)->has_counter || !domain(j, i)->has_power) continue;
        rc = jl_sampler_ticks(j->sampler, i, from_ns, &ticks, &n, err);
        if (!rc) jl_power_check_of(domain(j, i), ticks, n, from_ns, to_ns, &j->check[i]);
        free(ticks);
    }
    return rc;
}

/* results ------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef double (*quantity)(const round_result *r, size_t i);
static double time_s(const round_result *r, size_t i)
{
    (void)i;
    return (double)(r->to_ns - r->from_ns) * 1e-9;
}
static double cpu_s(const round_result *r, size_t i)
{
    (void)i;
    return (double)r->exit.cpu_ns * 1e-9;
}
static double memory_mib(const round_result *r, size_t i)
{
    (void)i;
    return (double)r->peak_memory_bytes / 1048576;
}
static double energy_j(const round_result *r, size_t i)
{
    return r->span[i].valid ? r->span[i].energy_j : NAN;
}
static double net_j(const round_result *r, size_t i)
{
    return r->span[i].valid && !r->span[i].indistinct ? r->span[i].net_j : NAN;
}
static double power_w(const round_result *r, size_t i)
{
    return r->span[i].valid ? r->span[i].power_w : NAN;
}

/* "12.3", and with several rounds "12.3 [12.1, 12.6]": median and range; "" without a value. */
static const char *summary(const job *j, quantity get, size_t i)
{
    double *v = jl_arena_array(j->call->arena, j->done, sizeof *v);
    size_t n = 0;
    for (size_t k = 0; v && k < j->done; k++) {
        double x = get(&j->rounds[k], i);
        if (!isnan(x)) v[n++] = x;
    }
    if (!n) return "";
    qsort(v, n, sizeof *v, by_value);
    double median = 0.5 * (v[n / 2] + v[(n - 1) / 2]);
    if (j->settings->rounds == 1) return jl_arena_printf(j->call->arena, "%.4g", median);
    return jl_arena_printf(j->call->arena, "%.4g [%.4g, %.4g]", median, v[0], v[n - 1]);
}

static const char *label(const job *j, size_t i)
{
    const jl_meter_domain *d = domain(j, i);
    return jl_arena_printf(j->call->arena, "%s%s%s", d->label, d->simulated ? " (simulated)" : "",
                           d->modelled ? " (modelled)" : "");
}

/* Why a domain has no number in any round; "" when it has. */
static const char *why_none(const job *j, size_t i)
{
    for (size_t k = 0; k < j->done; k++)
        if (j->rounds[k].span[i].valid) return "";
    return j->done ? j->rounds[0].span[i].reason : "";
}

static void print_table(const job *j)
{
    enum { COLUMNS = 6 };
    static const jl_column columns[COLUMNS] = {{"domain", false},        {"energy (J)", true},
                                               {"above idle (J)", true}, {"power (W)", true},
                                               {"idle (W)", true},       {"method", false}};
    printf("time %s s, CPU time %s s, peak memory %s MiB%s\n", summary(j, time_s, 0),
           summary(j, cpu_s, 0), summary(j, memory_mib, 0),
           j->done > 1 ? " (median and range)" : "");
    if (!j->count) {
        printf("energy: none, as no meter works here; 'jouleline doctor' says why and what would "
               "help\n");
        return;
    }
    const char **cells = jl_arena_array(j->call->arena, j->count * COLUMNS, sizeof *cells);
    for (size_t i = 0; cells && i < j->count; i++) {
        const char **row = cells + i * COLUMNS;
        const jl_span *s = &j->rounds[0].span[i];
        row[0] = label(j, i);
        row[1] = summary(j, energy_j, i);
        row[2] = summary(j, net_j, i);
        if (!*row[2] && s->valid && j->idle[i].valid) row[2] = "not distinguishable from idle";
        row[3] = summary(j, power_w, i);
        row[4] =
            j->idle[i].valid ? jl_arena_printf(j->call->arena, "%.4g", j->idle[i].power_w) : "";
        row[5] = s->valid ? jl_energy_method_name(s->method) : why_none(j, i);
    }
    if (cells) jl_print_table(stdout, columns, COLUMNS, cells, j->count);
    for (size_t i = 0; i < j->count; i++) {
        const jl_power_check *c = &j->check[i];
        if (!c->valid) continue;
        printf("%s: power readings %.4g W, its counter %.4g W over the same times:\n"
               "ratio %.4f (95 %% interval %.4f to %.4f, %zu readings in %.1f s)\n",
               label(j, i), c->power_w, c->counter_w, 1 + c->rel, 1 + c->low_rel, 1 + c->high_rel,
               c->readings, c->span_s);
    }
}

static json_t *number(double x)
{
    return isnan(x) ? json_null() : json_real(x);
}

static json_t *span_json(const job *j, const jl_span *s, size_t i)
{
    const jl_meter_domain *d = domain(j, i);
    json_t *o = json_pack("{s:s, s:s, s:s}", "domain", d->id, "label", d->label, "kind",
                          jl_domain_kind_name(d->kind));
    if (d->parent >= 0) json_object_set_new(o, "inside_another", json_true());
    if (d->simulated) json_object_set_new(o, "simulated", json_true());
    if (d->modelled) json_object_set_new(o, "modelled", json_true());
    if (j->idle[i].valid) json_object_set_new(o, "idle_w", json_real(j->idle[i].power_w));
    if (!s->valid) {
        json_object_set_new(o, "energy_j", json_null());
        json_object_set_new(o, "reason", json_string(s->reason));
        return o;
    }
    json_object_set_new(o, "energy_j", json_real(s->energy_j));
    json_object_set_new(o, "energy_se_j", json_real(s->se_j));
    json_object_set_new(o, "systematic_rel", json_real(d->gain_rel));
    json_object_set_new(o, "net_j", s->indistinct ? json_null() : number(s->net_j));
    if (s->indistinct && j->idle[i].valid)
        json_object_set_new(o, "net_reason", json_string("not distinguishable from idle"));
    json_object_set_new(o, "power_w", json_real(s->power_w));
    json_object_set_new(o, "method", json_string(jl_energy_method_name(s->method)));
    return o;
}

static json_t *checks_json(const job *j)
{
    json_t *all = json_array();
    for (size_t i = 0; i < j->count; i++) {
        const jl_power_check *c = &j->check[i];
        if (!c->valid) continue;
        json_array_append_new(
            all, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:I, s:f}", "domain", domain(j, i)->id,
                           "power_w", c->power_w, "counter_w", c->counter_w, "ratio", 1 + c->rel,
                           "ratio_low", 1 + c->low_rel, "ratio_high", 1 + c->high_rel, "readings",
                           (json_int_t)c->readings, "span_s", c->span_s));
    }
    return all;
}

static void print_json(const job *j)
{
    json_t *rounds = json_array(), *words = json_array();
    for (size_t k = 0; k < j->call->arguments.count; k++)
        json_array_append_new(words, json_string_nocheck(j->call->arguments.items[k]));
    for (size_t k = 0; k < j->done; k++) {
        const round_result *r = &j->rounds[k];
        json_t *energy = json_array();
        for (size_t i = 0; i < j->count; i++)
            json_array_append_new(energy, span_json(j, &r->span[i], i));
        json_array_append_new(
            rounds,
            json_pack("{s:f, s:f, s:I, s:i, s:i, s:o}", "time_s", time_s(r, 0), "cpu_s",
                      cpu_s(r, 0), "peak_memory_bytes", (json_int_t)r->peak_memory_bytes,
                      "exit_code", r->exit.status, "signal", r->exit.signal, "energy", energy));
    }
    json_t *all = json_pack("{s:o, s:o, s:o, s:s}", "command", words, "rounds", rounds,
                            "power_against_counter", checks_json(j), "absent_meters",
                            jl_meter_set_absent(j->set));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int exit_code(const jl_exit *e)
{
    return e->signal ? 128 + e->signal : e->status;
}

static int measure_rounds(job *j, jl_error *err)
{
    int rc = start_meters(j, err);
    if (rc) return rc;
    for (int64_t k = 0; k < j->settings->rounds; k++) {
        round_result *r = &j->rounds[j->done];
        rc = run_once(j, r, err);
        if (rc) return rc;
        j->done++;
        if (exit_code(&r->exit)) break;
    }
    return check_power(j, err);
}

static int measure(const jl_invocation *call)
{
    job j = {.call = call, .settings = call->settings};
    jl_error err = {0};
    j.rounds = jl_arena_array(call->arena, (size_t)j.settings->rounds, sizeof *j.rounds);
    int rc = j.rounds ? measure_rounds(&j, &err) : jl_fail(&err, JL_ERR_MEMORY, "out of memory");
    jl_sampler_stop(j.sampler);
    j.sampler = NULL;
    int code = EXIT_FAILED;
    if (rc) {
        code = jl_report_error(call, &err);
        if (rc == JL_ERR_MISSING && j.set) code = NOT_FOUND;
    } else {
        const round_result *last = &j.rounds[j.done - 1];
        code = exit_code(&last->exit);
        char words[128];
        jl_exit_words(&last->exit, words, sizeof words);
        if (code)
            fprintf(stderr, "jouleline measure: the command %s in run %zu of %lld\n", words, j.done,
                    (long long)j.settings->rounds);
        if (j.settings->output == AS_JSON)
            print_json(&j);
        else
            print_table(&j);
    }
    jl_meter_set_close(j.set);
    return code;
}

const jl_command jl_command_measure = {
    .name = "measure",
    .summary = "energy, time and memory of any command",
    .arguments = "-- COMMAND [ARGUMENT...]",
    .about =
        "Runs a command and its children and says what they took: energy and mean power on every\n"
        "meter of this machine, time, CPU time and peak memory. Meters see the whole machine or\n"
        "device, not only the command: keep it quiet. What would have been drawn anyway is taken\n"
        "off in the column above idle, by the idle power measured before the first run.\n"
        "A sensor that offers an energy counter and power readings is held against itself: their\n"
        "ratio is printed with its interval.\n"
        "\n"
        "Results go to standard output; the command's own output goes to standard error. The exit\n"
        "code is the command's own, 128 + N when signal N ended it, 127 when there is no such\n"
        "command; the runs stop at the first one that fails.",
    .options = measure_options,
    .settings_size = sizeof(measure_settings),
    .least_arguments = 1,
    .most_arguments = 10000,
    .run = measure,
};
