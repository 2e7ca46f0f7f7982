/* Backoff with a clock of its own. */
#include "check.h"

#include "base/backoff.h"

#define MS 1000000ull
#define S  1000000000ull

static void backoff__doubles_up_to_thirty_seconds(void **state)
{
    (void)state;
    struct backoff b = {0};
    uint64_t want = 100 * MS;
    for (unsigned i = 0; i < 40; i++) {
        assert_true(backoff_died(&b, i, 200) == (want < 30 * S ? want : 30 * S)); /* no jitter */
        want = want < 30 * S ? 2 * want : want;
    }
}

static void backoff__strays_by_a_fifth_at_most(void **state)
{
    (void)state;
    struct backoff low = {0}, high = {0};
    assert_true(backoff_died(&low, 0, 0) == 80 * MS);
    assert_true(backoff_died(&high, 0, 400) == 120 * MS);
    for (uint32_t chance = 0; chance < 5000; chance += 7) {
        struct backoff b = {.deaths = 5};
        const uint64_t wait = backoff_died(&b, 0, chance);
        assert_true(wait >= 2560 * MS && wait <= 3840 * MS);
    }
}

static void backoff__forgets_after_a_minute_of_health(void **state)
{
    (void)state;
    struct backoff b = {0};
    for (unsigned i = 0; i < 4; i++)
        (void)backoff_died(&b, 0, 200);
    backoff_up(&b, 100 * S);
    assert_true(backoff_died(&b, 160 * S - 1, 200) == 1600 * MS);
    backoff_up(&b, 200 * S);
    assert_true(backoff_died(&b, 260 * S, 200) == 100 * MS);
}

static void backoff__does_not_take_a_wait_for_health(void **state)
{
    (void)state;
    struct backoff b = {0};
    (void)backoff_died(&b, 0, 200);
    assert_true(backoff_died(&b, 1000 * S, 200) == 200 * MS); /* it was never up between */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff__doubles_up_to_thirty_seconds),
        cmocka_unit_test(backoff__strays_by_a_fifth_at_most),
        cmocka_unit_test(backoff__forgets_after_a_minute_of_health),
        cmocka_unit_test(backoff__does_not_take_a_wait_for_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
