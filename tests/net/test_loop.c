/* Loops: timers that are never early, jobs of other threads in order, closing inside callbacks. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "net/loop.h"

#define TIMES 200u
#define JOBS  20000u

struct rig {
    struct loop *loop;
    struct timer timer, deadline;
    struct poll poll;
    uint64_t due_ns;
    uint32_t fired, early;
    uint32_t seen[2]; /* the next job of each thread */
};

static void too_late(void *arg)
{
    (void)arg;
    fail_msg("nothing happens");
}

static struct rig *rig_new(void)
{
    static struct rig r;
    r = (struct rig){0};
    assert_int_equal(loop_new(&r.loop, NULL), OK);
    assert_int_equal(timer_init(&r.deadline, r.loop, too_late, &r, NULL), OK);
    timer_set(&r.deadline, 60 * NS_PER_S);
    return &r;
}

static void rig_end(struct rig *r)
{
    timer_close(&r->deadline);
    loop_free(r->loop);
}

static void set_next(struct rig *r)
{
    const uint64_t after = (r->fired * 37u % 40u) * 100 * NS_PER_US + 70 * NS_PER_US;
    r->due_ns = clock_ns() + after;
    timer_set(&r->timer, after);
}

static void on_time(void *arg)
{
    struct rig *r = arg;
    const uint64_t now = clock_ns();
    r->early += now < r->due_ns;
    if (++r->fired == TIMES)
        loop_stop(r->loop);
    else
        set_next(r);
}

static void timer__is_never_early(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    assert_int_equal(timer_init(&r->timer, r->loop, on_time, r, NULL), OK);
    set_next(r);
    loop_run(r->loop);
    timer_close(&r->timer);
    assert_int_equal(r->fired, TIMES);
    assert_int_equal(r->early, 0);
    rig_end(r);
}

static void stop(void *arg)
{
    struct rig *r = arg;
    loop_stop(r->loop);
}

static void never_fires(void *arg)
{
    (void)arg;
    fail_msg("a cancelled timer fired");
}

static void timer__cancelled_does_not_fire(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct timer other;
    assert_int_equal(timer_init(&r->timer, r->loop, never_fires, r, NULL), OK);
    assert_int_equal(timer_init(&other, r->loop, stop, r, NULL), OK);
    timer_set(&r->timer, NS_PER_MS);
    timer_cancel(&r->timer);
    timer_set(&other, 5 * NS_PER_MS);
    loop_run(r->loop);
    timer_close(&r->timer);
    timer_close(&r->timer); /* again: a no-op */
    timer_close(&other);
    rig_end(r);
}

struct twins {
    struct rig *rig;
    struct timer timers[2];
    uint32_t fired;
};

static void cancels_both(void *arg)
{
    struct twins *p = arg;
    p->fired++;
    timer_cancel(&p->timers[0]);
    timer_cancel(&p->timers[1]);
}

/* Both are due when the loop looks: the first to fire takes the other back in the same turn. */
static void timer__cancelled_when_due_does_not_fire(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct twins p = {.rig = r};
    struct timer end;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(timer_init(&p.timers[i], r->loop, cancels_both, &p, NULL), OK);
        timer_set(&p.timers[i], 0);
    }
    assert_int_equal(timer_init(&end, r->loop, stop, r, NULL), OK);
    timer_set(&end, 5 * NS_PER_MS);
    const uint64_t due = clock_ns() + NS_PER_MS;
    while (clock_ns() < due)
        continue;
    loop_run(r->loop);
    assert_int_equal(p.fired, 1);
    timer_close(&p.timers[0]);
    timer_close(&p.timers[1]);
    timer_close(&end);
    rig_end(r);
}

struct job {
    struct rig *rig;
    uint32_t thread, number;
};

static void on_job(void *arg)
{
    struct job *j = arg;
    struct rig *r = j->rig;
    assert_int_equal(r->seen[j->thread], j->number);
    r->seen[j->thread]++;
    if (r->seen[0] + r->seen[1] == 2 * JOBS)
        loop_stop(r->loop);
}

static struct job jobs[2][JOBS];

static void *post_all(void *arg)
{
    struct job *first = arg;
    for (uint32_t i = 0; i < JOBS; i++)
        must(loop_post(first->rig->loop, on_job, &first[i], NULL) == OK);
    return NULL;
}

static void loop_post__keeps_the_order_of_each_thread(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    pthread_t threads[2];
    for (uint32_t t = 0; t < 2; t++) {
        for (uint32_t i = 0; i < JOBS; i++)
            jobs[t][i] = (struct job){r, t, i};
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, jobs[t]), 0);
    }
    loop_run(r->loop);
    for (uint32_t t = 0; t < 2; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    rig_end(r);
}

static void post_stop(void *arg)
{
    struct rig *r = arg;
    assert_int_equal(loop_post(r->loop, stop, r, NULL), OK); /* a job of a job */
}

static void loop_free__drops_what_was_posted_too_late(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    assert_int_equal(loop_post(r->loop, post_stop, r, NULL), OK);
    loop_run(r->loop);
    assert_int_equal(loop_post(r->loop, too_late, r, NULL), OK);
    timer_close(&r->deadline);
    loop_free(r->loop);
}

static void on_ready(void *arg, unsigned ready)
{
    struct rig *r = arg;
    assert_true(ready & POLL_READ);
    poll_close(&r->poll); /* inside its own callback */
    loop_stop(r->loop);
}

static void poll__tells_of_a_hang_up(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(poll_init(&r->poll, r->loop, ends[0], on_ready, r, NULL), OK);
    poll_want(&r->poll, POLL_READ);
    (void)close(ends[1]);
    loop_run(r->loop);
    (void)close(ends[0]);
    rig_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer__is_never_early),
        cmocka_unit_test(timer__cancelled_does_not_fire),
        cmocka_unit_test(timer__cancelled_when_due_does_not_fire),
        cmocka_unit_test(loop_post__keeps_the_order_of_each_thread),
        cmocka_unit_test(loop_free__drops_what_was_posted_too_late),
        cmocka_unit_test(poll__tells_of_a_hang_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
