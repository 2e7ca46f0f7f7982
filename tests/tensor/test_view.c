/* Tensors as bytes: sizes, records of BYTES, bytes of BOOL. */
#include "check.h"
#include "tensor/view.h"

static err check(enum dtype dtype, int64_t count, const void *at, uint64_t len)
{
    struct fault f = {0};
    const struct view v = {
        .dtype = dtype, .shape = {.dim = {count}, .rank = 1}, .at = at, .len = len};
    const err e = view_check(&v, STR("x"), &f);
    assert_int_equal(f.code, e);
    return e;
}

static void view_check__refuses_sizes_that_are_not_the_shapes(void **state)
{
    (void)state;
    static const uint8_t zeroes[32];
    assert_int_equal(check(DTYPE_FP32, 4, zeroes, 15), ERR_INPUT);
    assert_int_equal(check(DTYPE_FP32, 4, zeroes, 17), ERR_INPUT);
    assert_int_equal(check(DTYPE_FP32, 4, zeroes, 0), ERR_INPUT);
    assert_int_equal(check(DTYPE_FP32, -1, zeroes, 4), ERR_INPUT);
    assert_int_equal(check(DTYPE_NONE, 1, zeroes, 1), ERR_INPUT);
    assert_int_equal(check(DTYPE_FP32, 4, zeroes, 16), OK);
    assert_int_equal(check(DTYPE_FP32, 0, zeroes, 0), OK);
}

static void view_check__refuses_bool_bytes_over_one(void **state)
{
    (void)state;
    assert_int_equal(check(DTYPE_BOOL, 3, "\0\1\2", 3), ERR_INPUT);
    assert_int_equal(check(DTYPE_BOOL, 3, "\xFF\1\1", 3), ERR_INPUT);
    assert_int_equal(check(DTYPE_BOOL, 3, "\0\1\1", 3), OK);
    assert_int_equal(check(DTYPE_UINT8, 3, "\0\1\2", 3), OK);
}

static void view_check__refuses_records_that_do_not_tile(void **state)
{
    (void)state;
    static const char two[] = "\2\0\0\0ab\0\0\0\0";
    assert_int_equal(check(DTYPE_BYTES, 2, two, 10), OK);
    assert_int_equal(check(DTYPE_BYTES, 1, two, 10), ERR_INPUT);
    assert_int_equal(check(DTYPE_BYTES, 3, two, 10), ERR_INPUT);
    for (uint64_t len = 0; len < 10; len++)
        assert_int_equal(check(DTYPE_BYTES, 2, two, len), ERR_INPUT);
    assert_int_equal(check(DTYPE_BYTES, 1,
                           "\xFF\xFF\xFF\xFF"
                           "ab",
                           6),
                     ERR_INPUT);
    assert_int_equal(check(DTYPE_BYTES, 1,
                           "\3\0\0\0"
                           "ab",
                           6),
                     ERR_INPUT);
    assert_int_equal(check(DTYPE_BYTES, 0, "", 0), OK);
}

static void view_record__steps_through_and_stops_at_a_cut_one(void **state)
{
    (void)state;
    str rest = {"\1\0\0\0a\0\0\0\0\2\0\0\0bc\5\0\0\0d", 20};
    str record;
    assert_true(view_record(&rest, &record) && str_eq(record, STR("a")));
    assert_true(view_record(&rest, &record) && record.len == 0);
    assert_true(view_record(&rest, &record) && str_eq(record, STR("bc")));
    assert_false(view_record(&rest, &record));
    assert_true(str_eq(record, STR("bc")));
    assert_int_equal(rest.len, 5);
    char long_one[4 + 258] = "\2\1";
    rest = (str){long_one, sizeof(long_one)}; /* 0x0102, little-endian */
    assert_true(view_record(&rest, &record));
    assert_int_equal(record.len, 258);
    assert_int_equal(rest.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_check__refuses_sizes_that_are_not_the_shapes),
        cmocka_unit_test(view_check__refuses_bool_bytes_over_one),
        cmocka_unit_test(view_check__refuses_records_that_do_not_tile),
        cmocka_unit_test(view_record__steps_through_and_stops_at_a_cut_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
