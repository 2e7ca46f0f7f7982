/* An event loop of one thread: descriptors, timers, posted jobs, and hooks around its sleep.
 * Objects that hang on a loop (timer, poll) are embedded in their owner and must be closed on the
 * loop's thread before the loop is freed; closing is done at once, memory may be reused after the
 * call returns only where it says so.
 * thread  all calls on the loop's own thread, but loop_post and loop_stop: any
 * source  libuv design overview */
#ifndef GARRISON_NET_LOOP_H
#define GARRISON_NET_LOOP_H

#include <stdint.h>

#include "base/fault.h"

struct loop;

MUST_USE err loop_new(struct loop **ret_loop, struct fault *f); /* *ret_loop is yours: loop_free */
void loop_free(struct loop *l); /* runs pending closes; NULL is a no-op */

void loop_run(struct loop *l);  /* until loop_stop; returns with handles still open */
void loop_stop(struct loop *l); /* any thread */

/* Monotonic ns at the start of this turn of the loop, and now. */
uint64_t loop_turn_ns(const struct loop *l);

/* Runs fn(arg) on the loop's thread, in order of posting. Any thread; takes the inbox whole.
 * errors  ERR_UNAVAILABLE: no memory for the job */
MUST_USE err loop_post(struct loop *l, void (*fn)(void *arg), void *arg, struct fault *f);

/* Called each turn before the loop may sleep; true keeps it awake for another turn. At most one
 * hook of each kind. wake is called after every return from the wait. */
void loop_hooks(struct loop *l, bool (*before_sleep)(void *arg), void (*after_wake)(void *arg),
                void *arg);

/* Readiness of a descriptor (level triggered), embedded. */
#define POLL_READ  1u
#define POLL_WRITE 2u
struct poll {
    void *impl;
    void (*fn)(void *arg, unsigned ready); /* POLL_READ on hang-up too: the read tells */
    void *arg;
};
MUST_USE err poll_init(struct poll *p, struct loop *l, int fd,
                       void (*fn)(void *arg, unsigned ready), void *arg, struct fault *f);
void poll_want(struct poll *p, unsigned events); /* POLL_READ | POLL_WRITE; 0 stops */
void poll_close(struct poll *p);                 /* memory of p may be reused; the fd stays open */

/* One-shot timer, embedded; zeroed is idle. Never early. It is a descriptor of its own: a wait of
 * the loop then has no timeout, which the kernel would have to arm and take back each time it
 * sleeps. */
struct timer {
    struct poll poll;
    int fd;
    void (*fn)(void *arg);
    void *arg;
};
MUST_USE err timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg), void *arg,
                        struct fault *f);
void timer_set(struct timer *t, uint64_t after_ns); /* starts anew, also when running */
void timer_cancel(struct timer *t);                 /* idle again */
void timer_close(struct timer *t);                  /* memory of t may be reused at once */

/* Signals as loop callbacks (keeper only, in its main thread). */
struct loop_signal {
    void *impl;
    void (*fn)(void *arg, int signal);
    void *arg;
};
MUST_USE err loop_signal_init(struct loop_signal *s, struct loop *l, int signal,
                              void (*fn)(void *arg, int signal), void *arg, struct fault *f);
void loop_signal_close(struct loop_signal *s);

#endif
