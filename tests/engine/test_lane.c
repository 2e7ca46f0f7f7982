/* Both ends of a lane on one memfd, single-threaded: what is refused, what is carried, who wakes
 * whom. The lies of a peer are in test_lane_lies. */
#include "lane_rig.h"

static void lane_open__refuses_what_is_not_such_a_memfd(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct lane *lane = NULL;
    struct lane_opts opts = r.opts;

    opts.bytes = RIG_BYTES - 4096;
    assert_int_equal(lane_open(&opts, &lane, NULL), ERR_INPUT);
    opts = r.opts;
    opts.slots = 0;
    assert_int_equal(lane_open(&opts, &lane, NULL), ERR_INPUT);
    opts.slots = LANE_SLOTS_MAX + 1;
    assert_int_equal(lane_open(&opts, &lane, NULL), ERR_INPUT);
    opts = r.opts;
    assert_int_equal(memfd_new("growing", RIG_BYTES, &opts.memfd, NULL), OK);
    assert_int_equal(lane_open(&opts, &lane, NULL), ERR_INPUT); /* not sealed: could be truncated */
    struct lane_end *end = NULL;
    assert_int_equal(lane_end_open(opts.memfd, RIG_BYTES, r.loop_wake, &end, NULL), ERR_INPUT);
    (void)close(opts.memfd);
    assert_int_equal(memfd_new("small", LANE_BYTES_MIN - 1, &opts.memfd, NULL), OK);
    assert_int_equal(memfd_seal_size(opts.memfd, NULL), OK);
    opts.bytes = LANE_BYTES_MIN - 1;
    assert_int_equal(lane_open(&opts, &lane, NULL), ERR_INPUT);
    assert_null(lane);
    assert_null(end);
    (void)close(opts.memfd);
    rig_close(&r);
}

static void lane_reserve__tells_never_from_not_now(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    uint64_t bytes[2] = {UINT64_MAX - 1, UINT64_MAX};
    uint32_t slot = 77;

    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), ERR_TOO_BIG);
    bytes[0] = RIG_BYTES;
    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), ERR_TOO_BIG);
    bytes[0] = 8;
    assert_int_equal(lane_reserve(r.lane, bytes, RIG_BYTES, &slot, NULL), ERR_TOO_BIG);
    assert_int_equal(lane_reserve(r.lane, bytes, UINT64_MAX, &slot, NULL), ERR_TOO_BIG);
    bytes[0] = bytes[1] = LANE_BYTES_MAX; /* the sum, too */
    assert_int_equal(lane_reserve(r.lane, bytes, LANE_BYTES_MAX, &slot, NULL), ERR_TOO_BIG);
    assert_int_equal(slot, 77);
    assert_int_equal(lane_free_slots(r.lane), RIG_SLOTS);

    bytes[0] = 600 << 10;
    bytes[1] = UINT64_MAX;
    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), OK);
    uint32_t second = 77;
    assert_int_equal(lane_reserve(r.lane, bytes, 0, &second, NULL), ERR_BUSY);
    assert_int_equal(second, 77);
    lane_release(r.lane, slot);
    assert_int_equal(lane_reserve(r.lane, bytes, 0, &second, NULL), OK);
    rig_close(&r);
}

static void lane_reserve__is_busy_when_all_slots_are_taken(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint64_t bytes[2] = {8, UINT64_MAX};
    uint32_t slot[RIG_SLOTS + 1];

    for (uint32_t i = 0; i < RIG_SLOTS; i++) {
        assert_int_equal(lane_free_slots(r.lane), RIG_SLOTS - i);
        assert_int_equal(lane_reserve(r.lane, bytes, 64, &slot[i], NULL), OK);
    }
    assert_int_equal(lane_free_slots(r.lane), 0);
    assert_int_equal(lane_reserve(r.lane, bytes, 64, &slot[RIG_SLOTS], NULL), ERR_BUSY);
    lane_release(r.lane, slot[3]);
    assert_int_equal(lane_reserve(r.lane, bytes, 64, &slot[RIG_SLOTS], NULL), OK);
    assert_int_equal(slot[RIG_SLOTS], slot[3]);
    rig_close(&r);
}

static void lane_reserve__takes_the_whole_area(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint64_t head = lane_request_head(2) + lane_reply_head(3) + 3 * 64;
    uint64_t bytes[2] = {RIG_BYTES - LANE_AREA - head + 1, UINT64_MAX};
    uint32_t slot;

    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), ERR_TOO_BIG);
    bytes[0]--;
    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), OK);
    memset(lane_input_at(r.lane, slot, 0), 1, bytes[0]);
    lane_release(r.lane, slot);
    rig_close(&r);
}

static void lane_reap__finds_nothing_in_a_fresh_lane(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct lane_done done = {.slot = 77};
    struct lane_job job = {.slot = 77};
    struct fault f = {0};

    assert_int_equal(lane_reap(r.lane, &done, &f), ERR_NOT_FOUND);
    assert_int_equal(lane_end_take(r.end, &job, &f), ERR_NOT_FOUND);
    assert_int_equal(f.code, OK);
    assert_int_equal(done.slot, 77);
    assert_int_equal(job.slot, 77);
    rig_close(&r);
}

static void lane_end_output__refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint32_t slot = rig_send(&r, 2, RIG_ALL);
    struct lane_job job = rig_take(&r);
    const struct shape shape = {.dim = {2, 2}, .rank = 2};

    assert_null(lane_end_output(&job, 0, &shape, job.reply_bytes + 1));
    assert_null(lane_end_output(&job, 0, &shape, UINT64_MAX));
    uint8_t *at = lane_end_output(&job, 0, &shape, 16);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % 64, 0);
    assert_null(lane_end_output(&job, 1, &shape, job.reply_bytes - 63));
    const struct lane_end_result too_big = {.status = LANE_REPLY_TOO_BIG, .text = "a\nb\x7f\xc3"};
    lane_end_finish(&job, &too_big);
    const struct lane_done done = rig_reap(&r);
    assert_int_equal(done.slot, slot);
    assert_int_equal(done.status, LANE_REPLY_TOO_BIG);
    assert_null(done.views);
    assert_int_equal(done.view_count, 0);
    assert_int_equal(done.batch_rows, 1);
    assert_int_equal(done.batch_requests, 1);
    assert_string_equal(done.text, "a?b??");
    lane_release(r.lane, slot);
    rig_close(&r);
}

static void lane_end_finish__cuts_a_long_text(void **state)
{
    (void)state;
    struct rig r;
    char text[400];
    rig_open(&r);
    (void)rig_send(&r, 1, 1);
    struct lane_job job = rig_take(&r);

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const struct lane_end_result failed = {.status = LANE_ENGINE, .text = text};
    lane_end_finish(&job, &failed);
    const struct lane_done done = rig_reap(&r);
    assert_int_equal(done.status, LANE_ENGINE);
    assert_int_equal(strlen(done.text), 256);
    rig_close(&r);
}

static void lane__carries_a_request_there_and_back(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint32_t slot = rig_fill(&r, 3, 3 * 32);
    const struct lane_send_opts send = {
        .deadline_ns = 123456789, .outputs = RIG_ALL, .rows = 3, .alone = true};
    (void)lane_send(r.lane, slot, &send);

    struct lane_job job = rig_take(&r);
    assert_int_equal(job.slot, slot);
    assert_int_equal(job.generation, 7);
    assert_int_equal(job.deadline_ns, 123456789);
    assert_int_equal(job.outputs, RIG_ALL);
    assert_int_equal(job.rows, 3);
    assert_true(job.alone);
    assert_true(job.reply_bytes >= 3 * 32);
    assert_int_equal(job.inputs[0].dtype, DTYPE_FP32);
    assert_int_equal(job.inputs[0].shape.rank, 2);
    assert_int_equal(job.inputs[0].shape.dim[0], 3);
    assert_int_equal(job.inputs[0].len, 24);
    const float sent[6] = {0, 0.5f, 1, 1.5f, 2, 2.5f};
    assert_memory_equal(job.inputs[0].at, sent, sizeof(sent));
    assert_null(job.inputs[1].at);
    rig_answer(&job);

    const struct lane_done done = rig_reap(&r);
    assert_int_equal(done.slot, slot);
    assert_int_equal(done.status, LANE_OK);
    assert_int_equal(done.view_count, 3);
    assert_int_equal(done.batch_rows, 3);
    assert_memory_equal(done.views[0].at, sent, sizeof(sent));
    assert_int_equal(done.views[1].len, 18);
    assert_memory_equal(done.views[1].at, "\2\0\0\0r0\2\0\0\0r1\2\0\0\0r2", 18);
    assert_memory_equal(done.views[2].at, "\0\1\0", 3);
    assert_string_equal(done.text, "");
    lane_release(r.lane, slot);
    assert_int_equal(lane_free_slots(r.lane), RIG_SLOTS);
    rig_close(&r);
}

static void lane__carries_the_wanted_outputs_and_an_optional_input(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint64_t bytes[2] = {16, 8};
    const struct shape x = {.dim = {2, 2}, .rank = 2}, scalar = {.rank = 0};
    const int64_t scale = -5;
    uint32_t slot;

    assert_int_equal(lane_reserve(r.lane, bytes, 64, &slot, NULL), OK);
    memset(lane_input_at(r.lane, slot, 0), 0, 16);
    memcpy(lane_input_at(r.lane, slot, 1), &scale, 8);
    lane_input_set(r.lane, slot, 0, &x, 16);
    lane_input_set(r.lane, slot, 1, &scalar, 8);
    const struct lane_send_opts send = {.outputs = 5, .rows = 2};
    (void)lane_send(r.lane, slot, &send);
    struct lane_job job = rig_take(&r);
    assert_false(job.alone);
    assert_int_equal(job.inputs[1].len, 8);
    assert_memory_equal(job.inputs[1].at, &scale, 8);
    rig_answer(&job);
    const struct lane_done done = rig_reap(&r);
    assert_int_equal(done.view_count, 2);
    assert_int_equal(done.views[0].dtype, DTYPE_FP32);
    assert_int_equal(done.views[1].dtype, DTYPE_BOOL);
    lane_release(r.lane, slot);
    rig_close(&r);
}

static void lane__carries_empty_tensors(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint64_t bytes[2] = {0, UINT64_MAX};
    const struct shape none = {.dim = {0, 2}, .rank = 2};
    uint32_t slot;

    assert_int_equal(lane_reserve(r.lane, bytes, 0, &slot, NULL), OK);
    assert_non_null(lane_input_at(r.lane, slot, 0));
    lane_input_set(r.lane, slot, 0, &none, 0);
    const struct lane_send_opts send = {.outputs = 1, .rows = 0};
    (void)lane_send(r.lane, slot, &send);
    struct lane_job job = rig_take(&r);
    assert_int_equal(job.rows, 0);
    assert_non_null(job.inputs[0].at);
    assert_non_null(lane_end_output(&job, 0, &none, 0));
    const struct lane_end_result ok = {.status = LANE_OK};
    lane_end_finish(&job, &ok);
    const struct lane_done done = rig_reap(&r);
    assert_int_equal(done.view_count, 1);
    assert_int_equal(done.views[0].len, 0);
    rig_close(&r);
}

/* The rings wrap many times and completions come in another order than submissions. */
static void lane__keeps_order_and_wraps(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);

    for (uint32_t round = 0; round < 2 * LANE_RING / RIG_SLOTS + 3; round++) {
        struct lane_job job[RIG_SLOTS];
        for (uint32_t i = 0; i < RIG_SLOTS; i++)
            (void)rig_send(&r, i + 1, RIG_ALL);
        for (uint32_t i = 0; i < RIG_SLOTS; i++) {
            job[i] = rig_take(&r);
            assert_int_equal(job[i].rows, i + 1);
        }
        for (uint32_t i = RIG_SLOTS; i-- > 0;)
            rig_answer(&job[i]);
        for (uint32_t i = RIG_SLOTS; i-- > 0;) {
            const struct lane_done done = rig_reap(&r);
            assert_int_equal(done.slot, job[i].slot);
            assert_int_equal(done.views[0].shape.dim[0], i + 1);
            lane_release(r.lane, done.slot);
        }
        assert_int_equal(lane_free_slots(r.lane), RIG_SLOTS);
    }
    rig_close(&r);
}

static void lane_cancel__is_seen_by_the_run_and_by_it_alone(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint32_t first = rig_send(&r, 1, 1);
    (void)rig_send(&r, 1, 1);
    struct lane_job a = rig_take(&r), b = rig_take(&r);

    assert_false(lane_end_cancelled(&a));
    lane_cancel(r.lane, first);
    assert_true(lane_end_cancelled(&a));
    assert_false(lane_end_cancelled(&b));
    const struct lane_end_result ended = {.status = LANE_TERMINATED};
    lane_end_finish(&a, &ended);
    assert_int_equal(rig_reap(&r).status, LANE_TERMINATED);
    lane_release(r.lane, first);
    assert_int_equal(rig_send(&r, 1, 1), first);
    a = rig_take(&r);
    assert_false(lane_end_cancelled(&a)); /* the slot's next request is not */
    rig_close(&r);
}

static void lane_sleep__is_woken_once_by_who_publishes(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct lane_end *ends[1] = {r.end};

    (void)rig_send(&r, 1, 1);
    assert_int_equal(rig_wakes(r.worker_wake), 0); /* the worker never slept */
    struct lane_job job = rig_take(&r);
    assert_false(lane_ends_sleep(ends, 1));
    assert_false(lane_sleep(r.lane));
    (void)rig_send(&r, 1, 1);
    (void)rig_send(&r, 1, 1);
    assert_int_equal(rig_wakes(r.worker_wake), 1); /* once a sleep */
    lane_ends_awake(ends, 1);
    rig_answer(&job);
    job = rig_take(&r);
    rig_answer(&job);
    assert_int_equal(rig_wakes(r.loop_wake), 1);
    lane_awake(r.lane);
    (void)rig_reap(&r);
    (void)rig_reap(&r);
    assert_false(lane_sleep(r.lane));
    lane_awake(r.lane);
    job = rig_take(&r);
    rig_answer(&job);
    assert_int_equal(rig_wakes(r.loop_wake), 0); /* awake: no system call */
    rig_close(&r);
}

static void lane_sleep__sees_what_came_before(void **state)
{
    (void)state;
    struct rig r, other;
    rig_open(&r);
    rig_open(&other);
    struct lane_end *ends[2] = {r.end, other.end};

    assert_false(lane_ends_sleep(ends, 2));
    lane_ends_awake(ends, 2);
    (void)rig_send(&other, 1, 1);
    assert_true(lane_ends_sleep(ends, 2));
    lane_ends_awake(ends, 2);
    struct lane_job job = rig_take(&other);
    rig_answer(&job);
    assert_true(lane_sleep(other.lane));
    assert_false(lane_sleep(r.lane));
    rig_close(&other);
    rig_close(&r);
}

static void lane_counters__tell_the_beats(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);

    assert_int_equal(lane_counters(r.lane).beats, 0);
    lane_end_beat(r.end);
    lane_end_beat(r.end);
    assert_int_equal(lane_counters(r.lane).beats, 2);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_open__refuses_what_is_not_such_a_memfd),
        cmocka_unit_test(lane_reserve__tells_never_from_not_now),
        cmocka_unit_test(lane_reserve__is_busy_when_all_slots_are_taken),
        cmocka_unit_test(lane_reserve__takes_the_whole_area),
        cmocka_unit_test(lane_reap__finds_nothing_in_a_fresh_lane),
        cmocka_unit_test(lane_end_output__refuses_what_does_not_fit),
        cmocka_unit_test(lane_end_finish__cuts_a_long_text),
        cmocka_unit_test(lane__carries_a_request_there_and_back),
        cmocka_unit_test(lane__carries_the_wanted_outputs_and_an_optional_input),
        cmocka_unit_test(lane__carries_empty_tensors),
        cmocka_unit_test(lane__keeps_order_and_wraps),
        cmocka_unit_test(lane_cancel__is_seen_by_the_run_and_by_it_alone),
        cmocka_unit_test(lane_sleep__is_woken_once_by_who_publishes),
        cmocka_unit_test(lane_sleep__sees_what_came_before),
        cmocka_unit_test(lane_counters__tell_the_beats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
