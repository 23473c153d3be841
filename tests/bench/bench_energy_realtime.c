/* Accuracy of joules per inference in real time, through the NVML meter and a fake library.
 *
 * usage: bench_energy_realtime [WINDOWS [SECONDS [CALL_SECONDS]]]
 * (30 windows of 1 s, once with calls of 2 ms and once of 20 ms)
 *
 * A child process plays the load and logs its true power, which the fake sensor shows; this
 * process samples and estimates. */
#include "../fixtures/sensor_model.h"
#include "base/rng.h"
#include "jouleline/window.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

enum { CALLS_MOST = 20000 };
static const double BUSY_W = 300, IDLE_W = 60;

typedef struct shared {
    _Atomic int64_t go; /* number of the window to play */
    _Atomic int64_t done;
    double window_s, call_s;
    size_t calls;
    int64_t pairs[2 * CALLS_MOST];
} shared;

/* The load: idle, then calls one after the other. */
static void play(shared *s, power_log *log, uint64_t seed)
{
    jl_rng rng = {seed};
    int64_t t = jl_now_ns() + (int64_t)((1.2 + 0.3 * jl_rng_uniform(&rng)) * 1e9);
    int64_t stop = t + (int64_t)((s->window_s + 0.1 * (jl_rng_uniform(&rng) - 0.5)) * 1e9);
    jl_clock_real.sleep_until_ns(NULL, t);
    t = jl_now_ns();
    power_log_add(log, t, BUSY_W);
    size_t n = 0;
    while (t < stop && n < CALLS_MOST) {
        double d = s->call_s * (1 + 0.02 * jl_rng_normal(&rng));
        s->pairs[2 * n] = t;
        jl_clock_real.sleep_until_ns(NULL, t + (int64_t)(d * 1e9));
        t = jl_now_ns();
        s->pairs[2 * n++ + 1] = t;
    }
    power_log_add(log, t, IDLE_W);
    s->calls = n;
}

static void child(shared *s, power_log *log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int64_t played = 0;;) {
        int64_t go = atomic_load(&s->go);
        if (go < 0) _exit(0);
        if (go == played) {
            usleep(1000);
            continue;
        }
        play(s, log, (uint64_t)go * 977 + 5);
        played = go;
        atomic_store(&s->done, played);
    }
}

static void *share(const char *path, size_t bytes)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) : memfd_create("load", 0);
    if (fd < 0 || ftruncate(fd, (off_t)bytes)) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

static int measure(jl_meter_set *set, shared *s, power_log *log, int windows, double window_s,
                   double call_s)
{
    double sum = 0, square = 0, all_sum = 0, all_square = 0, covered = 0, n = 0, jitter = 0, se = 0;
    size_t domain = 0;
    jl_sampler *sampler;
    jl_error err;
    if (jl_sampler_start(set, &domain, 1, &jl_clock_real, &sampler, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    s->window_s = window_s;
    s->call_s = call_s;
    for (int i = 0; i < windows; i++) {
        jl_tick *ticks;
        size_t count;
        jl_window w;
        int64_t begin_ns = jl_now_ns(), turn = atomic_load(&s->go) + 1;
        atomic_store(&s->go, turn);
        while (atomic_load(&s->done) != turn)
            usleep(5000);
        jl_sampler_wait_tick(sampler, 0, jl_now_ns(), JL_NS_PER_S);
        if (jl_sampler_ticks(sampler, 0, begin_ns, &ticks, &count, &err)) break;
        jl_calls calls = {s->pairs, s->calls, 1};
        jl_window_estimate(jl_meter_set_domain(set, 0), ticks, count, &calls, NULL, NULL, &w);
        free(ticks);
        if (!w.valid) {
            printf("no figure: %s\n", w.reason);
            continue;
        }
        double items = jl_calls_items(&calls, w.last_ns) - jl_calls_items(&calls, w.first_ns);
        double truth =
            (power_log_energy_j(log, w.last_ns) - power_log_energy_j(log, w.first_ns)) / items;
        double all = (power_log_energy_j(log, s->pairs[2 * s->calls - 1]) -
                      power_log_energy_j(log, s->pairs[0])) /
                     (double)s->calls;
        double e = w.gross.j / truth - 1, a = w.gross.j / all - 1;
        n++;
        sum += e;
        square += e * e;
        all_sum += a;
        all_square += a * a;
        se += w.gross.se_j / w.gross.j;
        jitter += w.tick_jitter_s;
        covered += w.gross.low_j <= truth && truth <= w.gross.high_j;
    }
    const char *trouble = jl_sampler_trouble(sampler, 0);
    if (*trouble) printf("%s\n", trouble);
    jl_sampler_stop(sampler);
    if (n < 1) return 1;
    double bias = sum / n, sd = sqrt(fmax(square / n - bias * bias, 0)), all_bias = all_sum / n;
    printf(
        "jouleline: %.0f windows of %.1f s, calls of %.0f ms: bias %+.3f %%, SD %.3f %% (said "
        "%.3f), "
        "interval covers %.0f of %.0f, tick jitter %.2f ms; against all calls: bias %+.3f %%, SD "
        "%.3f %%\n",
        n, window_s, 1e3 * call_s, 100 * bias, 100 * sd, 100 * se / n, covered, n, 1e3 * jitter / n,
        100 * all_bias, 100 * sqrt(fmax(all_square / n - all_bias * all_bias, 0)));
    fflush(stdout);
    /* the bounds of a bias leave room for its own error over so few windows */
    return fabs(bias) > 0.001 + 2 * sd / sqrt(n) || sd > (window_s < 0.9 ? 0.003 : 0.002) ||
           covered < 0.8 * n;
}

int main(int argc, char **argv)
{
    const char *build = getenv("BUILD");
    char spec[512], path[] = "/tmp/jl-power-log-XXXXXX";
    const char *specs = spec;
    int windows = argc > 1 ? atoi(argv[1]) : 30, missed = 0;
    snprintf(spec, sizeof spec, "nvml:%s/tests/nvml/libnvidia-ml.so.1",
             build ? build : "build/release");
    close(mkstemp(path));
    power_log *log = share(path, sizeof *log);
    shared *s = share(NULL, sizeof *s);
    if (!log || !s) return 1;
    power_log_add(log, jl_now_ns() - 5000000000, IDLE_W);
    setenv("FAKE_NVML_LOG", path, 1);
    pid_t pid = fork();
    if (!pid) child(s, log);
    jl_meter_set *set;
    jl_error err;
    if (jl_meter_set_open(&specs, 1, NULL, &set, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        missed = 1;
    } else {
        double window_s = argc > 2 ? atof(argv[2]) : 1;
        if (argc > 3) {
            missed += measure(set, s, log, windows, window_s, atof(argv[3]));
        } else {
            missed += measure(set, s, log, windows, window_s, 0.002);
            missed += measure(set, s, log, windows, window_s, 0.02);
        }
        jl_meter_set_close(set);
    }
    atomic_store(&s->go, -1);
    waitpid(pid, NULL, 0);
    unlink(path);
    return missed > 0;
}
