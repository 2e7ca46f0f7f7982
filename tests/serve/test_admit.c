/* Admission: what must be refused, then what may wait. */
#include "check.h"

#include "base/clock.h"
#include "serve/admit.h"

static struct admit_ask ask_of(uint64_t left_ms, uint32_t waiting)
{
    return (struct admit_ask){
        .left_ns = left_ms * NS_PER_MS, .waiting = waiting, .queue_max = 100, .instances = 1};
}

static void admit_decide__refuses_a_full_queue(void **state)
{
    (void)state;
    struct admit a;
    struct fault f = {0};
    uint32_t retry = 0;
    admit_init(&a, 0);
    struct admit_ask ask = ask_of(30000, 100);

    assert_int_equal(admit_decide(&a, &ask, &retry, &f), ERR_BUSY);
    assert_int_equal(f.pair, PAIR_REJECTED_QUEUE_FULL);
    assert_string_equal(f.text, "Exceeds maximum queue size");
    assert_in_range(retry, 1, 30);
    ask.waiting = 99;
    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), OK);
}

/* Runs of 10 ms and a deadline of 100 ms: half of it may wait in front, ceil(50 / 10) = 5. */
static void admit_decide__bounds_the_queue_by_the_deadline(void **state)
{
    (void)state;
    struct admit a;
    struct fault f = {0};
    uint32_t retry = 0;
    admit_init(&a, 10 * NS_PER_MS);
    struct admit_ask ask = ask_of(100, 5);

    assert_int_equal(admit_decide(&a, &ask, &retry, &f), ERR_BUSY);
    assert_int_equal(f.pair, PAIR_REJECTED_QUEUE_FULL);
    ask.waiting = 4;
    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), OK);
}

static void admit_decide__refuses_what_cannot_finish(void **state)
{
    (void)state;
    struct admit a;
    struct fault f = {0};
    uint32_t retry = 0;
    admit_init(&a, 50 * NS_PER_MS);
    struct admit_ask ask = ask_of(60, 0); /* one turn of 50 ms and its p99 do not fit */

    assert_int_equal(admit_decide(&a, &ask, &retry, &f), ERR_BUSY);
    assert_int_equal(f.pair, PAIR_REJECTED_CANNOT_FINISH);
    ask.left_ns = 200 * NS_PER_MS;
    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), OK);
}

static void admit_decide__passes_while_nothing_is_known(void **state)
{
    (void)state;
    struct admit a;
    uint32_t retry = 0;
    admit_init(&a, 0);
    const struct admit_ask ask = ask_of(1, 0);

    for (uint32_t i = 0; i < ADMIT_RUNS_KNOWN; i++) {
        assert_int_equal(admit_decide(&a, &ask, &retry, NULL), OK);
        admit_ran(&a, 500 * NS_PER_MS, 1);
    }
    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), ERR_BUSY);
}

static void admit_ran__learns_runs_batches_and_the_tail(void **state)
{
    (void)state;
    struct admit a;
    admit_init(&a, NS_PER_MS);
    for (uint32_t i = 0; i < 2000; i++)
        admit_ran(&a, (i % 50 == 0 ? 20 : 4) * NS_PER_MS, 8);

    assert_in_range((uint64_t)a.run_ns, 3 * NS_PER_MS, 10 * NS_PER_MS);
    assert_in_range((uint64_t)(a.requests * 100), 790, 801);
    assert_in_range((uint64_t)a.run99_ns, 20 * NS_PER_MS, 26 * NS_PER_MS); /* within a bucket */
}

static void admit_decide__counts_batches_and_instances(void **state)
{
    (void)state;
    struct admit a;
    uint32_t retry = 0;
    admit_init(&a, 10 * NS_PER_MS);
    for (uint32_t i = 0; i < 200; i++)
        admit_ran(&a, 10 * NS_PER_MS, 4);
    struct admit_ask ask = ask_of(100, 19);
    ask.instances = 2; /* 5 turns x 2 x 4 may wait, and (19 + 1) / 4 turns of 5 ms pass */

    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), OK);
    ask.waiting = 41;
    assert_int_equal(admit_decide(&a, &ask, &retry, NULL), ERR_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admit_decide__refuses_a_full_queue),
        cmocka_unit_test(admit_decide__bounds_the_queue_by_the_deadline),
        cmocka_unit_test(admit_decide__refuses_what_cannot_finish),
        cmocka_unit_test(admit_decide__passes_while_nothing_is_known),
        cmocka_unit_test(admit_ran__learns_runs_batches_and_the_tail),
        cmocka_unit_test(admit_decide__counts_batches_and_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
