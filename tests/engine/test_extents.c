/* The allocator of a lane against a plain map of units. */
#include "check.h"

#include "engine/extents.h"

#include <stdlib.h>
#include <string.h>

static void extents_take__refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct extents *x = extents_new(8, 4);
    uint32_t at = 77;

    assert_false(extents_take(x, 9, &at));
    assert_int_equal(at, 77);
    assert_true(extents_take(x, 8, &at));
    assert_int_equal(at, 0);
    assert_false(extents_take(x, 1, &at));
    assert_int_equal(extents_largest(x), 0);
    extents_give(x, 0, 8);
    extents_free(x);
}

static void extents_take__refuses_more_ranges_than_promised(void **state)
{
    (void)state;
    struct extents *x = extents_new(8, 2);
    uint32_t at;

    assert_true(extents_take(x, 1, &at));
    assert_true(extents_take(x, 1, &at));
    assert_false(extents_take(x, 1, &at));
    extents_free(x);
}

static void extents_take__takes_the_lowest_hole_that_fits(void **state)
{
    (void)state;
    struct extents *x = extents_new(100, 10);
    uint32_t a, b, c, d;

    assert_true(extents_take(x, 10, &a));
    assert_true(extents_take(x, 20, &b));
    assert_true(extents_take(x, 30, &c));
    extents_give(x, a, 10);
    assert_true(extents_take(x, 11, &d));
    assert_int_equal(d, 60);
    assert_true(extents_take(x, 10, &a));
    assert_int_equal(a, 0);
    extents_give(x, c, 30);
    extents_give(x, a, 10);
    extents_give(x, b, 20); /* joins both neighbours */
    assert_int_equal(extents_largest(x), 60);
    extents_give(x, d, 11);
    assert_int_equal(extents_largest(x), 100);
    extents_free(x);
}

/* The lowest place where units fit in the map, or 64. */
static uint32_t lowest(const unsigned char *map, uint32_t units)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i < 64; i++) {
        run = map[i] ? 0 : run + 1;
        if (run == units)
            return i + 1 - units;
    }
    return 64;
}

static void extents__agree_with_a_map_of_units(void **state)
{
    (void)state;
    struct extents *x = extents_new(64, 16);
    unsigned char map[64] = {0};
    struct {
        uint32_t at, units;
    } out[16];
    uint32_t count = 0, seed = 12345;

    for (int step = 0; step < 200000; step++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t pick = seed >> 8;
        if (count > 0 && pick % 2) {
            const uint32_t i = (pick >> 1) % count;
            extents_give(x, out[i].at, out[i].units);
            memset(map + out[i].at, 0, out[i].units);
            out[i] = out[--count];
            continue;
        }
        const uint32_t units = 1 + (pick >> 1) % 12;
        const uint32_t want = lowest(map, units);
        uint32_t at = 99;
        const bool taken = extents_take(x, units, &at);
        assert_int_equal(taken, count < 16 && want < 64);
        if (taken) {
            assert_int_equal(at, want);
            memset(map + at, 1, units);
            out[count].at = at;
            out[count++].units = units;
        }
    }
    extents_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents_take__refuses_what_does_not_fit),
        cmocka_unit_test(extents_take__refuses_more_ranges_than_promised),
        cmocka_unit_test(extents_take__takes_the_lowest_hole_that_fits),
        cmocka_unit_test(extents__agree_with_a_map_of_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
