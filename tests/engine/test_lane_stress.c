/* Both ends of a lane as threads of one process over one mapping, so that a race detector relates
 * what they do: random sizes, bursts, answers out of order, both sides asleep on their eventfds,
 * a new front every so often. A wake-up that is lost ends in a deadline; every byte is compared.
 * LANE_EXCHANGES in the environment: how many (default 1,000,000). */
#include "lane_rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/num.h"

#define STRESS_BYTES   (4u << 20)
#define STRESS_SLOTS   32u
#define STRESS_WAIT_MS 60000
#define STRESS_FRONTS  20u

static const struct spec stress_in[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_UINT32, .shape = {.dim = {-1}, .rank = 1}}};
static const struct spec stress_out[] = {
    {.name = STR_LIT("y"), .dtype = DTYPE_UINT32, .shape = {.dim = {-1}, .rank = 1}}};
static const struct signature stress_sig = {
    .inputs = stress_in, .input_count = 1, .outputs = stress_out, .output_count = 1};

struct stress {
    struct lane_end *end;
    int worker_wake, loop_wake;
    _Atomic uint32_t gone; /* generation to be dropped; 0: none */
    _Atomic bool stop;
    uint64_t slept; /* the worker's, read after it ended */
};

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Blocks until fd was written; a minute without is a lost wake-up. */
static void wait_on(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t count;
    must(poll(&p, 1, STRESS_WAIT_MS) == 1);
    must(read(fd, &count, sizeof(count)) == sizeof(count));
}

static void answer(struct lane_job *job)
{
    const struct view *in = &job->inputs[0];
    uint8_t *at = lane_end_output(job, 0, &in->shape, in->len);
    must(at);
    for (uint64_t i = 0; i < in->len; i += 4) {
        uint32_t v;
        memcpy(&v, in->at + i, 4);
        v = ~v;
        memcpy(at + i, &v, 4);
    }
    const struct lane_end_result ok = {.status = LANE_OK, .batch_rows = 1, .batch_requests = 1};
    lane_end_finish(job, &ok);
}

static bool obey(struct stress *s)
{
    const uint32_t gone = atomic_load(&s->gone);
    if (gone == 0 || !lane_end_drop(s->end, gone))
        return false;
    atomic_store(&s->gone, 0);
    lane_wake(s->loop_wake);
    return true;
}

static void *worker(void *arg)
{
    struct stress *s = arg;
    struct lane_job held[STRESS_SLOTS];
    uint32_t count = 0, seed = 77;

    while (!atomic_load(&s->stop)) {
        (void)obey(s);
        while (count < STRESS_SLOTS && lane_end_take(s->end, &held[count], NULL) == OK)
            count++;
        lane_end_beat(s->end);
        if (count > 0) {
            const uint32_t pick = next(&seed) % count; /* any of those that wait */
            answer(&held[pick]);
            held[pick] = held[--count];
            continue;
        }
        if (!lane_ends_sleep(&s->end, 1) && atomic_load(&s->gone) == 0 && !atomic_load(&s->stop)) {
            wait_on(s->worker_wake);
            s->slept++;
        }
        lane_ends_awake(&s->end, 1);
    }
    return NULL;
}

struct front {
    struct lane *lane;
    uint64_t done, slept;
    uint32_t seed;
    uint32_t tag[STRESS_SLOTS]; /* what each slot's request was made of */
    uint32_t count[STRESS_SLOTS];
};

static bool send_one(struct front *f)
{
    const uint32_t pick = next(&f->seed);
    const uint32_t count = pick % 64 == 0 ? next(&f->seed) % 16384 : pick % 200;
    const uint64_t bytes = count * 4ull;
    uint32_t slot;
    const err e = lane_reserve(f->lane, &bytes, bytes, &slot, NULL);
    must(e == OK || e == ERR_BUSY);
    if (e != OK)
        return false;
    uint8_t *at = lane_input_at(f->lane, slot, 0);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t v = pick + i;
        memcpy(at + i * 4ull, &v, 4);
    }
    const struct shape shape = {.dim = {count}, .rank = 1};
    lane_input_set(f->lane, slot, 0, &shape, bytes);
    f->tag[slot] = pick;
    f->count[slot] = count;
    const struct lane_send_opts send = {.outputs = 1, .rows = 1};
    (void)lane_send(f->lane, slot, &send);
    return true;
}

static bool reap_one(struct front *f)
{
    struct lane_done done;
    const err e = lane_reap(f->lane, &done, NULL);
    must(e == OK || e == ERR_NOT_FOUND);
    if (e != OK)
        return false;
    must(done.status == LANE_OK && done.view_count == 1);
    must(done.views[0].len == f->count[done.slot] * 4ull);
    for (uint32_t i = 0; i < f->count[done.slot]; i++) {
        uint32_t v;
        memcpy(&v, done.views[0].at + i * 4ull, 4);
        must(v == ~(f->tag[done.slot] + i));
    }
    lane_release(f->lane, done.slot);
    f->done++;
    return true;
}

/* One front's life: exchanges requests, then dies with some of them in flight. */
static void front_run(struct front *f, struct stress *s, uint64_t exchanges)
{
    const uint64_t until = f->done + exchanges;
    while (f->done < until) {
        const uint32_t burst = next(&f->seed) % 24;
        for (uint32_t i = 0; i < burst; i++) {
            if (!send_one(f))
                break;
        }
        while (reap_one(f))
            ;
        if (lane_free_slots(f->lane) == STRESS_SLOTS)
            continue; /* nothing is out: nobody would wake this thread */
        if (next(&f->seed) % 4 != 0 && !lane_sleep(f->lane)) {
            wait_on(s->loop_wake);
            f->slept++;
        }
        lane_awake(f->lane);
    }
}

/* Asks the worker to forget a dead front, as the keeper would, and waits for its word. The loop's
 * eventfd may also hold wakes of the front's own life. */
static void replace(struct stress *s, uint32_t generation)
{
    atomic_store(&s->gone, generation);
    lane_wake(s->worker_wake);
    while (atomic_load(&s->gone) != 0)
        wait_on(s->loop_wake);
}

static uint64_t exchanges_wanted(void)
{
    uint64_t count = 1000000;
    const char *text = getenv("LANE_EXCHANGES");
    if (text)
        must(num_u64(str_of(text), UINT64_MAX, &count, NULL) == OK && count >= STRESS_FRONTS);
    return count;
}

static void lane__exchanges_without_loss_or_race(void **state)
{
    (void)state;
    const uint64_t wanted = exchanges_wanted();
    struct stress s = {.worker_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                       .loop_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    struct front f = {.seed = 1};
    int memfd;
    void *at;
    pthread_t thread;

    assert_int_equal(memfd_new("lane", STRESS_BYTES, &memfd, NULL), OK);
    assert_int_equal(memfd_map(memfd, STRESS_BYTES, true, &at, NULL), OK);
    assert_int_equal(lane_end_open_at(at, STRESS_BYTES, s.loop_wake, &s.end, NULL), OK);
    lane_end_signature(s.end, &stress_sig);
    assert_int_equal(pthread_create(&thread, NULL, worker, &s), 0);
    for (uint32_t generation = 1; generation <= STRESS_FRONTS; generation++) {
        const struct lane_opts opts = {.bytes = STRESS_BYTES,
                                       .generation = generation,
                                       .worker_wake = s.worker_wake,
                                       .sig = &stress_sig,
                                       .slots = STRESS_SLOTS};
        assert_int_equal(lane_open_at(at, &opts, &f.lane, NULL), OK);
        front_run(&f, &s, wanted / STRESS_FRONTS);
        (void)send_one(&f); /* in flight when the front dies */
        lane_close(f.lane);
        replace(&s, generation);
    }
    atomic_store(&s.stop, true);
    lane_wake(s.worker_wake);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)printf("%llu exchanges, the front slept %llu times, the worker %llu\n",
                 (unsigned long long)f.done, (unsigned long long)f.slept,
                 (unsigned long long)s.slept);
    assert_true(f.slept > 0 && s.slept > 0); /* else the protocol was not tried */
    lane_end_close(s.end);
    memfd_unmap(at, STRESS_BYTES);
    (void)close(memfd);
    (void)close(s.worker_wake);
    (void)close(s.loop_wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane__exchanges_without_loss_or_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
