/* Opening vit_b_16 (346 MB) and its cost: at most 20 ms and 30 MiB, 40 MiB with the cost.
 * Every opening happens in a child of its own: the file is in the page cache, nothing else is
 * warm. Private memory is what the child's RssAnon grows by; arenas free nothing, so the end is
 * the peak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jouleline/clock.h"
#include "jouleline/cost.h"
#include "jouleline/zoo.h"

enum { REPEATS = 21 };

static long anonymous_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8)) kib = strtol(line + 8, NULL, 10);
    if (f) fclose(f);
    return kib;
}

typedef struct sample {
    double open_ms, cost_ms;
    long open_kib, cost_kib;
    bool good;
} sample;

static sample open_once(const char *path)
{
    sample s = {0};
    jl_error err;
    jl_model *m;
    jl_cost *cost;
    long before = anonymous_kib();
    int64_t start = jl_now_ns();
    if (jl_model_open(path, &m, &err)) return s;
    int64_t opened = jl_now_ns();
    s.open_kib = anonymous_kib() - before;
    int64_t again = jl_now_ns();
    if (jl_cost_new(m, NULL, &cost, &err)) return s;
    s.cost_ms = (double)(jl_now_ns() - again) * 1e-6;
    s.cost_kib = anonymous_kib() - before;
    s.open_ms = (double)(opened - start) * 1e-6;
    s.good = true;
    jl_cost_free(cost);
    jl_model_close(m);
    return s;
}

static sample in_child(const char *path)
{
    sample s = {0};
    int ends[2];
    if (pipe(ends)) return s;
    pid_t child = fork();
    if (child == 0) {
        s = open_once(path);
        _exit(write(ends[1], &s, sizeof s) == (ssize_t)sizeof s ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &s, sizeof s) != (ssize_t)sizeof s) s.good = false;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return s;
}

static int by_open(const void *a, const void *b)
{
    double x = ((const sample *)a)->open_ms, y = ((const sample *)b)->open_ms;
    return (x > y) - (x < y);
}

static sample middle(const char *path)
{
    sample all[REPEATS];
    for (int i = 0; i < REPEATS; i++)
        all[i] = in_child(path);
    qsort(all, REPEATS, sizeof *all, by_open);
    for (int i = 0; i < REPEATS; i++)
        if (!all[i].good) return all[i];
    return all[REPEATS / 2];
}

int main(void)
{
    char folder[] = "/tmp/jl_bench_open.XXXXXX", path[64];
    jl_error err;
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/vit_b_16.onnx", folder);
    int rc = jl_zoo_export("vit_b_16", NULL, path, &err);
    sample s = rc ? (sample){0} : middle(path);
    unlink(path);
    rmdir(folder);
    if (rc || !s.good) {
        fprintf(stderr, "%s\n", rc ? err.msg : "a model could not be opened");
        return 1;
    }
    printf("open: median %.2f ms (at most 20), %.1f MiB private (at most 30)\n", s.open_ms,
           (double)s.open_kib / 1024);
    printf("cost: %.2f ms more, %.1f MiB private in all (at most 40)\n", s.cost_ms,
           (double)s.cost_kib / 1024);
    return s.open_ms <= 20 && s.open_kib <= 30 << 10 && s.cost_kib <= 40 << 10 ? 0 : 1;
}
