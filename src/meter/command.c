/* An external instrument read by a command of the user's: "command:./wall.sh". Every line it
 * prints is `watts NUMBER` or `joules NUMBER` (joules so far), optionally followed by
 * `at SECONDS` (since the epoch, the instrument's own time; else the time of arrival counts). */
#include "base/process.h"
#include "meter/meters.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t FIRST_LINE_NS = 10 * JL_NS_PER_S;
static const int64_t SILENCE_NS = 20 * JL_NS_PER_S;
enum { RUBBISH_MOST = 3 };

typedef struct command {
    jl_process process;
    int out_fd, stop_fd[2];
    pthread_t thread;
    bool reading;
    jl_meter_domain domain;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    /* under the lock */
    bool has, is_energy, ended;
    double value;
    int64_t t_ns, arrived_ns;
    int rubbish;
    char why[200];
} command;

static void end_with(command *c, const char *why)
{
    if (!c->ended) {
        c->ended = true;
        snprintf(c->why, sizeof c->why, "%s", why);
    }
    pthread_cond_broadcast(&c->arrived);
}

static int64_t realtime_offset_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * JL_NS_PER_S + t.tv_nsec - jl_now_ns();
}

/* `watts 12.5 [at 1700000000.5]`; false when the line is something else. */
static bool parse(const char *line, bool *is_energy, double *value, double *at_s)
{
    const char *p = line + strspn(line, " \t");
    *is_energy = !strncmp(p, "joules ", 7);
    if (!*is_energy && strncmp(p, "watts ", 6)) return false;
    p += *is_energy ? 7 : 6;
    char *end;
    *value = strtod(p, &end);
    if (end == p || !isfinite(*value) || *value < 0) return false;
    p = end + strspn(end, " \t\r");
    *at_s = 0;
    if (!strncmp(p, "at ", 3)) {
        *at_s = strtod(p + 3, &end);
        if (end == p + 3 || !isfinite(*at_s) || *at_s <= 0) return false;
        p = end + strspn(end, " \t\r");
    }
    return !*p;
}

static void take_line(command *c, const char *line)
{
    bool is_energy;
    double value, at_s;
    int64_t now_ns = jl_now_ns();
    pthread_mutex_lock(&c->lock);
    if (!parse(line, &is_energy, &value, &at_s) || (c->has && is_energy != c->is_energy)) {
        char why[200];
        snprintf(why, sizeof why,
                 "the meter command printed '%.60s'; lines are `watts N` or `joules N`, optionally "
                 "`at SECONDS`",
                 line);
        if (++c->rubbish >= RUBBISH_MOST) end_with(c, why);
    } else {
        int64_t t_ns = at_s > 0 ? (int64_t)(at_s * 1e9) - realtime_offset_ns() : now_ns;
        c->rubbish = 0;
        if (c->has && c->is_energy && value < c->value) {
            end_with(c, "the joules of the meter command went backwards");
        } else if (!c->has || t_ns > c->t_ns) {
            c->has = true;
            c->is_energy = is_energy;
            c->value = value;
            c->t_ns = t_ns;
            c->arrived_ns = now_ns;
            pthread_cond_broadcast(&c->arrived);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

static void *read_lines(void *arg)
{
    command *c = arg;
    char line[256];
    size_t n = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = c->out_fd, .events = POLLIN},
                               {.fd = c->stop_fd[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
        if (fds[1].revents) return NULL;
        if (!fds[0].revents) continue;
        ssize_t got = read(c->out_fd, line + n, sizeof line - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        line[n] = 0;
        char *begin = line, *end;
        while ((end = strchr(begin, '\n'))) {
            *end = 0;
            if (*begin) take_line(c, begin);
            begin = end + 1;
        }
        n = strlen(begin);
        memmove(line, begin, n + 1);
        if (n >= sizeof line - 1) { /* no line is that long */
            take_line(c, line);
            n = 0;
        }
    }
    pthread_mutex_lock(&c->lock);
    end_with(c, "the meter command ended");
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void command_close(void *ctx)
{
    command *c = ctx;
    if (!c) return;
    if (c->reading) {
        if (write(c->stop_fd[1], "", 1) == 1) pthread_join(c->thread, NULL);
    }
    jl_process_kill(&c->process);
    const int fds[] = {c->out_fd, c->stop_fd[0], c->stop_fd[1]};
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
    pthread_cond_destroy(&c->arrived);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static int start(command *c, const char *line, jl_error *err)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) || pipe2(c->stop_fd, O_CLOEXEC))
        return jl_fail_errno(err, JL_ERR_IO, "cannot make a pipe for the meter command");
    const char *const argv[] = {"sh", "-c", line, NULL};
    jl_spawn spawn = {.argv = argv, .stdout_fd = out[1]};
    int rc = jl_process_spawn(&spawn, &c->process, err);
    close(out[1]);
    c->out_fd = out[0];
    if (rc) return rc;
    rc = pthread_create(&c->thread, NULL, read_lines, c);
    if (rc) {
        errno = rc;
        return jl_fail_errno(err, JL_ERR, "cannot start a thread for the meter command");
    }
    c->reading = true;
    return 0;
}

/* The first line tells whether the instrument counts energy or shows power. */
static int wait_first(command *c, jl_error *err)
{
    int64_t until_ns = jl_now_ns() + FIRST_LINE_NS;
    struct timespec until = {until_ns / JL_NS_PER_S, until_ns % JL_NS_PER_S};
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->has && !c->ended && !rc)
        rc = pthread_cond_timedwait(&c->arrived, &c->lock, &until);
    if (c->ended)
        rc = jl_fail(err, JL_ERR_MISSING, "%s", c->why);
    else if (rc)
        rc = jl_fail(err, JL_ERR_TIMEOUT, "the meter command printed nothing in %d s",
                     (int)(FIRST_LINE_NS / JL_NS_PER_S));
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static int command_open(const jl_meter_options *options, void **ctx, jl_error *err)
{
    *ctx = NULL;
    if (!options->args || !options->args[0])
        return jl_fail(err, JL_ERR_USAGE, "say which command: command:./wall.sh");
    command *c = calloc(1, sizeof *c);
    if (!c) return jl_fail(err, JL_ERR_MEMORY, "out of memory");
    c->out_fd = c->stop_fd[0] = c->stop_fd[1] = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->arrived, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = start(c, options->args, err);
    if (!rc) rc = wait_first(c, err);
    if (rc) {
        command_close(c);
        return rc;
    }
    c->domain = (jl_meter_domain){.id = "command:wall",
                                  .meter = "command",
                                  .kind = JL_DOMAIN_WALL,
                                  .unit = -1,
                                  .parent = -1,
                                  .has_counter = c->is_energy,
                                  .has_power = !c->is_energy,
                                  .power_average_s = -1,
                                  .tick_s = 1,
                                  .gain_rel = 0.02};
    snprintf(c->domain.label, sizeof c->domain.label, "external meter: %.100s", options->args);
    *ctx = c;
    return 0;
}

static const jl_meter_domain *command_domains(void *ctx, size_t *count)
{
    *count = 1;
    return &((command *)ctx)->domain;
}

static int command_read(void *ctx, size_t domain, uint32_t want, jl_meter_reading *out,
                        jl_error *err)
{
    command *c = ctx;
    (void)domain;
    uint32_t bit = c->domain.has_counter ? JL_READ_ENERGY : JL_READ_POWER;
    if (!(want & bit)) return 0;
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    int64_t silent_ns = jl_now_ns() - c->arrived_ns;
    if (c->ended) {
        rc = jl_fail(err, JL_ERR_MISSING, "%s", c->why);
    } else if (silent_ns > SILENCE_NS) {
        rc = jl_fail(err, JL_ERR_MISSING, "the meter command has printed nothing for %d s",
                     (int)(silent_ns / JL_NS_PER_S));
    } else {
        out->t_before_ns = out->t_after_ns = c->t_ns;
        *(c->domain.has_counter ? &out->energy_j : &out->power_w) = c->value;
        out->valid = bit | JL_READ_STAMPED;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static void command_probe(const jl_meter_options *options, jl_meter_probe *out)
{
    *out = (jl_meter_probe){0};
    out->works = true;
    if (options->args && options->args[0]) {
        jl_error err = {0};
        void *ctx = NULL;
        out->works = !command_open(options, &ctx, &err);
        snprintf(out->what, sizeof out->what, "%.500s",
                 out->works ? "an external meter by a command" : err.msg);
        command_close(ctx);
        return;
    }
    snprintf(out->what, sizeof out->what,
             "an external meter by a command that prints `watts N` or `joules N` lines: "
             "--meter command:./wall.sh");
}

const jl_meter_vtable jl_meter_command = {
    .abi = JL_METER_ABI,
    .name = "command",
    .summary = "an external meter, by a command that prints watts or joules",
    .opt_in = true,
    .probe = command_probe,
    .open = command_open,
    .domains = command_domains,
    .read = command_read,
    .close = command_close,
};
