/* base/ring: order, wrapping, what a full ring does, and when the consumer is woken. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ring.h"

#define RING_BYTES 4096u

static struct ring *made(int wake)
{
    struct fault f = {0};
    struct ring *r = NULL;
    assert_int_equal(ring_new(RING_BYTES, wake, &r, &f), OK);
    return r;
}

static bool put(struct ring *r, uint32_t len, uint8_t fill)
{
    void *at = ring_room(r, len);
    if (!at)
        return false;
    assert_int_equal((uintptr_t)at % 8, 0);
    memset(at, fill, len);
    ring_commit(r, len);
    return true;
}

static void take(struct ring *r, uint32_t want_len, uint8_t want)
{
    uint32_t len = 0;
    const uint8_t *at = ring_take(r, &len);
    assert_non_null(at);
    assert_int_equal(len, want_len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(at[i], want);
    ring_done(r);
}

static void ring__refuses_a_record_over_half_its_size(void **state)
{
    (void)state;
    struct ring *r = made(-1);
    assert_null(ring_room(r, RING_BYTES / 2));
    assert_null(ring_room(r, UINT32_MAX));
    assert_int_equal(ring_dropped(r), 2);
    ring_free(r);
    ring_free(NULL);
}

static void ring__drops_the_newest_when_full_and_counts(void **state)
{
    (void)state;
    struct ring *r = made(-1);
    uint32_t fitted = 0;
    while (put(r, 56, (uint8_t)fitted))
        fitted++;
    assert_int_equal(fitted, RING_BYTES / 64);
    assert_int_equal(ring_dropped(r), 1);
    assert_int_equal(ring_waiting_bytes(r), RING_BYTES);
    assert_false(put(r, 1, 99));
    assert_int_equal(ring_dropped(r), 2);
    take(r, 56, 0);
    assert_true(put(r, 56, 200));
    for (uint32_t i = 1; i < fitted; i++)
        take(r, 56, (uint8_t)i);
    take(r, 56, 200);
    uint32_t len;
    assert_null(ring_take(r, &len));
    ring_free(r);
}

static void ring__forgets_room_that_is_not_committed(void **state)
{
    (void)state;
    struct ring *r = made(-1);
    uint32_t len;
    assert_non_null(ring_room(r, 100));
    assert_null(ring_take(r, &len));
    assert_true(put(r, 8, 3));
    take(r, 8, 3);
    assert_null(ring_take(r, &len));
    ring_free(r);
}

static void ring__keeps_records_of_any_size_whole_across_its_end(void **state)
{
    (void)state;
    struct ring *r = made(-1);
    uint32_t seed = 1, put_next = 0, take_next = 0;
    uint32_t lens[1024];
    for (uint32_t round = 0; round < 20000; round++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t len = (seed >> 16) % 1500;
        if (seed >> 31 && put(r, len, (uint8_t)put_next)) {
            lens[put_next++ % 1024] = len;
        } else if (take_next < put_next) {
            take(r, lens[take_next % 1024], (uint8_t)take_next);
            take_next++;
        }
    }
    assert_true(take_next > 1000);
    ring_free(r);
}

static void ring__publishes_what_was_used_alone(void **state)
{
    (void)state;
    struct ring *r = made(-1);
    for (uint32_t i = 0; i < 500; i++) {
        void *at = ring_room(r, 2000);
        assert_non_null(at);
        memset(at, (int)i, 24);
        ring_commit(r, 24);
        take(r, 24, (uint8_t)i);
    }
    assert_int_equal(ring_dropped(r), 0);
    ring_free(r);
}

static uint64_t wakes(int fd)
{
    uint64_t count = 0;
    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

static void ring__wakes_a_sleeper_once_and_nobody_else(void **state)
{
    (void)state;
    const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct ring *r = made(wake);
    assert_true(put(r, 8, 1));
    assert_int_equal(wakes(wake), 0); /* nobody sleeps */
    assert_true(ring_sleep(r));       /* something is there */
    take(r, 8, 1);
    assert_false(ring_sleep(r));
    assert_true(put(r, 8, 2));
    assert_true(put(r, 8, 3));
    assert_int_equal(wakes(wake), 1);
    take(r, 8, 2);
    take(r, 8, 3);
    ring_free(r);
    (void)close(wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring__refuses_a_record_over_half_its_size),
        cmocka_unit_test(ring__drops_the_newest_when_full_and_counts),
        cmocka_unit_test(ring__forgets_room_that_is_not_committed),
        cmocka_unit_test(ring__keeps_records_of_any_size_whole_across_its_end),
        cmocka_unit_test(ring__publishes_what_was_used_alone),
        cmocka_unit_test(ring__wakes_a_sleeper_once_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
