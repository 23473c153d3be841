/* Simulates studies to see what the tests and intervals of src/analysis really deliver:
 * family-wise error of both families, power, and the coverage of every interval.
 * usage: bench_calibration [STUDIES] (10,000); prints a table and exits 1 when a stated bound
 * is missed by more than three standard errors. */
#include "base/rng.h"
#include "jouleline/contrast.h"
#include "jouleline/multiplicity.h"
#include "jouleline/paired.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODELS = 45, CONFIGURATIONS = 4, PAIRS = 6, ROUNDS = 10, FAMILY = MODELS * PAIRS };
static const double PAIRED_SD = 0.014;
static int missed;

static double standard_error(double p, int n)
{
    return sqrt(fmax(p * (1 - p), 1e-12) / n);
}

static void report(const char *what, int hits, int n, const char *bound, bool ok)
{
    double p = (double)hits / n;
    printf("%-62s %.4f +- %.4f  %s%s\n", what, p, standard_error(p, n), bound,
           ok ? "" : "  MISSED");
    missed += !ok;
}

/* At most `limit`, given chance. */
static void at_most(const char *what, int hits, int n, double limit)
{
    char bound[64];
    snprintf(bound, sizeof bound, "at most %g", limit);
    report(what, hits, n, bound, (double)hits / n <= limit + 3 * standard_error(limit, n));
}

static void at_least(const char *what, int hits, int n, double limit)
{
    char bound[64];
    snprintf(bound, sizeof bound, "at least %g", limit);
    report(what, hits, n, bound, (double)hits / n >= limit - 3 * standard_error(limit, n));
}

static void equal_to(const char *what, int hits, int n, double level)
{
    char bound[64];
    snprintf(bound, sizeof bound, "equal to %.4f", level);
    report(what, hits, n, bound, fabs((double)hits / n - level) <= 3 * standard_error(level, n));
}

/* Log ratios of all pairs: every cell has its own noise, so that pairs share theirs; the first
 * configuration of the first `affected` models is faster by `effect`. */
static void simulate(jl_rng *rng, double effect, int affected, double *d)
{
    for (int i = 0; i < ROUNDS; i++)
        for (int model = 0; model < MODELS; model++) {
            double cell[CONFIGURATIONS];
            for (int c = 0; c < CONFIGURATIONS; c++) {
                cell[c] = jl_rng_normal(rng) * PAIRED_SD / sqrt(2);
                if (c == 0 && model < affected) cell[c] -= effect;
            }
            int pair = model * PAIRS;
            for (int a = 0; a < CONFIGURATIONS; a++)
                for (int b = a + 1; b < CONFIGURATIONS; b++)
                    d[pair++ * ROUNDS + i] = cell[b] - cell[a];
        }
}

static void families(int studies)
{
    static double d[FAMILY * ROUNDS];
    static jl_value p[FAMILY], q[FAMILY];
    jl_rng rng = {11};
    jl_max_t t;
    int bonferroni = 0, holm = 0, joint = 0, one_sided = 0, covered = 0, found = 0, power = 0;
    static jl_interval interval[FAMILY];
    jl_max_t_options greater = {.alternative = JL_GREATER};
    for (int s = 0; s < studies; s++) {
        simulate(&rng, 0, 0, d);
        jl_signed_rank w;
        for (int k = 0; k < PAIRS; k++) {
            jl_wilcoxon(d + k * ROUNDS, ROUNDS, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL);
            p[k] = w.p;
        }
        bool any = false;
        jl_bonferroni(p, PAIRS, PAIRS, q);
        for (int k = 0; k < PAIRS; k++)
            any |= q[k].value <= 0.05;
        bonferroni += any;
        any = false;
        jl_holm(p, PAIRS, PAIRS, q, NULL);
        for (int k = 0; k < PAIRS; k++)
            any |= q[k].value <= 0.05;
        holm += any;
        any = false;
        jl_max_t_test(d, FAMILY, ROUNDS, NULL, q, &t, NULL);
        for (int k = 0; k < FAMILY; k++)
            any |= q[k].value <= 0.05;
        joint += any;
        any = false;
        jl_max_t_test(d, FAMILY, ROUNDS, &greater, q, &t, NULL);
        for (int k = 0; k < FAMILY; k++)
            any |= q[k].value <= 0.05;
        one_sided += any;
        any = false;
        jl_max_t_intervals(d, FAMILY, ROUNDS, 0.95, NULL, interval, NULL);
        for (int k = 0; k < FAMILY; k++)
            any |= interval[k].low > 0 || interval[k].high < 0;
        covered += !any;
        simulate(&rng, 0.05, 1, d);
        jl_max_t_test(d, FAMILY, ROUNDS, NULL, q, &t, NULL);
        found += q[0].value <= 0.05;
        jl_wilcoxon(d, ROUNDS, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL);
        power += w.p.value * FAMILY <= 0.05;
    }
    at_most("family of 6, Bonferroni: any false mark", bonferroni, studies, 0.05);
    at_most("family of 6, Holm: any false mark", holm, studies, 0.05);
    at_most("family of 270, max-t, 10 rounds: any false mark", joint, studies, 0.05);
    at_most("family of 270, one-sided max-t: any false mark", one_sided, studies, 0.05);
    at_least("family of 270, max-t: a 5 % effect found (paired SD 1.4 %)", found, studies, 0.95);
    at_most("family of 270, Bonferroni Wilcoxon: the same effect found", power, studies, 0);
    report("family of 270: simultaneous 95 % intervals all hold", covered, studies,
           "approximate, no bound", true);
}

static void intervals(int studies)
{
    static const size_t sizes[] = {6, 8, 10, 15, 25};
    jl_rng rng = {12};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k];
        double x[25];
        int order = 0, shift = 0, exact_order = 0;
        jl_summary s = {0};
        jl_shift h = {0};
        for (int i = 0; i < studies; i++) {
            for (size_t j = 0; j < n; j++)
                x[j] = jl_rng_normal(&rng);
            jl_summarise(x, n, 0.95, &s, NULL);
            jl_hodges_lehmann(x, n, 0.95, &h, NULL);
            order += s.median_interval.low <= 0 && s.median_interval.high >= 0;
            shift += h.interval.low <= 0 && h.interval.high >= 0;
            for (size_t j = 0; j < n; j++)
                x[j] = exp(2 * x[j]) - 1; /* skewed, median 0 */
            jl_summarise(x, n, 0.95, &s, NULL);
            exact_order += s.median_interval.low <= 0 && s.median_interval.high >= 0;
        }
        char what[96];
        snprintf(what, sizeof what, "n = %zu: order-statistic interval, normal", n);
        equal_to(what, order, studies, s.median_interval.level);
        snprintf(what, sizeof what, "n = %zu: order-statistic interval, log-normal", n);
        equal_to(what, exact_order, studies, s.median_interval.level);
        snprintf(what, sizeof what, "n = %zu: Hodges-Lehmann interval", n);
        equal_to(what, shift, studies, h.interval.level);
    }
}

/* Equal configurations: how often the headline calls one the best. */
static void headlines(int studies)
{
    enum { MOST = 4 };
    static const jl_study_model model = {.name = "m", .family = "f"};
    static const jl_study_device device = {.name = "d", .gain_error = NAN};
    static const jl_study_configuration configurations[MOST] = {
        {.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};
    jl_study_cell cells[MOST];
    double values[MOST * ROUNDS];
    jl_rng rng = {15};
    for (size_t k = 2; k <= MOST; k++) {
        int named = 0;
        for (int i = 0; i < studies; i++) {
            for (size_t c = 0; c < k; c++)
                cells[c] =
                    (jl_study_cell){.configuration = (uint32_t)c, .batch = 1, .in_flight = 1};
            for (size_t j = 0; j < k * ROUNDS; j++)
                values[j] = exp(PAIRED_SD * jl_rng_normal(&rng));
            jl_study_table t = {.models = &model,
                                .model_count = 1,
                                .configurations = configurations,
                                .configuration_count = k,
                                .devices = &device,
                                .device_count = 1,
                                .cells = cells,
                                .cell_count = k,
                                .rounds = ROUNDS,
                                .values = {[JL_LATENCY] = values}};
            jl_headline h;
            jl_find_headline(&t, 0, &h, NULL);
            named += !h.p.why && h.p.value <= 0.05;
        }
        char what[96];
        snprintf(what, sizeof what, "headline of %zu equal configurations: one is the best", k);
        at_most(what, named, studies, 0.05);
    }
}

static void batch_means(int studies)
{
    static const double correlations[] = {0, 0.5, 0.9};
    static double series[2000];
    jl_rng rng = {13};
    for (size_t k = 0; k < 3; k++) {
        double r = correlations[k];
        int covered = 0;
        for (int i = 0; i < studies; i++) {
            double v = jl_rng_normal(&rng);
            for (int j = 0; j < 2000; j++) {
                v = r * v + sqrt(1 - r * r) * jl_rng_normal(&rng);
                series[j] = exp(v);
            }
            jl_batch_median b;
            jl_batch_median_of(series, 2000, 0.95, &b, NULL);
            covered += b.interval.low <= 1 && b.interval.high >= 1;
        }
        char what[96];
        snprintf(what, sizeof what, "batch means, 2000 samples, autocorrelation %.1f", r);
        report(what, covered, studies, "nominal 0.95, approximate", covered >= 0.93 * studies);
    }
}

static void bca(int studies)
{
    jl_rng rng = {14};
    int mean = 0, median = 0;
    for (int i = 0; i < studies; i++) {
        double x[30];
        for (int j = 0; j < 30; j++)
            x[j] = exp(0.5 * jl_rng_normal(&rng));
        jl_interval m, d;
        jl_bca(x, 30, JL_MEAN, 0.95, 999, NULL, (uint64_t)i, &m, NULL);
        jl_bca(x, 30, JL_MEDIAN, 0.95, 999, NULL, (uint64_t)i, &d, NULL);
        mean += m.low <= exp(0.125) && m.high >= exp(0.125);
        median += d.low <= 1 && d.high >= 1;
    }
    report("BCa of a mean, n = 30, log-normal", mean, studies, "nominal 0.95, approximate", true);
    report("BCa of a median, n = 30", median, studies, "nominal 0.95, approximate", true);
}

int main(int argc, char **argv)
{
    int studies = argc > 1 ? atoi(argv[1]) : 10000;
    if (studies < 100) {
        fprintf(stderr, "usage: bench_calibration [STUDIES >= 100]\n");
        return 2;
    }
    printf("%d simulated studies a line; share +- standard error\n", studies);
    families(studies);
    intervals(studies);
    headlines(studies);
    batch_means(studies);
    bca(studies / 10);
    return missed ? 1 : 0;
}
