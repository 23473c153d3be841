#include "jouleline/repeatability.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/distributions.h"
#include "base/memory.h"

/* The x with P(chi-square > x) = tail. */
static double chi2_upper(double tail, double df)
{
    double low = 0, high = df + 1;
    while (jl_chi2_tail(high, df) > tail)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double mid = 0.5 * (low + high);
        if (jl_chi2_tail(mid, df) > tail)
            low = mid;
        else
            high = mid;
    }
    return 0.5 * (low + high);
}

/* Runs with a figure; those without a stated error do not count when errors are asked for. */
typedef struct runs {
    double *y, *s; /* figures and their standard errors */
    size_t n;
} runs;

/* Cochran's Q with t^2 added to every variance. */
static double cochran_q(const runs *r, double t2)
{
    double weights = 0, mean = 0, q = 0;
    for (size_t i = 0; i < r->n; i++) {
        double w = 1 / (r->s[i] * r->s[i] + t2);
        weights += w;
        mean += w * r->y[i];
    }
    mean /= weights;
    for (size_t i = 0; i < r->n; i++)
        q += (r->y[i] - mean) * (r->y[i] - mean) / (r->s[i] * r->s[i] + t2);
    return q;
}

/* The t with Q(t^2) = target; 0 when Q is below it already. Q falls with t. */
static double t_for_q(const runs *r, double target)
{
    if (cochran_q(r, 0) <= target) return 0;
    double low = 0, high = r->s[0] > 0 ? r->s[0] : 1;
    while (cochran_q(r, high * high) > target)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double mid = 0.5 * (low + high);
        if (cochran_q(r, mid * mid) > target)
            low = mid;
        else
            high = mid;
    }
    return 0.5 * (low + high);
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double sd_of(const double *x, size_t n)
{
    double mean = mean_of(x, n), square = 0;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    return sqrt(square / (double)(n - 1));
}

static void between_runs(const runs *r, double mean, double level, jl_repeatability *out)
{
    double df = (double)r->n - 1, tail = 0.5 * (1 - level), q = cochran_q(r, 0);
    out->p_between = jl_some(jl_chi2_tail(q, df));
    out->between_shown = out->p_between.value < 1 - level;
    out->overstated = out->p_between.value > 1 - tail;
    out->between = jl_some(t_for_q(r, df) / mean);
    out->between_interval = (jl_interval){.low = t_for_q(r, chi2_upper(tail, df)) / mean,
                                          .high = t_for_q(r, chi2_upper(1 - tail, df)) / mean,
                                          .level = level};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts x. */
static double median_of(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_value);
    return 0.5 * (x[n / 2] + x[(n - 1) / 2]);
}

/* Medians over runs: one run that was held up does not stand for all. `space` holds 2 n values. */
static void stated_parts(const double *se, const double *sensor_se, size_t n, double mean,
                         double *space, jl_repeatability *out)
{
    double *sensor = space, *sampling = space + n;
    for (size_t i = 0; i < n; i++) {
        sensor[i] = sensor_se[i];
        sampling[i] = sqrt(fmax(se[i] * se[i] - sensor_se[i] * sensor_se[i], 0));
    }
    out->sensor = jl_some(median_of(sensor, n) / mean);
    out->sampling = jl_some(median_of(sampling, n) / mean);
}

int jl_repeatability_of(const double *y, const double *se, const double *sensor_se, size_t n,
                        double level, jl_repeatability *out, jl_error *err)
{
    const jl_value none = jl_none(JL_TOO_FEW);
    const jl_interval no_interval = {.why = JL_TOO_FEW};
    *out = (jl_repeatability){.mean = none,
                              .cv = none,
                              .cv_interval = no_interval,
                              .sensor = none,
                              .sampling = none,
                              .between = none,
                              .between_interval = no_interval,
                              .p_between = none};
    if (!(level > 0 && level < 1)) return jl_fail(err, JL_ERR_USAGE, "a level must be in (0, 1)");
    JL_OWNED double *space = calloc(5 * n + 1, sizeof *space);
    if (!space) return jl_fail(err, JL_ERR_MEMORY, "no memory for %zu runs", n);
    runs r = {.y = space, .s = space + n};
    double *of_sensor = space + 2 * n;
    bool all_stated = se != NULL, all_parted = sensor_se != NULL;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(y[i])) continue;
        all_stated = all_stated && isfinite(se[i]) && se[i] > 0;
        all_parted = all_parted && isfinite(sensor_se[i]);
        r.s[r.n] = all_stated ? se[i] : 0;
        of_sensor[r.n] = all_parted ? sensor_se[i] : 0;
        r.y[r.n++] = y[i];
    }
    out->n = r.n;
    if (r.n < JL_REPEATABILITY_NEEDS) return 0;
    double mean = mean_of(r.y, r.n), sd = sd_of(r.y, r.n), df = (double)r.n - 1;
    out->mean = jl_some(mean);
    if (!(mean > 0)) return 0;
    out->cv = jl_some(sd / mean);
    double tail = 0.5 * (1 - level);
    out->cv_interval = (jl_interval){.low = out->cv.value * sqrt(df / chi2_upper(tail, df)),
                                     .high = out->cv.value * sqrt(df / chi2_upper(1 - tail, df)),
                                     .level = level};
    if (!all_stated) return 0;
    if (all_parted) stated_parts(r.s, of_sensor, r.n, mean, space + 3 * n, out);
    between_runs(&r, mean, level, out);
    return 0;
}

int jl_round_drift_of(const double *y, const double *se, size_t rounds, double level,
                      jl_round_drift *out, jl_error *err)
{
    const jl_value none = jl_none(JL_NO_VALUES);
    *out = (jl_round_drift){
        .mean = none, .low = none, .high = none, .change = none, .interval = {.why = JL_TOO_FEW}};
    if (!(level > 0 && level < 1)) return jl_fail(err, JL_ERR_USAGE, "a level must be in (0, 1)");
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0, first = 0, last = 0, square = 0;
    double offset = NAN; /* sums of small numbers */
    for (size_t i = 0; i < rounds; i++) {
        if (!isfinite(y[i])) continue;
        if (isnan(offset)) offset = y[i];
        double x = (double)i, d = y[i] - offset;
        if (n < 1) {
            first = x;
            out->low = out->high = jl_some(y[i]);
        }
        last = x;
        out->low.value = fmin(out->low.value, y[i]);
        out->high.value = fmax(out->high.value, y[i]);
        n++;
        sx += x;
        sy += d;
        sxx += x * x;
        sxy += x * d;
        syy += d * d;
        if (se && isfinite(se[i])) square += se[i] * se[i];
    }
    out->n = (size_t)n;
    if (n < 1) return 0;
    out->mean = jl_some(offset + sy / n);
    out->noise = sqrt(square / n);
    out->change = jl_none(JL_TOO_FEW);
    if (n < 2) return 0;
    double vx = sxx - sx * sx / n, slope = (sxy - sx * sy / n) / vx, span = last - first;
    out->change = jl_some(slope * span);
    if (n < 3) return 0;
    double left = fmax(syy - sy * sy / n - slope * slope * vx, 0);
    double half = span * sqrt(left / (n - 2) / vx) * jl_t_quantile_upper(0.5 * (1 - level), n - 2);
    out->interval = (jl_interval){
        .low = out->change.value - half, .high = out->change.value + half, .level = level};
    out->beyond_noise = (out->interval.low > 0 || out->interval.high < 0) &&
                        fabs(out->change.value) > 2 * out->noise;
    return 0;
}

bool jl_indistinct_from_zero(const double *y, const double *se, size_t n)
{
    if (!y || !se) return false;
    JL_OWNED double *x = calloc(n + 1, sizeof *x);
    double square = 0;
    size_t k = 0;
    for (size_t i = 0; x && i < n; i++) {
        if (!isfinite(y[i]) || !isfinite(se[i])) continue;
        x[k++] = y[i];
        square += se[i] * se[i];
    }
    if (!k) return false;
    double error = sqrt(square / (double)k);
    if (k >= JL_REPEATABILITY_NEEDS) error = fmax(error, sd_of(x, k));
    return median_of(x, k) <= 2 * error / sqrt((double)k);
}
