#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>

#include "convert/rounding.h"

enum { MOST = 256 };

/* Each layout once: outer, channels, inner, groups, positions. */
static const jl_weight_layout layouts[] = {
    {1, 6, 10, 1, 1}, /* Gemm with transB */
    {10, 6, 1, 1, 1}, /* MatMul */
    {1, 6, 36, 1, 9}, /* a convolution with 4 channels, 3 x 3 */
    {1, 6, 18, 3, 9}, /* the same in 3 groups of 2 channels */
    {1, 6, 9, 6, 9},  /* depthwise */
};

static float weight(size_t i)
{
    return sinf((float)i * 1.3f) * (float)(1 + i % 5);
}

/* The definitions of rounding.h, element by element. */
static void layouts_are_read_as_defined(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++) {
        const jl_weight_layout *w = &layouts[l];
        float x[MOST], steps[8] = {0};
        int8_t rounded[MOST];
        double means[MOST], shift[8], wanted[8] = {0};
        size_t n = w->outer * w->channels * w->inner, in_group = w->inner / w->positions;
        for (size_t i = 0; i < n; i++)
            x[i] = weight(i);
        for (size_t i = 0; i < jl_weight_inputs(w); i++)
            means[i] = (double)i - 2.5;
        assert_int_equal(jl_round_weights(w, x, 127, rounded, steps), 0);
        jl_rounding_shift(w, x, rounded, steps, means, shift);
        for (size_t c = 0; c < w->channels; c++) {
            int largest = 0;
            for (size_t o = 0; o < w->outer; o++)
                for (size_t k = 0; k < w->inner; k++) {
                    size_t at = (o * w->channels + c) * w->inner + k;
                    size_t group = c / (w->channels / w->groups);
                    float lost = x[at] - (float)rounded[at] * steps[c];
                    assert_true(fabsf(lost) <= 0.5001f * steps[c]);
                    largest = abs(rounded[at]) > largest ? abs(rounded[at]) : largest;
                    wanted[c] += (double)lost * means[o + group * in_group + k / w->positions];
                }
            assert_int_equal(largest, 127);
            assert_true(fabs(shift[c] - wanted[c]) < 1e-5);
        }
    }
}

static void steps_have_a_bound_and_weights_are_finite(void **state)
{
    (void)state;
    const jl_weight_layout *w = &layouts[1];
    float x[MOST] = {0}, steps[8] = {0, 2};
    int8_t rounded[MOST];
    x[2] = 4;
    assert_int_equal(jl_round_weights(w, x, 63, rounded, steps), 0);
    assert_true(steps[0] == 1 && steps[1] == 2 && steps[2] == 4.0f / 63);
    assert_int_equal(rounded[2], 63);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        x[59] = bad[i];
        assert_int_equal(jl_round_weights(w, x, 63, rounded, steps), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_read_as_defined),
        cmocka_unit_test(steps_have_a_bound_and_weights_are_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
