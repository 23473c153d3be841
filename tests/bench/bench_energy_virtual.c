/* Accuracy of joules per inference and coverage of its interval, on simulated sensors in virtual
 * time.
 *
 * usage: bench_energy_virtual [WINDOWS [WORDS]] (1,000, all scenes whose name holds WORDS); exits 1
 * when a stated bound is missed.
 *
 * These are the errors of the estimator; a real sensor's gain error comes on top. */
#include "../fixtures/window_sim.h"

#include <stdio.h>

typedef struct scene {
    const char *name;
    window_sim sim;
    double bias_most, sd_most; /* relative */
    bool coverage;             /* 93 to 97 % are asked for */
} scene;

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

static int run(scene *s, int windows, power_log *log)
{
    moments used = {0}, all = {0}, naive = {0};
    double covered = 0, se = 0;
    for (int i = 0; i < windows; i++) {
        window_sim_result r;
        s->sim.seed = (uint64_t)i + 1;
        simulate(&s->sim, log, &r);
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
        return s->bias_most > 0;
    }
    covered /= used.n;
    bool ok = fabs(mean(&used)) <= s->bias_most && sd(&used) <= s->sd_most;
    if (s->coverage) ok = ok && covered >= 0.93 && covered <= 0.97;
    printf("%-34s %5.0f %+8.3f %7.3f %7.3f %6.1f %+8.3f %7.3f %+7.2f %6.2f  %s\n", s->name, used.n,
           100 * mean(&used), 100 * sd(&used), 100 * se / used.n, 100 * covered, 100 * mean(&all),
           100 * sd(&all), 100 * mean(&naive), 100 * sd(&naive), ok ? "" : "MISSED");
    return !ok;
}

int main(int argc, char **argv)
{
    int windows = argc > 1 ? atoi(argv[1]) : 1000, missed = 0;
    enum { SCENES = 21 };
    scene scenes[SCENES] = {
        {.name = "1 s, 2 ms calls"},
        {.name = "1 s, 20 ms calls"},
        {.name = "0.5 s, 2 ms calls"},
        {.name = "0.5 s, 20 ms calls"},
        {.name = "0.3 s, 2 ms calls"},
        {.name = "3 s, 2 ms calls"},
        {.name = "1 s, 2 ms, ticks +-10 ms"},
        {.name = "1 s, 20 ms, ticks +-10 ms"},
        {.name = "1 s, 2 ms, ticks +-1 ms"},
        {.name = "1 s, 2 ms, pauses up to 4 ms"},
        {.name = "2 s, 2 ms, pauses, 25 of 100 ms"},
        {.name = "2 s, 20 ms, pauses, 25 of 100 ms"},
        {.name = "3 s, 2 ms, power only (1 s mean)"},
        {.name = "3 s, 20 ms, power only (1 s mean)"},
        {.name = "1 s, 2 ms, power only (1 s mean)"},
        {.name = "1 s, 2 ms, RAPL (1 ms ticks)"},
        {.name = "1 s, 12 ms, warming 20 % in 0.3 s"},
        {.name = "1 s, 12 ms, warming 5 % in 1 s"},
        {.name = "1 s, 12 ms, warming, 25 of 100 ms"},
        {.name = "1 s, 2 ms, 1 of 20 ticks late"},
        {.name = "1 s, 12 ms, late and warming"},
    };
    for (int i = 0; i < SCENES; i++) {
        scenes[i].sim = usual;
        scenes[i].bias_most = 0.001;
        scenes[i].sd_most = 0.002;
        scenes[i].coverage = true;
    }
    const int slow[] = {1, 3, 7, 11, 13};
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++)
        scenes[slow[i]].sim.call_s = 0.02;
    scenes[2].sim.window_s = scenes[3].sim.window_s = 0.5;
    scenes[2].sd_most = scenes[3].sd_most = 0.003;
    scenes[4].sim.window_s = 0.3;
    scenes[4].sd_most = 0.01;
    scenes[4].coverage = false;
    scenes[5].sim.window_s = 3;
    scenes[5].coverage = false; /* the counter's resolution is all that is left */
    scenes[6].sim.sensor.jitter_s = scenes[7].sim.sensor.jitter_s = 0.01;
    scenes[6].sd_most = scenes[7].sd_most = 0.006;
    scenes[8].sim.sensor.jitter_s = 0.001;
    for (int i = 9; i < 12; i++)
        scenes[i].sim.gap_s = 0.004;
    for (int i = 10; i < 12; i++) {
        scenes[i].sim.window_s = 2;
        scenes[i].sim.sensor.on_s = 0.025;
        scenes[i].bias_most = 0.005;
        scenes[i].sd_most = 1;
    }
    for (int i = 12; i < 15; i++) {
        scenes[i].sim.has_counter = false;
        scenes[i].sim.window_s = i < 14 ? 3 : 1;
        scenes[i].bias_most = i < 14 ? 0.01 : 0;
        scenes[i].sd_most = 0.02;
        scenes[i].coverage = false; /* a constant power leaves no error to cover */
    }
    scenes[15].sim.sensor.tick_s = 0.001;
    scenes[15].sim.sensor.call_s = 5e-6;
    scenes[15].sim.sensor.resolution_j = 6.1e-5;
    for (int i = 16; i < SCENES; i++) {
        if (i != 19) scenes[i].sim.call_s = 0.012;
        scenes[i].sim.warm_s = 0.5;
        scenes[i].sim.warming_rel = i == 17 ? 0.05 : i == 19 ? 0 : 0.2;
        scenes[i].sim.warming_s = i == 17 ? 1 : 0.3;
    }
    scenes[18].sim.sensor.on_s = 0.025;
    scenes[18].sim.gap_s = 0.004;
    scenes[18].sd_most = 1;
    scenes[18].bias_most = 0.005;
    for (int i = 19; i < SCENES; i++) {
        scenes[i].sim.sensor.late_share = 0.05;
        scenes[i].sim.sensor.late_s = 0.04;
    }
    power_log *log = calloc(1, sizeof *log);
    if (!log) return 1;
    printf("%d windows drawn as W +- 50 ms from idle; 100 ms ticks, 5 ms reads; percent\n",
           windows);
    printf("%-34s %5s %8s %7s %7s %6s %8s %7s %7s %6s\n", "", "", "bias", "SD", "said", "95 %",
           "bias", "SD", "begin/", "end");
    printf("%-34s %5s %8s %7s %7s %6s %8s %7s %7s %6s\n", "load and sensor", "n", "between",
           "ticks", "SE", "covers", "all", "calls", "bias", "SD");
    for (int i = 0; i < SCENES; i++)
        if (argc < 3 || strstr(scenes[i].name, argv[2])) missed += run(&scenes[i], windows, log);
    free(log);
    return missed > 0;
}
