/* What the energies of tick intervals show beyond load, trend and the errors of the ticks' times.
 *
 * A sensor that looks only part of the time, or coarsely, adds noise to every tick. It is what is
 * left when the energies are fitted by least squares on: the time during which calls ran, the time
 * during which none did, the calls finished, and a power that approaches its final value
 * exponentially (a card that warms up, a sensor that lags), whose time constant is searched for.
 * Columns that the others make up are left out. The drift over the window is a second fit, with a
 * straight line in place of the exponential. */
#include "meter/window_private.h"

#include <math.h>
#include <stdlib.h>

enum { COLUMNS = 4, CONSTANTS = 20, FREEDOM_MIN = 3 };
/* A column counts when this share of the busy time's norm is its own. */
static const double OWN = 0.01;

/* Orthonormal columns and what they leave of the energies; rows are weighted by 1 / sqrt(ticks). */
typedef struct fit {
    size_t n, columns;
    double *q[COLUMNS]; /* n each */
    double *left;       /* of the energies */
    double *work;
    double unit; /* norm of the busy times */
    double *space;
} fit;

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(double *a, double factor, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] += factor * b[i];
}

static bool fit_start(fit *f, size_t n)
{
    *f = (fit){.n = n, .space = calloc((COLUMNS + 2) * n + 1, sizeof(double))};
    if (!f->space) return false;
    for (size_t i = 0; i < COLUMNS; i++)
        f->q[i] = f->space + i * n;
    f->left = f->space + COLUMNS * n;
    f->work = f->left + n;
    return true;
}

/* Makes f->work orthogonal to the columns; its norm then. */
static double own_part(fit *f)
{
    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < f->columns; i++)
            add(f->work, -dot(f->work, f->q[i], f->n), f->q[i], f->n);
    return sqrt(dot(f->work, f->work, f->n));
}

/* Takes f->work as a column. */
static void take(fit *f)
{
    double norm = own_part(f);
    if (!f->columns) f->unit = norm;
    if (!(norm > OWN * f->unit)) return;
    double *q = f->q[f->columns++];
    for (size_t i = 0; i < f->n; i++)
        q[i] = f->work[i] / norm;
    add(f->left, -dot(f->left, q, f->n), q, f->n);
}

static void set_trend(fit *f, const jl_tick_gap *g, double constant_s)
{
    for (size_t i = 0; i < f->n; i++) {
        double t = g[i].middle_s - g[0].middle_s;
        f->work[i] =
            g[i].busy_s / sqrt(g[i].ticks) * (isinf(constant_s) ? t : exp(-t / constant_s));
    }
}

static void fit_load(fit *f, const jl_tick_gap *g)
{
    double busy_s = 0, items = 0;
    for (size_t i = 0; i < f->n; i++) {
        busy_s += g[i].busy_s;
        items += g[i].items;
        f->left[i] = g[i].energy_j / sqrt(g[i].ticks);
        f->work[i] = g[i].busy_s / sqrt(g[i].ticks);
    }
    take(f);
    for (size_t i = 0; i < f->n; i++)
        f->work[i] = g[i].idle_s / sqrt(g[i].ticks);
    if (f->n > 4) take(f);
    for (size_t i = 0; i < f->n; i++)
        f->work[i] = g[i].items * busy_s / items / sqrt(g[i].ticks);
    if (f->n > 6) take(f);
}

/* The line's slope, as change over the window relative to the mean power, and its error. */
static void drift_of(fit *f, const jl_tick_gap *g, jl_tick_noise *out)
{
    double energy_j = 0, busy_s = 0, span_s = 0;
    if (f->n < f->columns + 1 + FREEDOM_MIN - 1) return;
    for (size_t i = 0; i < f->n; i++) {
        energy_j += g[i].energy_j;
        busy_s += g[i].busy_s;
        span_s += g[i].busy_s + g[i].idle_s;
    }
    set_trend(f, g, INFINITY);
    double own = own_part(f), along = dot(f->left, f->work, f->n);
    if (!(own > 0)) return;
    double left = dot(f->left, f->left, f->n) - along * along / (own * own);
    double unit = span_s * busy_s / energy_j, freedom = (double)(f->n - f->columns - 1);
    out->drift_rel = along / (own * own) * unit;
    out->drift_se_rel = sqrt(fmax(left, 0) / freedom) / own * unit;
}

/* Takes the trend that leaves least; how many coefficients that cost. */
static double fit_trend(fit *f, const jl_tick_gap *g)
{
    size_t spare = f->n - f->columns;
    if (f->n < f->columns + 1 + FREEDOM_MIN) return 0;
    double best_s = INFINITY, most = 0, span_s = g[f->n - 1].middle_s - g[0].middle_s;
    for (int k = 0; k <= CONSTANTS && spare >= 2 + FREEDOM_MIN; k++) {
        double constant_s = k == CONSTANTS ? INFINITY : span_s * 0.1 * pow(1.25, k);
        set_trend(f, g, constant_s);
        double own = own_part(f), along = dot(f->left, f->work, f->n) / own;
        if (!(own > 1e-6 * f->unit) || along * along <= most) continue;
        most = along * along;
        best_s = constant_s;
    }
    set_trend(f, g, best_s);
    double norm = own_part(f);
    if (!(norm > 0)) return 0;
    add(f->left, -dot(f->left, f->work, f->n) / (norm * norm), f->work, f->n);
    return spare >= 2 + FREEDOM_MIN ? 2.5 : 1;
}

/* How much neighbours that resemble each other (or make up for each other) widen (or narrow) the
 * error of a sum, of a first-order autoregression; 1 unless the resemblance is significant. */
static double correlation_factor(const fit *f)
{
    double both = 0, square = dot(f->left, f->left, f->n);
    for (size_t i = 1; i < f->n; i++)
        both += f->left[i] * f->left[i - 1];
    double r = square > 0 ? both / square : 0;
    if (fabs(r) < 2 / sqrt((double)f->n)) return 1;
    r = fmin(fmax(r, -0.6), 0.9);
    return (1 + r) / (1 - r);
}

void jl_tick_noise_of(const jl_tick_gap *g, size_t n, double quantum_j, double mean_w,
                      jl_tick_noise *out)
{
    *out = (jl_tick_noise){.drift_rel = NAN, .drift_se_rel = NAN};
    fit f;
    if (n < 2 || !fit_start(&f, n)) return;
    double energy2 = 0, timing = 0, ticks = 0;
    fit_load(&f, g);
    for (size_t i = 0; i < n; i++) {
        energy2 += g[i].energy_j * g[i].energy_j / g[i].ticks;
        timing += g[i].timing_s2 / g[i].ticks;
        ticks += g[i].ticks;
    }
    drift_of(&f, g, out);
    double used = (double)f.columns + fit_trend(&f, g), count = (double)n;
    out->freedom = count - used;
    if (out->freedom >= FREEDOM_MIN) {
        double variance = dot(f.left, f.left, n) / out->freedom;
        double expected = mean_w * mean_w * timing / count + quantum_j * quantum_j / 6;
        if (variance > 3 * expected + 1e-6 * energy2 / count)
            out->se_j = sqrt((variance - expected) * ticks * correlation_factor(&f));
    }
    free(f.space);
}
