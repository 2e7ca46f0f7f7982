/* Arenas: the cap, alignment, zeroes, reuse. */
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "base/arena.h"

static bool is_zero(const unsigned char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i])
            return false;
    }
    return true;
}

static void arena__refuses_more_than_its_cap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    assert_null(arena_alloc(&a, 65));
    assert_null(arena_alloc(&a, UINT64_MAX));
    assert_null(arena_array(&a, UINT64_MAX / 2, 3));
    assert_null(arena_array(&a, UINT64_MAX / 16 + 2, 16)); /* wraps to 16 */
    assert_non_null(arena_alloc(&a, 48));
    assert_null(arena_alloc(&a, 17));
    assert_null(arena_str(&a, STR("12345678901234567")).at);
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 1));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 64));
    arena_free(&a);
}

static void arena__gives_zeroed_aligned_memory_that_does_not_overlap(void **state)
{
    (void)state;
    struct arena a;
    unsigned char *parts[200];
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 200; i++) {
            parts[i] = arena_alloc(&a, i * 7 + 1);
            assert_non_null(parts[i]);
            assert_int_equal((uintptr_t)parts[i] % 16, 0);
            assert_true(is_zero(parts[i], i * 7 + 1));
            memset(parts[i], (int)i + 1, i * 7 + 1);
        }
        for (unsigned i = 0; i < 200; i++)
            assert_true(parts[i][0] == i + 1 && parts[i][i * 7] == i + 1);
        arena_reset(&a); /* what was written comes back zeroed */
    }
    arena_free(&a);
}

static void arena__takes_one_larger_than_a_block_and_copies_text(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    unsigned char *big = arena_alloc(&a, 100000);
    assert_non_null(big);
    assert_true(is_zero(big, 100000));
    const char text[] = "hello";
    const str copy = arena_str(&a, str_of(text));
    assert_true(str_eq(copy, STR("hello")) && copy.at != text);
    uint64_t *numbers = arena_new(&a, uint64_t, 10);
    assert_non_null(numbers);
    numbers[9] = 1;
    arena_free(&a);
    arena_free(&a); /* empty already */
    arena_init(&a, 64);
    assert_non_null(arena_alloc(&a, 0));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena__refuses_more_than_its_cap),
        cmocka_unit_test(arena__gives_zeroed_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(arena__takes_one_larger_than_a_block_and_copies_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
