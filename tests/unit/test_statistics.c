#include "jouleline/multiplicity.h"
#include "jouleline/nnls.h"
#include "jouleline/paired.h"
#include "jouleline/unpaired.h"

#include "analysis/distributions.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%.17g instead of %.17g", found, expected);
}

static void order_statistics_attain_what_the_binomial_gives(void **state)
{
    (void)state;
    double level;
    assert_int_equal(jl_order_rank(10, 0.95, &level), 2);
    assert_near(level, 1 - 2 * 11.0 / 1024);
    assert_int_equal(jl_order_rank(10, 0.89, &level), 3);
    assert_near(level, 1 - 2 * 56.0 / 1024);
    assert_int_equal(jl_order_rank(5, 0.95, &level), 0);
    assert_near(level, 0.9375);
    assert_int_equal(jl_order_rank(0, 0.95, &level), 0);
    assert_int_equal(jl_order_rank(1, 0.95, &level), 0);
    assert_near(level, 0);
    assert_true(jl_order_rank(1000000, 0.95, &level) > 498900 && level >= 0.95);
}

static void a_summary_leaves_out_what_is_missing_and_says_so(void **state)
{
    (void)state;
    double x[] = {3, NAN, 1, INFINITY, 2, -INFINITY, 1e200};
    jl_summary s;
    assert_int_equal(jl_summarise(x, 7, 0.95, &s, NULL), 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.left_out, 4);
    assert_near(s.median.value, 2);
    assert_near(s.sd.value, 1);
    assert_int_equal(s.median_interval.why, JL_TOO_FEW);
    assert_near(s.median_interval.level, 0.75);
    assert_int_equal(jl_summarise(x + 1, 1, 0.95, &s, NULL), 0);
    assert_int_equal(s.median.why, JL_NO_VALUES);
    assert_int_equal(s.sd.why, JL_NO_VALUES);
    assert_int_equal(jl_summarise(x, 1, 0.95, &s, NULL), 0);
    assert_int_equal(s.sd.why, JL_TOO_FEW);
}

static void percentiles_need_their_sample(void **state)
{
    (void)state;
    assert_int_equal(jl_percentile_needs(0.90), 64);
    assert_int_equal(jl_percentile_needs(0.10), 64);
    assert_int_equal(jl_percentile_needs(0.95), 130);
    assert_int_equal(jl_percentile_needs(0.99), 662);
    assert_int_equal(jl_percentile_needs(0.999), 6636);
    double x[200];
    for (int i = 0; i < 200; i++)
        x[i] = i;
    jl_percentile p;
    assert_int_equal(jl_percentile_of(x, 129, 0.95, 0.9, &p, NULL), 0);
    assert_int_equal(p.value.why, JL_TOO_FEW);
    assert_int_equal(p.needed, 130);
    assert_int_equal(jl_percentile_of(x, 130, 0.95, 0.9, &p, NULL), 0);
    assert_near(p.value.value, 0.95 * 129);
    assert_int_equal(jl_percentile_of(x, 130, 1.0, 0.9, &p, NULL), JL_ERR_USAGE);
}

static void batch_medians_widen_with_correlation(void **state)
{
    (void)state;
    double series[4000];
    uint64_t seed = 1;
    double walk = 0;
    for (int i = 0; i < 4000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        double noise = (double)(seed >> 11) * 0x1p-53 - 0.5;
        walk = 0.95 * walk + noise;
        series[i] = noise;
    }
    jl_batch_median white, red;
    assert_int_equal(jl_batch_median_of(series, 4000, 0.95, &white, NULL), 0);
    seed = 1, walk = 0;
    for (int i = 0; i < 4000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        series[i] = walk = 0.95 * walk + ((double)(seed >> 11) * 0x1p-53 - 0.5);
    }
    assert_int_equal(jl_batch_median_of(series, 4000, 0.95, &red, NULL), 0);
    assert_int_equal(white.interval.why, JL_KNOWN);
    assert_true(white.interval.low < white.median && white.median < white.interval.high);
    assert_true(red.interval.high - red.interval.low >
                4 * (white.interval.high - white.interval.low));
    assert_int_equal(jl_batch_median_of(series, 63, 0.95, &red, NULL), 0);
    assert_int_equal(red.interval.why, JL_TOO_FEW);
    assert_int_equal(jl_batch_median_of(series, 0, 0.95, &red, NULL), 0);
    assert_int_equal(red.interval.why, JL_NO_VALUES);
}

static void signed_rank_is_exact_with_ties_and_zeros(void **state)
{
    (void)state;
    double all[10], none[4] = {0}, tied[] = {1, 1, 1, -1, 2}, mixed[] = {0, 0, 1, 2, 3};
    for (int i = 0; i < 10; i++)
        all[i] = i + 1;
    jl_signed_rank w;
    assert_int_equal(jl_wilcoxon(all, 10, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL), 0);
    assert_near(w.p.value, 2.0 / 1024);
    assert_near(w.p_least, 2.0 / 1024);
    assert_near(w.rank_biserial.value, 1);
    assert_false(w.ties);
    assert_int_equal(jl_wilcoxon(none, 4, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL), 0);
    assert_near(w.p.value, 1);
    assert_int_equal(w.zeros, 4);
    assert_int_equal(w.rank_biserial.why, JL_NO_SPREAD);
    /* Ranks 2.5 2.5 2.5 2.5 5; W- = 2.5: 0 or one of the four: (1 + 4) / 32, two sides. */
    assert_int_equal(jl_wilcoxon(tied, 5, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL), 0);
    assert_true(w.ties);
    assert_near(w.p.value, 10.0 / 32);
    assert_int_equal(jl_wilcoxon(mixed, 5, JL_ZEROS_DISCARD, JL_GREATER, &w, NULL), 0);
    assert_near(w.p.value, 1.0 / 8);
    assert_near(w.w_plus, 6);
    assert_int_equal(jl_wilcoxon(mixed, 5, JL_ZEROS_PRATT, JL_GREATER, &w, NULL), 0);
    assert_near(w.w_plus, 12);
    double gone[] = {NAN, INFINITY};
    assert_int_equal(jl_wilcoxon(gone, 2, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL), 0);
    assert_int_equal(w.p.why, JL_NO_PAIRS);
    assert_int_equal(w.left_out, 2);
    double one = 5;
    assert_int_equal(jl_wilcoxon(&one, 1, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL), 0);
    assert_near(w.p.value, 1);
}

static void hodges_lehmann_inverts_the_test(void **state)
{
    (void)state;
    double d[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, same[] = {7, 7, 7, 7, 7, 7};
    jl_shift s;
    assert_int_equal(jl_hodges_lehmann(d, 10, 0.95, &s, NULL), 0);
    assert_near(s.estimate.value, 5.5);
    assert_near(s.interval.level, 1 - 2 * 25.0 / 1024);
    assert_int_equal(jl_hodges_lehmann(d, 5, 0.95, &s, NULL), 0);
    assert_int_equal(s.interval.why, JL_TOO_FEW);
    assert_near(s.interval.level, 0.9375);
    assert_int_equal(jl_hodges_lehmann(same, 6, 0.95, &s, NULL), 0);
    assert_true(s.interval.low == 7 && s.interval.high == 7);
    /* Every point inside the interval is accepted at its level, every point outside is not. */
    assert_int_equal(jl_hodges_lehmann(d, 10, 0.95, &s, NULL), 0);
    for (int side = -1; side <= 1; side += 2) {
        double moved[10], end = side < 0 ? s.interval.low : s.interval.high;
        jl_signed_rank w;
        for (int i = 0; i < 10; i++)
            moved[i] = d[i] - (end + side * 1e-6);
        jl_wilcoxon(moved, 10, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL);
        assert_true(w.p.value <= 1 - s.interval.level + 1e-12);
        for (int i = 0; i < 10; i++)
            moved[i] = d[i] - (end - side * 1e-6);
        jl_wilcoxon(moved, 10, JL_ZEROS_PRATT, JL_TWO_SIDED, &w, NULL);
        assert_true(w.p.value > 1 - s.interval.level);
    }
}

static void large_samples_need_no_list_of_pairs(void **state)
{
    (void)state;
    static double d[20000];
    for (int i = 0; i < 20000; i++)
        d[i] = sin(i) + 0.01;
    jl_shift s;
    assert_int_equal(jl_hodges_lehmann(d, 20000, 0.95, &s, NULL), 0);
    assert_true(fabs(s.estimate.value - 0.01) < 1e-3);
    assert_true(s.interval.low < s.estimate.value && s.estimate.value < s.interval.high);
}

static void equivalence_is_claimed_only_when_tested(void **state)
{
    (void)state;
    double d[] = {0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.01, 0}, flat[] = {0, 0, 0};
    jl_equivalence e;
    assert_int_equal(jl_tost_signed_rank(d, 8, -1, 1, &e, NULL), 0);
    assert_near(e.p.value, 1.0 / 256);
    assert_int_equal(jl_tost_signed_rank(d, 8, 0.05, 1, &e, NULL), 0);
    assert_true(e.p.value > 0.5);
    assert_int_equal(jl_tost_t(flat, 3, -1, 1, &e, NULL), 0);
    assert_int_equal(e.p.why, JL_NO_SPREAD);
    assert_int_equal(jl_tost_t(flat, 1, -1, 1, &e, NULL), 0);
    assert_int_equal(e.p.why, JL_TOO_FEW);
    assert_int_equal(jl_tost_signed_rank(d, 8, 1, -1, &e, NULL), JL_ERR_USAGE);
}

static void max_t_keeps_dependence_and_missing_rounds(void **state)
{
    (void)state;
    double d[3 * 8];
    for (int i = 0; i < 8; i++) {
        d[i] = 1 + 0.1 * (i % 3);
        d[8 + i] = d[i]; /* the same comparison twice costs nothing */
        d[16 + i] = i % 2 ? 0.5 : -0.5;
    }
    jl_value p[3];
    jl_max_t r;
    assert_int_equal(jl_max_t_test(d, 3, 8, NULL, p, &r, NULL), 0);
    assert_true(r.exact);
    assert_near(r.p_least, 1.0 / 128);
    assert_true(p[0].value >= 1.0 / 128 && fabs(p[0].value - p[1].value) < 1e-15);
    assert_near(p[2].value, 1);
    for (int i = 1; i < 8; i++)
        d[16 + i] = NAN;
    assert_int_equal(jl_max_t_test(d, 3, 8, NULL, p, &r, NULL), 0);
    assert_int_equal(p[2].why, JL_TOO_FEW);
    assert_int_equal(r.tested, 2);
    for (int i = 0; i < 24; i++)
        d[i] = NAN;
    assert_int_equal(jl_max_t_test(d, 3, 8, NULL, p, &r, NULL), 0);
    assert_int_equal(p[0].why, JL_NO_PAIRS);
    for (int i = 0; i < 24; i++)
        d[i] = 0;
    assert_int_equal(jl_max_t_test(d, 3, 8, NULL, p, &r, NULL), 0);
    assert_near(p[0].value, 1);
    for (int i = 0; i < 24; i++)
        d[i] = 1e-200; /* squares underflow; still all one sign */
    assert_int_equal(jl_max_t_test(d, 3, 8, NULL, p, &r, NULL), 0);
    assert_near(p[0].value, 1.0 / 128);
}

static void many_rounds_are_drawn_and_repeatable(void **state)
{
    (void)state;
    double d[2 * 70];
    for (int i = 0; i < 140; i++)
        d[i] = sin(i * 1.7) + (i < 70 ? 0.4 : 0);
    jl_value p[2], again[2];
    jl_max_t r;
    jl_max_t_options o = {.draws = 1999, .seed = 5};
    assert_int_equal(jl_max_t_test(d, 2, 70, &o, p, &r, NULL), 0);
    assert_int_equal(jl_max_t_test(d, 2, 70, &o, again, &r, NULL), 0);
    assert_false(r.exact);
    assert_near(r.p_least, 1.0 / 2000);
    assert_true(p[0].value < 0.01 && p[1].value > 0.5);
    assert_true(!(fabs(p[0].value - again[0].value) + fabs(p[1].value - again[1].value) > 0));
}

static void simultaneous_intervals_hold_the_means(void **state)
{
    (void)state;
    double d[2 * 8];
    for (int i = 0; i < 8; i++) {
        d[i] = 0.1 + 0.01 * sin(i * 2.1);
        d[8 + i] = 3;
    }
    jl_interval s[2];
    assert_int_equal(jl_max_t_intervals(d, 2, 8, 0.95, NULL, s, NULL), 0);
    assert_int_equal(s[0].why, JL_KNOWN);
    assert_true(s[0].low < 0.1 && s[0].high > 0.1 && s[0].high < 0.2);
    assert_int_equal(s[1].why, JL_NO_SPREAD);
    assert_int_equal(jl_max_t_intervals(d, 2, 5, 0.95, NULL, s, NULL), 0);
    assert_int_equal(s[0].why, JL_TOO_FEW);
}

static void friedman_ranks_and_its_posthoc(void **state)
{
    (void)state;
    double x[6 * 3], ranks[3];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 3; j++)
            x[i * 3 + j] = 10 * j + i;
    x[3] = NAN;
    jl_value pairs[9];
    jl_friedman f;
    assert_int_equal(jl_friedman_test(x, 6, 3, 1, ranks, pairs, &f, NULL), 0);
    assert_int_equal(f.n, 5);
    assert_int_equal(f.left_out, 1);
    assert_near(f.chi2.value, 10);
    assert_near(ranks[2], 3);
    assert_true(f.p_permutation.value < 0.01);
    assert_true(pairs[2].value < pairs[1].value);
    for (int i = 0; i < 18; i++)
        x[i] = 4;
    assert_int_equal(jl_friedman_test(x, 6, 3, 1, ranks, pairs, &f, NULL), 0);
    assert_int_equal(f.p_chi2.why, JL_NO_SPREAD);
    assert_int_equal(jl_friedman_test(x, 6, 2, 1, NULL, NULL, &f, NULL), JL_ERR_USAGE);
}

static void unpaired_samples_of_unequal_size(void **state)
{
    (void)state;
    double x[] = {5, 6, 7, 8}, y[] = {1, 2, 3, NAN};
    jl_rank_sum r;
    jl_two_sample_shift s;
    assert_int_equal(jl_mann_whitney(x, 4, y, 4, JL_TWO_SIDED, &r, NULL), 0);
    assert_near(r.p.value, 2.0 / 35);
    assert_near(r.u1, 12);
    assert_near(r.rank_biserial.value, 1);
    assert_int_equal(r.left_out, 1);
    assert_int_equal(jl_hodges_lehmann_2(x, 4, y, 4, 0.95, &s, NULL), 0);
    assert_near(s.estimate.value, 4.5);
    assert_int_equal(s.interval.why, JL_TOO_FEW);
    double same[] = {1, 1, 1};
    assert_int_equal(jl_mann_whitney(same, 3, same, 3, JL_TWO_SIDED, &r, NULL), 0);
    assert_near(r.p.value, 1);
    assert_int_equal(jl_mann_whitney(same, 3, y + 3, 1, JL_TWO_SIDED, &r, NULL), 0);
    assert_int_equal(r.p.why, JL_NO_VALUES);
}

static void rounds_needed_match_the_published_list(void **state)
{
    (void)state;
    const size_t pairs[][2] = {{1, 6},    {6, 8},    {25, 10},  {45, 11},
                               {105, 13}, {270, 14}, {540, 15}, {1080, 16}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(jl_rounds_needed(pairs[i][0], 0.05), pairs[i][1]);
        assert_true(jl_family_ceiling(pairs[i][1], 0.05) >= pairs[i][0]);
        assert_true(jl_family_ceiling(pairs[i][1] - 1, 0.05) < pairs[i][0]);
    }
    assert_int_equal(jl_family_ceiling(10, 0.05), 25);
    assert_int_equal(jl_family_ceiling(12, 0.05), 102);
    assert_int_equal(jl_family_ceiling(0, 0.05), 0);
}

static void corrections_count_tests_that_were_not_made(void **state)
{
    (void)state;
    jl_value p[] = {jl_some(0.01), jl_none(JL_NO_PAIRS), jl_some(0.02)}, out[3];
    jl_bonferroni(p, 3, 4, out);
    assert_near(out[0].value, 0.04);
    assert_int_equal(out[1].why, JL_NO_PAIRS);
    assert_int_equal(jl_holm(p, 3, 4, out, NULL), 0);
    assert_near(out[0].value, 0.04);
    assert_near(out[2].value, 0.06);
    assert_int_equal(jl_holm(p, 3, 2, out, NULL), JL_ERR_USAGE);
}

static void nnls_stops_at_zero_and_knows_dependence(void **state)
{
    (void)state;
    double a[] = {1, 1, 1, 2, 1, 3, 1, 4}, b[] = {3, 2, 1, 0}, x[2], condition;
    assert_int_equal(jl_nnls(a, b, 4, 2, x, NULL, NULL), 0);
    assert_near(x[0], 1.5);
    assert_true(x[1] == 0);
    double twice[] = {1, 2, 2, 4, 3, 6};
    assert_int_equal(jl_condition_number(twice, 3, 2, &condition, NULL), 0);
    assert_true(condition == DBL_MAX);
    assert_int_equal(jl_nnls(twice, b, 3, 2, x, NULL, NULL), 0);
    assert_true(isfinite(x[0]) && isfinite(x[1]));
    double zero[] = {1, 0, 1, 0};
    assert_int_equal(jl_nnls(zero, b, 2, 2, x, NULL, NULL), 0);
    assert_near(x[0], 2.5);
    assert_true(x[1] == 0);
    zero[2] = NAN;
    assert_int_equal(jl_nnls(zero, b, 2, 2, x, NULL, NULL), JL_ERR_USAGE);
    assert_int_equal(jl_nnls(a, b, 4, 0, x, NULL, NULL), JL_ERR_USAGE);
}

static void bca_waits_for_thirty_values(void **state)
{
    (void)state;
    double x[40], flat[40];
    for (int i = 0; i < 40; i++) {
        x[i] = exp(sin(i * 3.3));
        flat[i] = 2;
    }
    jl_interval r;
    assert_int_equal(jl_bca(x, 29, JL_MEAN, 0.95, 999, NULL, 1, &r, NULL), 0);
    assert_int_equal(r.why, JL_TOO_FEW);
    assert_int_equal(jl_bca(x, 40, JL_MEAN, 0.95, 999, NULL, 1, &r, NULL), 0);
    assert_int_equal(r.why, JL_KNOWN);
    assert_true(r.low < r.high);
    assert_int_equal(jl_bca(flat, 40, JL_MEDIAN, 0.95, 999, NULL, 1, &r, NULL), 0);
    assert_int_equal(r.why, JL_NO_SPREAD);
}

static void shares_have_wilson_intervals(void **state)
{
    (void)state;
    jl_value share;
    jl_interval i;
    jl_wilson(98, 100, 0.95, &share, &i);
    assert_near(share.value, 0.98);
    assert_true(i.low > 0.92 && i.high < 0.995);
    jl_wilson(5, 5, 0.95, &share, &i);
    assert_true(i.high == 1 && i.low > 0.5);
    jl_wilson(0, 0, 0.95, &share, &i);
    assert_int_equal(share.why, JL_NO_VALUES);
}

static void distributions_invert(void **state)
{
    (void)state;
    for (double p = 1e-12; p < 1; p = p < 0.01 ? p * 7 : p + 0.037)
        assert_true(fabs(jl_normal_cdf(jl_normal_quantile(p)) / p - 1) < 1e-10);
    for (double df = 1; df < 300; df *= 3)
        assert_near(jl_t_tail(jl_t_quantile_upper(0.025, df), df), 0.025);
    assert_near(jl_t_quantile_upper(0.025, 9), 2.2621571628540993);
    assert_near(jl_chi2_tail(3.841458820694124, 1), 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_statistics_attain_what_the_binomial_gives),
        cmocka_unit_test(a_summary_leaves_out_what_is_missing_and_says_so),
        cmocka_unit_test(percentiles_need_their_sample),
        cmocka_unit_test(batch_medians_widen_with_correlation),
        cmocka_unit_test(signed_rank_is_exact_with_ties_and_zeros),
        cmocka_unit_test(hodges_lehmann_inverts_the_test),
        cmocka_unit_test(large_samples_need_no_list_of_pairs),
        cmocka_unit_test(equivalence_is_claimed_only_when_tested),
        cmocka_unit_test(max_t_keeps_dependence_and_missing_rounds),
        cmocka_unit_test(many_rounds_are_drawn_and_repeatable),
        cmocka_unit_test(simultaneous_intervals_hold_the_means),
        cmocka_unit_test(friedman_ranks_and_its_posthoc),
        cmocka_unit_test(unpaired_samples_of_unequal_size),
        cmocka_unit_test(rounds_needed_match_the_published_list),
        cmocka_unit_test(corrections_count_tests_that_were_not_made),
        cmocka_unit_test(nnls_stops_at_zero_and_knows_dependence),
        cmocka_unit_test(bca_waits_for_thirty_values),
        cmocka_unit_test(shares_have_wilson_intervals),
        cmocka_unit_test(distributions_invert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
