/* base/ring between two threads: nothing lost, nothing torn, no wake-up missed. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ring.h"

#define RECORDS     100000u
#define DEADLINE_NS (20 * NS_PER_S)

struct rig {
    struct ring *ring;
    int wake;
    uint64_t put;
};

static uint32_t len_of(uint64_t number)
{
    return 8 + (uint32_t)(number * 2654435761u >> 7) % 300;
}

/* Until the consumer has taken all. A wake-up that was missed shows here, since nobody puts
 * anything that would wake it later. */
static void wait_until_taken(const struct ring *r)
{
    const uint64_t end = clock_ns() + DEADLINE_NS;
    while (ring_waiting_bytes(r) > 0) {
        (void)sched_yield();
        if (clock_ns() < end)
            continue;
        print_error("the consumer sleeps on %lu bytes\n", (unsigned long)ring_waiting_bytes(r));
        abort();
    }
}

/* Bursts with pauses, so that the consumer falls asleep between them. */
static void *produce(void *arg)
{
    struct rig *rig = arg;
    for (uint64_t number = 0; number < RECORDS; number++) {
        const uint32_t len = len_of(number);
        uint8_t *at = ring_room(rig->ring, len);
        while (!at) {
            (void)sched_yield();
            at = ring_room(rig->ring, len);
        }
        memset(at, (int)(number & 0xFF), len);
        memcpy(at, &number, sizeof(number));
        ring_commit(rig->ring, len);
        rig->put++;
        if (number % 64 < 16)
            wait_until_taken(rig->ring);
    }
    return NULL;
}

static void ring__hands_every_record_over_in_order(void **state)
{
    (void)state;
    struct fault f = {0};
    struct rig rig = {.wake = eventfd(0, EFD_CLOEXEC)};
    pthread_t producer;
    uint64_t next = 0;
    assert_int_equal(ring_new(16384, rig.wake, &rig.ring, &f), OK);
    assert_int_equal(pthread_create(&producer, NULL, produce, &rig), 0);
    while (next < RECORDS) {
        uint32_t len;
        const uint8_t *at = ring_take(rig.ring, &len);
        if (!at) {
            uint64_t count;
            if (!ring_sleep(rig.ring))
                assert_int_equal(read(rig.wake, &count, sizeof(count)), sizeof(count));
            continue;
        }
        uint64_t number;
        memcpy(&number, at, sizeof(number));
        assert_int_equal(number, next);
        assert_int_equal(len, len_of(number));
        for (uint32_t i = 8; i < len; i++)
            assert_int_equal(at[i], number & 0xFF);
        ring_done(rig.ring);
        next++;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(rig.put, RECORDS);
    assert_int_equal(ring_waiting_bytes(rig.ring), 0);
    ring_free(rig.ring);
    (void)close(rig.wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ring__hands_every_record_over_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
