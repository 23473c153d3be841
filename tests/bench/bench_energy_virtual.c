/* Accuracy of joules per inference and coverage of its interval, on simulated sensors in virtual
 * time.
 *
 * usage: bench_energy_virtual [WINDOWS [WORDS]] (1,000, all scenes whose name holds WORDS); exits 1
 * when a stated bound is missed.
 *
 * These are the errors of the estimator; a real sensor's gain error comes on top. */
#include "../fixtures/window_sim.h"

#include <stdio.h>

/* What differs from the usual window; 0: nothing. */
typedef struct scene {
    const char *name;
    double window_s, call_s, gap_s;
    double jitter_s, on_s, late_share, late_s; /* of the sensor */
    double warm_s, warming_rel, warming_s;
    bool power_only, rapl;
    double bias_most, sd_most; /* relative; 0: 0.001 and 0.002 */
    bool any_coverage;         /* else 93 to 97 % are asked for */
    bool no_figure;            /* none is right */
} scene;

/* Where a sensor looks at a quarter of its tick the spread is not bounded; the interval has to know
 * it. */
static const scene scenes[] = {
    {.name = "1 s, 2 ms calls"},
    {.name = "1 s, 20 ms calls", .call_s = 0.02},
    {.name = "0.5 s, 2 ms calls", .window_s = 0.5, .sd_most = 0.003},
    {.name = "0.5 s, 20 ms calls", .window_s = 0.5, .call_s = 0.02, .sd_most = 0.003},
    {.name = "0.3 s, 2 ms calls", .window_s = 0.3, .sd_most = 0.01, .any_coverage = true},
    /* the counter's resolution is all that is left */
    {.name = "3 s, 2 ms calls", .window_s = 3, .any_coverage = true},
    {.name = "1 s, 2 ms, ticks +-10 ms", .jitter_s = 0.01, .sd_most = 0.006},
    {.name = "1 s, 20 ms, ticks +-10 ms", .call_s = 0.02, .jitter_s = 0.01, .sd_most = 0.006},
    {.name = "1 s, 2 ms, ticks +-1 ms", .jitter_s = 0.001},
    {.name = "1 s, 2 ms, pauses up to 4 ms", .gap_s = 0.004},
    {.name = "2 s, 2 ms, pauses, 25 of 100 ms",
     .window_s = 2,
     .gap_s = 0.004,
     .on_s = 0.025,
     .bias_most = 0.005,
     .sd_most = 1},
    {.name = "2 s, 20 ms, pauses, 25 of 100 ms",
     .window_s = 2,
     .call_s = 0.02,
     .gap_s = 0.004,
     .on_s = 0.025,
     .bias_most = 0.005,
     .sd_most = 1},
    /* a constant power leaves no error to cover */
    {.name = "3 s, 2 ms, power only (1 s mean)",
     .window_s = 3,
     .power_only = true,
     .bias_most = 0.01,
     .sd_most = 0.02,
     .any_coverage = true},
    {.name = "3 s, 20 ms, power only (1 s mean)",
     .window_s = 3,
     .call_s = 0.02,
     .power_only = true,
     .bias_most = 0.01,
     .sd_most = 0.02,
     .any_coverage = true},
    {.name = "1 s, 2 ms, power only (1 s mean)", .power_only = true, .no_figure = true},
    {.name = "1 s, 2 ms, RAPL (1 ms ticks)", .rapl = true},
    {.name = "1 s, 12 ms, warming 20 % in 0.3 s",
     .call_s = 0.012,
     .warm_s = 0.5,
     .warming_rel = 0.2,
     .warming_s = 0.3},
    {.name = "1 s, 12 ms, warming 5 % in 1 s",
     .call_s = 0.012,
     .warm_s = 0.5,
     .warming_rel = 0.05,
     .warming_s = 1},
    {.name = "1 s, 12 ms, warming, 25 of 100 ms",
     .call_s = 0.012,
     .gap_s = 0.004,
     .on_s = 0.025,
     .warm_s = 0.5,
     .warming_rel = 0.2,
     .warming_s = 0.3,
     .bias_most = 0.005,
     .sd_most = 1},
    {.name = "1 s, 2 ms, 1 of 20 ticks late", .warm_s = 0.5, .late_share = 0.05, .late_s = 0.04},
    {.name = "1 s, 12 ms, late and warming",
     .call_s = 0.012,
     .warm_s = 0.5,
     .warming_rel = 0.2,
     .warming_s = 0.3,
     .late_share = 0.05,
     .late_s = 0.04},
};

static window_sim sim_of(const scene *s)
{
    window_sim sim = usual;
    if (s->window_s > 0) sim.window_s = s->window_s;
    if (s->call_s > 0) sim.call_s = s->call_s;
    sim.gap_s = s->gap_s;
    sim.has_counter = !s->power_only;
    sim.warm_s = s->warm_s;
    sim.warming_rel = s->warming_rel;
    sim.warming_s = s->warming_s;
    sim.sensor.jitter_s = s->jitter_s;
    sim.sensor.on_s = s->on_s;
    sim.sensor.late_share = s->late_share;
    sim.sensor.late_s = s->late_s;
    if (s->rapl) {
        sim.sensor.tick_s = 0.001;
        sim.sensor.call_s = 5e-6;
        sim.sensor.resolution_j = 6.1e-5;
    }
    return sim;
}

typedef struct moments {
    double n, sum, square;
} moments;

static void add(moments *m, double x)
{
    m->n++;
    m->sum += x;
    m->square += x * x;
}

static double mean(const moments *m)
{
    return m->sum / m->n;
}

static double sd(const moments *m)
{
    return sqrt(fmax(m->square / m->n - mean(m) * mean(m), 0));
}

static int run(const scene *s, int windows, power_log *log)
{
    window_sim sim = sim_of(s);
    moments used = {0}, all = {0}, naive = {0};
    double covered = 0, se = 0;
    for (int i = 0; i < windows; i++) {
        window_sim_result r;
        sim.seed = (uint64_t)i + 1;
        simulate(&sim, log, &r);
        add(&naive, r.begin_end_rel);
        if (!r.window.valid) continue;
        add(&used, r.error_rel);
        add(&all, r.all_error_rel);
        covered += r.covered;
        se += r.window.gross.se_j / r.window.gross.j;
    }
    if (used.n < 1) {
        printf("%-34s no figure in any window; begin/end would say %+.1f %% +- %.1f\n", s->name,
               100 * mean(&naive), 100 * sd(&naive));
        return !s->no_figure;
    }
    covered /= used.n;
    bool ok = !s->no_figure && fabs(mean(&used)) <= (s->bias_most > 0 ? s->bias_most : 0.001) &&
              sd(&used) <= (s->sd_most > 0 ? s->sd_most : 0.002);
    if (!s->any_coverage) ok = ok && covered >= 0.93 && covered <= 0.97;
    printf("%-34s %5.0f %+8.3f %7.3f %7.3f %6.1f %+8.3f %7.3f %+7.2f %6.2f  %s\n", s->name, used.n,
           100 * mean(&used), 100 * sd(&used), 100 * se / used.n, 100 * covered, 100 * mean(&all),
           100 * sd(&all), 100 * mean(&naive), 100 * sd(&naive), ok ? "" : "MISSED");
    return !ok;
}

int main(int argc, char **argv)
{
    int windows = argc > 1 ? atoi(argv[1]) : 1000, missed = 0;
    power_log *log = calloc(1, sizeof *log);
    if (!log) return 1;
    printf("%d windows drawn as W +- 50 ms from idle; 100 ms ticks, 5 ms reads; percent\n",
           windows);
    printf("%-34s %5s %8s %7s %7s %6s %8s %7s %7s %6s\n", "", "", "bias", "SD", "said", "95 %",
           "bias", "SD", "begin/", "end");
    printf("%-34s %5s %8s %7s %7s %6s %8s %7s %7s %6s\n", "load and sensor", "n", "between",
           "ticks", "SE", "covers", "all", "calls", "bias", "SD");
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        if (argc < 3 || strstr(scenes[i].name, argv[2])) missed += run(&scenes[i], windows, log);
    free(log);
    return missed > 0;
}
