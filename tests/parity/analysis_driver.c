/* Reads one case a line on stdin and prints the analysis functions' results, one line a case;
 * tests/parity/analysis.py compares them with scipy, statsmodels and enumeration.
 * Arrays are written as their length and their values; an absent result prints as "-". */
#include "jouleline/multiplicity.h"
#include "jouleline/nnls.h"
#include "jouleline/paired.h"
#include "jouleline/repeatability.h"
#include "jouleline/unpaired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 200000 };
static char *cursor;
static double first[MOST], second[MOST];
static uint32_t indices[MOST];

static double number(void)
{
    char *end;
    double v = strtod(cursor, &end);
    if (end == cursor) {
        fprintf(stderr, "analysis_driver: a number is missing at \"%.40s\"\n", cursor);
        exit(1);
    }
    cursor = end;
    return v;
}

static size_t whole(void)
{
    return (size_t)number();
}

static size_t array(double *to)
{
    size_t n = whole();
    if (n > MOST) exit(1);
    for (size_t i = 0; i < n; i++)
        to[i] = number();
    return n;
}

static void print(jl_value v)
{
    if (v.why)
        fputs(" -", stdout);
    else
        printf(" %.17g", v.value);
}

static void print_interval(jl_interval i)
{
    if (i.why)
        printf(" - - %.17g", i.level);
    else
        printf(" %.17g %.17g %.17g", i.low, i.high, i.level);
}

static void signed_rank(jl_error *err)
{
    jl_zeros zeros = (jl_zeros)whole();
    jl_alternative alternative = (jl_alternative)whole();
    double level = number();
    size_t n = array(first);
    jl_signed_rank w;
    jl_shift h;
    if (jl_wilcoxon(first, n, zeros, alternative, &w, err) ||
        jl_hodges_lehmann(first, n, level, &h, err))
        return;
    print(w.p);
    printf(" %.17g %.17g", w.w_plus, w.w_minus);
    print(w.rank_biserial);
    print(h.estimate);
    print_interval(h.interval);
}

static void rank_sum(jl_error *err)
{
    jl_alternative alternative = (jl_alternative)whole();
    double level = number();
    size_t n1 = array(first), n2 = array(second);
    jl_rank_sum r;
    jl_two_sample_shift h;
    if (jl_mann_whitney(first, n1, second, n2, alternative, &r, err) ||
        jl_hodges_lehmann_2(first, n1, second, n2, level, &h, err))
        return;
    print(r.p);
    printf(" %.17g", r.u1);
    print(h.estimate);
    print_interval(h.interval);
}

static void describe(jl_error *err)
{
    double level = number(), q = number();
    size_t n = array(first);
    jl_summary s;
    jl_percentile p;
    if (jl_summarise(first, n, level, &s, err) || jl_percentile_of(first, n, q, level, &p, err))
        return;
    print(s.median);
    print(s.mean);
    print(s.sd);
    print_interval(s.median_interval);
    print(p.value);
    print_interval(p.interval);
}

static void corrections(jl_error *err)
{
    jl_value p[1000], out[1000];
    size_t n = array(first);
    if (n > 1000) exit(1);
    for (size_t i = 0; i < n; i++)
        p[i] = jl_some(first[i]);
    if (jl_holm(p, n, n, out, err)) return;
    for (size_t i = 0; i < n; i++)
        print(out[i]);
    jl_bonferroni(p, n, n, out);
    for (size_t i = 0; i < n; i++)
        print(out[i]);
}

static void tost(jl_error *err)
{
    double low = number(), high = number();
    size_t n = array(first);
    jl_equivalence t, w;
    if (jl_tost_t(first, n, low, high, &t, err) ||
        jl_tost_signed_rank(first, n, low, high, &w, err))
        return;
    print(t.p);
    print(w.p);
}

static void friedman(jl_error *err)
{
    size_t k = whole(), n = array(first) / k;
    double ranks[64];
    jl_value pairs[64 * 64];
    jl_friedman f;
    if (k > 64) exit(1);
    if (jl_friedman_test(first, n, k, 1, ranks, pairs, &f, err)) return;
    print(f.chi2);
    print(f.p_chi2);
    print(f.p_permutation);
    for (size_t i = 0; i < k; i++)
        printf(" %.17g", ranks[i]);
    for (size_t i = 0; i < k * k; i++)
        print(pairs[i]);
}

/* Figures and their standard errors: the variation, the part between runs, the drift. */
static void repeatability(jl_error *err)
{
    jl_repeatability r;
    jl_round_drift d;
    size_t n = array(first);
    if (array(second) != n) exit(1);
    if (jl_repeatability_of(first, second, NULL, n, 0.95, &r, err) ||
        jl_round_drift_of(first, second, n, 0.95, &d, err))
        return;
    print(r.cv);
    print_interval(r.cv_interval);
    print(r.between);
    print_interval(r.between_interval);
    print(r.p_between);
    print(d.change);
    print_interval(d.interval);
}

static void nnls(jl_error *err)
{
    size_t p = whole(), m = array(first) / p;
    double x[JL_NNLS_MAX_COLUMNS], residual, condition;
    if (array(second) != m) exit(1);
    if (jl_nnls(first, second, m, p, x, &residual, err) ||
        jl_condition_number(first, m, p, &condition, err))
        return;
    printf(" %.17g %.17g", residual, condition);
    for (size_t i = 0; i < p; i++)
        printf(" %.17g", x[i]);
}

static void bca(jl_error *err)
{
    jl_statistic statistic = (jl_statistic)whole();
    double level = number();
    size_t n = array(first), count = array(second);
    for (size_t i = 0; i < count; i++)
        indices[i] = (uint32_t)second[i];
    jl_interval r;
    if (jl_bca(first, n, statistic, level, count / n, indices, 0, &r, err)) return;
    print_interval(r);
}

static void max_t(jl_error *err)
{
    jl_max_t_options o = {.alternative = (jl_alternative)whole(), .shift = number()};
    size_t m = whole(), n = array(first) / m;
    jl_value p[1000];
    jl_max_t r;
    if (m > 1000) exit(1);
    if (jl_max_t_test(first, m, n, &o, p, &r, err)) return;
    for (size_t i = 0; i < m; i++)
        print(p[i]);
}

static void wilson(jl_error *err)
{
    (void)err;
    double level = number();
    uint64_t hits = whole(), n = whole();
    jl_value share;
    jl_interval i;
    jl_wilson(hits, n, level, &share, &i);
    print(share);
    print_interval(i);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(jl_error *);
    } commands[] = {{"signed_rank", signed_rank},
                    {"rank_sum", rank_sum},
                    {"describe", describe},
                    {"corrections", corrections},
                    {"tost", tost},
                    {"friedman", friedman},
                    {"repeatability", repeatability},
                    {"nnls", nnls},
                    {"bca", bca},
                    {"max_t", max_t},
                    {"wilson", wilson}};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        size_t word = strcspn(line, " \n");
        jl_error err = {0};
        bool found = false;
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
            if (strlen(commands[i].name) == word && !strncmp(line, commands[i].name, word)) {
                cursor = line + word;
                commands[i].run(&err);
                found = true;
            }
        if (!found || err.code) {
            fprintf(stderr, "analysis_driver: %.*s: %s\n", (int)word, line,
                    found ? err.msg : "unknown command");
            return 1;
        }
        putchar('\n');
    }
    free(line);
    return 0;
}
