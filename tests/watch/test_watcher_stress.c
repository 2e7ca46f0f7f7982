/* watch/watcher with its threads: every event is a line or a drop that is counted; a reader that
 * does not read holds up nobody. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "watch/cell.h"
#include "watch/event.h"
#include "watch/watcher.h"

#define DEADLINE_NS (20 * NS_PER_S)
#define EVENTS      3000u
#define LOOPS       2u

static const struct log_site site = {STR_LIT("1.2.3"), STR_LIT(""), STR_LIT("node-1")};

struct rig {
    struct segment segment;
    struct watcher *watcher;
    int fds[2];
};

static void rig_open(struct rig *r, bool access, uint64_t buffer)
{
    struct fault f = {0};
    int fd = -1;
    assert_int_equal(segment_new(CELL_SHARDS(LOOPS), cell_count(0), &fd, &f), OK);
    assert_int_equal(segment_map(fd, &r->segment, &f), OK);
    (void)close(fd);
    assert_int_equal(pipe2(r->fds, O_CLOEXEC), 0);
    const struct watcher_opts opts = {.site = &site,
                                      .segment = r->segment,
                                      .shard = CELL_SHARD_WATCH_DATA(LOOPS),
                                      .rings = LOOPS,
                                      .event_ring = 1024,
                                      .access = access,
                                      .fd = r->fds[1],
                                      .buffer = buffer};
    assert_int_equal(watcher_start(&opts, &r->watcher, &f), OK);
}

static void rig_close(struct rig *r)
{
    (void)close(r->fds[0]);
    (void)close(r->fds[1]);
    segment_unmap(&r->segment);
}

static void put_event(struct ring *ring, uint32_t number)
{
    struct event *e = ring_room(ring, EVENT_BYTES_MAX);
    if (!e)
        return;
    memset(e, 0, sizeof(*e));
    e->route = ROUTE_infer;
    e->status = 200;
    e->request_bytes = number;
    ring_commit(ring, sizeof(*e));
}

static uint64_t cell(const struct rig *r, uint32_t at)
{
    return segment_sum(&r->segment, at);
}

/* Waits for a cell to reach a value. */
static void wait_for(const struct rig *r, uint32_t at, uint64_t want)
{
    const uint64_t end = clock_ns() + DEADLINE_NS;
    while (cell(r, at) < want) {
        if (clock_ns() > end)
            fail_msg("cell %u is %lu, want %lu", at, (unsigned long)cell(r, at),
                     (unsigned long)want);
        (void)sched_yield();
    }
}

static void watcher__drops_and_counts_where_nobody_reads(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, true, 16384);
    for (uint32_t i = 0; i < EVENTS; i++) {
        put_event(watcher_ring(r.watcher, 0), i);
        if (i % 100 == 99)
            wait_for(&r, FIXED_LOG_RECORDS + LOG_INFO,
                     i + 1 - ring_dropped(watcher_ring(r.watcher, 0)));
    }
    const uint64_t events = ring_dropped(watcher_ring(r.watcher, 0));
    wait_for(&r, FIXED_LOG_RECORDS + LOG_INFO, EVENTS - events);
    assert_true(cell(&r, FIXED_LINES_DROPPED) > 0);
    assert_true(cell(&r, FIXED_LINES_WAITING) > 0);
    assert_int_equal(cell(&r, FIXED_LINES_CAPACITY), 16384 / 256);
    const uint64_t begun = clock_ns();
    watcher_stop(r.watcher); /* waits for a second at most, though nobody reads */
    assert_true(clock_ns() - begun < 10 * NS_PER_S);
    rig_close(&r);
}

static void watcher__makes_no_line_where_none_is_wanted(void **state)
{
    (void)state;
    struct rig r;
    char byte;
    rig_open(&r, false, 0);
    for (uint32_t i = 0; i < 10; i++)
        put_event(watcher_ring(r.watcher, 1), i);
    watcher_stop(r.watcher);
    (void)close(r.fds[1]);
    r.fds[1] = -1;
    assert_int_equal(read(r.fds[0], &byte, 1), 0);
    assert_int_equal(cell(&r, FIXED_LOG_RECORDS + LOG_INFO), 0);
    rig_close(&r);
}

struct reader {
    int fd;
    uint64_t lines;
    uint64_t torn;
};

static void *reads(void *arg)
{
    struct reader *reader = arg;
    FILE *in = fdopen(reader->fd, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, in)) > 0) {
        reader->lines++;
        reader->torn += line[0] != '{' || strcmp(line + len - 2, "}\n") != 0;
    }
    free(line);
    (void)fclose(in);
    return NULL;
}

struct producer {
    struct ring *ring;
};

static void *produces(void *arg)
{
    const struct producer *p = arg;
    for (uint32_t i = 0; i < EVENTS; i++)
        put_event(p->ring, i);
    return NULL;
}

static void watcher__turns_events_of_all_loops_into_lines(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, true, 0);
    struct reader reader = {.fd = r.fds[0]};
    struct producer producers[LOOPS];
    pthread_t threads[LOOPS], reading;
    assert_int_equal(pthread_create(&reading, NULL, reads, &reader), 0);
    for (uint32_t i = 0; i < LOOPS; i++) {
        producers[i].ring = watcher_ring(r.watcher, i);
        assert_int_equal(pthread_create(&threads[i], NULL, produces, &producers[i]), 0);
    }
    for (uint32_t i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    watcher_stop(r.watcher); /* what waits goes out first */
    (void)close(r.fds[1]);
    r.fds[1] = -1;
    assert_int_equal(pthread_join(reading, NULL), 0);
    r.fds[0] = -1;
    const uint64_t dropped = cell(&r, FIXED_EVENTS_DROPPED) + cell(&r, FIXED_LINES_DROPPED);
    assert_int_equal(reader.torn, 0);
    assert_int_equal(reader.lines + dropped, LOOPS * EVENTS);
    assert_int_equal(reader.lines, cell(&r, FIXED_LINES_WRITTEN));
    assert_true(reader.lines >= 1024);
    rig_close(&r);
}

static void watcher__writes_a_lone_event_after_a_quiet_spell(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, true, 0);
    /* Nothing says when the thread sleeps for good, so this test lets 25 turns of 20 ms pass. */
    const struct timespec spell = {.tv_nsec = 700000000};
    (void)nanosleep(&spell, NULL);
    const uint64_t begun = clock_ns();
    put_event(watcher_ring(r.watcher, 1), 5);
    wait_for(&r, FIXED_LINES_WRITTEN, 1);
    assert_true(clock_ns() - begun < 5 * NS_PER_S);
    watcher_stop(r.watcher);
    rig_close(&r);
}

struct gate {
    atomic_uint begun, ran;
    atomic_bool open;
};

static void job(void *arg)
{
    struct gate *g = arg;
    (void)atomic_fetch_add(&g->begun, 1);
    while (!atomic_load(&g->open))
        (void)sched_yield();
    (void)atomic_fetch_add(&g->ran, 1);
}

static void watcher_post__refuses_a_third_job_and_runs_two(void **state)
{
    (void)state;
    struct rig r;
    struct gate g = {0};
    struct fault f = {0};
    rig_open(&r, true, 0);
    assert_int_equal(watcher_post(r.watcher, job, &g, &f), OK);
    while (atomic_load(&g.begun) == 0)
        (void)sched_yield();
    assert_int_equal(watcher_post(r.watcher, job, &g, &f), OK);
    assert_int_equal(watcher_post(r.watcher, job, &g, &f), ERR_BUSY);
    put_event(watcher_ring(r.watcher, 0), 1); /* lines go out while a job runs */
    wait_for(&r, FIXED_LINES_WRITTEN, 1);
    atomic_store(&g.open, true);
    while (atomic_load(&g.ran) < 2)
        (void)sched_yield();
    watcher_stop(r.watcher);
    assert_int_equal(atomic_load(&g.ran), 2);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watcher__drops_and_counts_where_nobody_reads),
        cmocka_unit_test(watcher__makes_no_line_where_none_is_wanted),
        cmocka_unit_test(watcher__turns_events_of_all_loops_into_lines),
        cmocka_unit_test(watcher__writes_a_lone_event_after_a_quiet_spell),
        cmocka_unit_test(watcher_post__refuses_a_third_job_and_runs_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
