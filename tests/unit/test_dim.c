#include "model/dim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static jl_dims *d;
static jl_dim n, h;

static jl_dim k(int64_t v)
{
    return jl_dim_k(v);
}

static int set_up(void **state)
{
    (void)state;
    d = jl_dims_new();
    n = jl_dim_symbol(d, JL_STR("N"));
    h = jl_dim_symbol(d, JL_STR("H"));
    return d ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    jl_dims_free(d);
    return 0;
}

static void assert_prints(jl_dim a, const char *text)
{
    jl_buf b = {0};
    jl_dim_print(d, a, &b);
    assert_string_equal(b.p, text);
    jl_buf_free(&b);
}

static void equal_expressions_are_equal_numbers(void **state)
{
    (void)state;
    jl_dim a = jl_dim_mul(d, jl_dim_add(d, n, h), jl_dim_sub(d, n, h));
    jl_dim b = jl_dim_sub(d, jl_dim_mul(d, n, n), jl_dim_mul(d, h, h));
    assert_true(jl_dim_same(a, b));
    assert_true(jl_dim_same(jl_dim_sub(d, a, b), k(0)));
    assert_true(jl_dim_same(jl_dim_symbol(d, JL_STR("N")), n));
    assert_false(jl_dim_same(jl_dim_unknown(d), jl_dim_unknown(d)));
    assert_prints(jl_dim_mul(d, n, k(49)), "N*49");
    jl_dim q;
    assert_true(jl_dim_divide_exactly(d, a, jl_dim_add(d, n, h), &q));
    assert_true(jl_dim_same(q, jl_dim_sub(d, n, h)));
    assert_false(jl_dim_divide_exactly(d, a, k(2), &q));
}

/* Every simplification must keep the value, for all sizes tried. */
static void arithmetic_agrees_with_numbers(void **state)
{
    (void)state;
    jl_dim half = jl_dim_add(d, jl_dim_div(d, jl_dim_sub(d, h, k(1)), k(2)), k(1));
    jl_dim quarter = jl_dim_add(d, jl_dim_div(d, jl_dim_sub(d, half, k(1)), k(2)), k(1));
    jl_dim mixed =
        jl_dim_div(d, jl_dim_add(d, jl_dim_mul(d, n, k(10)), jl_dim_mul(d, h, k(-7))), k(4));
    jl_dim up = jl_dim_ceil(d, jl_dim_mul(d, h, k(3)), k(2));
    jl_dim low = jl_dim_min(d, jl_dim_mul(d, n, k(2)), h), high = jl_dim_max(d, n, h);
    jl_dim by_symbol = jl_dim_div(d, jl_dim_mul(d, h, k(100)), n);
    for (int64_t vn = 1; vn < 20; vn++)
        for (int64_t vh = 1; vh < 40; vh++) {
            int64_t v;
            assert_true(jl_dims_bind(d, JL_STR("N"), vn) && jl_dims_bind(d, JL_STR("H"), vh));
            assert_true(jl_dim_eval(d, half, &v, NULL));
            assert_int_equal(v, (vh + 1) / 2);
            assert_true(jl_dim_eval(d, quarter, &v, NULL));
            assert_int_equal(v, ((vh + 1) / 2 + 1) / 2);
            assert_true(jl_dim_eval(d, mixed, &v, NULL));
            int64_t x = 10 * vn - 7 * vh;
            assert_int_equal(v, x >= 0 ? x / 4 : -((-x + 3) / 4));
            assert_true(jl_dim_eval(d, up, &v, NULL));
            assert_int_equal(v, (3 * vh + 1) / 2);
            assert_true(jl_dim_eval(d, low, &v, NULL));
            assert_int_equal(v, 2 * vn < vh ? 2 * vn : vh);
            assert_true(jl_dim_eval(d, high, &v, NULL));
            assert_int_equal(v, vn > vh ? vn : vh);
            assert_true(jl_dim_eval(d, by_symbol, &v, NULL));
            assert_int_equal(v, 100 * vh / vn);
        }
    assert_prints(half, "floor((H + 1)/(2))");
    assert_true(jl_dim_at_least(d, half, 1));
    assert_false(jl_dim_at_least(d, jl_dim_sub(d, n, h), 0));
    assert_true(jl_dim_same(jl_dim_min(d, k(INT64_MAX), h), h));
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    int64_t v;
    jl_str missing;
    assert_false(jl_dim_eval(d, jl_dim_mul(d, n, k(3)), &v, &missing));
    assert_true(jl_str_is(missing, "N"));
    assert_false(jl_dims_bind(d, JL_STR("absent"), 3));
    jl_dims_bind(d, JL_STR("N"), INT64_MAX / 2);
    assert_false(jl_dim_eval(d, jl_dim_mul(d, n, k(3)), &v, &missing));
    assert_int_equal(missing.n, 0);
    size_t count;
    jl_dims_symbols(d, &count);
    assert_int_equal(count, 2);
}

static void overflow_is_sticky(void **state)
{
    (void)state;
    assert_false(jl_dims_overflowed(d));
    jl_dim_mul(d, k(INT64_MAX), k(2));
    assert_true(jl_dims_overflowed(d));
    jl_dims_clear_overflow(d);
    jl_dim_mul(d, jl_dim_mul(d, n, k(INT64_MAX)), k(2));
    assert_true(jl_dims_overflowed(d));
    jl_dims_clear_overflow(d);
    jl_dim_div(d, n, k(0));
    assert_true(jl_dims_overflowed(d));
}

static void expressions_cannot_grow_without_end(void **state)
{
    (void)state;
    jl_dim a = h;
    for (int i = 0; i < 200; i++) {
        a = jl_dim_add(d, jl_dim_mul(d, jl_dim_min(d, a, jl_dim_add(d, n, k(i))), a), a);
        a = jl_dim_div(d, a, jl_dim_add(d, n, k(1)));
    }
    jl_buf b = {0};
    jl_dim_print(d, a, &b);
    assert_true(b.n < 100000);
    jl_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_expressions_are_equal_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arithmetic_agrees_with_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overflow_is_sticky, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expressions_cannot_grow_without_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
