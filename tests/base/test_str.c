/* Slices: equality, cutting, finding, trimming. */
#include "check.h"
#include "base/str.h"

static void str__refuses_to_equal_other_text(void **state)
{
    (void)state;
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_false(str_eq(STR("ab"), STR("aB")));
    assert_false(str_eq_nocase(STR("ab"), STR("a")));
    assert_false(str_eq_nocase(STR("a@"), STR("a`"))); /* 0x20 apart, but no letters */
    assert_false(str_starts(STR("ab"), STR("abc")));
    assert_false(str_starts(STR("ab"), STR("b")));
}

static void str__equals_the_same_bytes(void **state)
{
    (void)state;
    assert_true(str_eq((str){NULL, 0}, STR("")));
    assert_true(str_eq(STR("a\0b"), (str){"a\0bc", 3}));
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_true(str_eq_nocase((str){NULL, 0}, STR("")));
    assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("a"), (str){NULL, 0}));
    assert_int_equal(str_of("abc").len, 3);
    assert_int_equal(str_of(NULL).len, 0);
}

static void str_cut__stays_inside(void **state)
{
    (void)state;
    const str s = STR("abcdef");
    assert_true(str_eq(str_cut(s, 2, 4), STR("cd")));
    assert_true(str_eq(str_cut(s, 2, 100), STR("cdef")));
    assert_int_equal(str_cut(s, 4, 2).len, 0);
    assert_int_equal(str_cut(s, 100, 200).len, 0);
    assert_int_equal(str_cut((str){NULL, 0}, 1, 2).len, 0);
}

static void str_find__gives_the_first_place_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a,b,c"), ','), 1);
    assert_int_equal(str_find(STR("abc"), ','), 3);
    assert_int_equal(str_find((str){"ab,", 2}, ','), 2);
    assert_int_equal(str_find((str){NULL, 0}, ','), 0);
}

static void str_trim__drops_blanks_and_tabs_alone(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
    assert_true(str_eq(str_trim(STR("\ra\n")), STR("\ra\n")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str__refuses_to_equal_other_text),
        cmocka_unit_test(str__equals_the_same_bytes),
        cmocka_unit_test(str_cut__stays_inside),
        cmocka_unit_test(str_find__gives_the_first_place_or_the_length),
        cmocka_unit_test(str_trim__drops_blanks_and_tabs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
