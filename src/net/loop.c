/* An event loop over libuv. The one complication: libuv closes handles asynchronously, so every
 * embedded object owns its libuv handle on the heap and forgets it when closed; the handle frees
 * itself in its close callback. */
#include "net/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/must.h"
#include "net/loop_uv.h"

struct job {
    struct job *next;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    uv_loop_t uv;
    uv_async_t inbox_wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t spin; /* runs while the owner does not want to sleep */
    pthread_mutex_t lock;
    struct job *first, *last; /* under lock */
    atomic_bool stopping;
    uint64_t turn_ns;
    bool (*before_sleep)(void *arg);
    void (*after_wake)(void *arg);
    void *hook_arg;
};

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}

uint64_t loop_turn_ns(const struct loop *l)
{
    return l->turn_ns;
}

static void inbox_run(uv_async_t *async)
{
    struct loop *l = async->data;
    (void)pthread_mutex_lock(&l->lock);
    struct job *job = l->first;
    l->first = NULL;
    l->last = NULL;
    (void)pthread_mutex_unlock(&l->lock);
    while (job) {
        struct job *next = job->next;
        job->fn(job->arg);
        free(job);
        job = next;
    }
    if (atomic_load(&l->stopping))
        uv_stop(&l->uv);
}

static void spin_turn(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    const bool busy = l->before_sleep && l->before_sleep(l->hook_arg);
    if (busy)
        (void)uv_idle_start(&l->spin, spin_turn);
    else
        (void)uv_idle_stop(&l->spin);
}

static void on_check(uv_check_t *check)
{
    struct loop *l = check->data;
    l->turn_ns = clock_ns();
    if (l->after_wake)
        l->after_wake(l->hook_arg);
}

err loop_new(struct loop **ret_loop, struct fault *f)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l || uv_loop_init(&l->uv) != 0) {
        free(l);
        return fail(f, ERR_UNAVAILABLE, "no event loop: out of memory or descriptors");
    }
    must(pthread_mutex_init(&l->lock, NULL) == 0);
    l->turn_ns = clock_ns();
    if (uv_async_init(&l->uv, &l->inbox_wake, inbox_run) != 0) {
        (void)uv_loop_close(&l->uv);
        free(l);
        return fail(f, ERR_UNAVAILABLE, "no event loop: out of descriptors");
    }
    must(uv_prepare_init(&l->uv, &l->prepare) == 0);
    must(uv_check_init(&l->uv, &l->check) == 0);
    must(uv_idle_init(&l->uv, &l->spin) == 0);
    l->inbox_wake.data = l;
    l->prepare.data = l;
    l->check.data = l;
    must(uv_prepare_start(&l->prepare, on_prepare) == 0);
    must(uv_check_start(&l->check, on_check) == 0);
    *ret_loop = l;
    return OK;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->inbox_wake, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->spin, NULL);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    must(uv_loop_close(&l->uv) == 0);
    while (l->first) {
        struct job *job = l->first;
        l->first = job->next;
        free(job);
    }
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

void loop_run(struct loop *l)
{
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    (void)uv_async_send(&l->inbox_wake);
}

err loop_post(struct loop *l, void (*fn)(void *arg), void *arg, struct fault *f)
{
    struct job *job = malloc(sizeof(*job));
    if (!job)
        return fail(f, ERR_UNAVAILABLE, "no memory for a job");
    *job = (struct job){.fn = fn, .arg = arg};
    (void)pthread_mutex_lock(&l->lock);
    if (l->last)
        l->last->next = job;
    else
        l->first = job;
    l->last = job;
    (void)pthread_mutex_unlock(&l->lock);
    (void)uv_async_send(&l->inbox_wake);
    return OK;
}

void loop_hooks(struct loop *l, bool (*before_sleep)(void *arg), void (*after_wake)(void *arg),
                void *arg)
{
    l->before_sleep = before_sleep;
    l->after_wake = after_wake;
    l->hook_arg = arg;
}

static void handle_free(uv_handle_t *handle)
{
    free(handle);
}

/* Descriptors -----------------------------------------------------------------------------------
 */

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct poll *p = handle->data;
    unsigned ready = 0;
    if (status < 0 || events & (UV_READABLE | UV_DISCONNECT))
        ready |= POLL_READ;
    if (events & UV_WRITABLE)
        ready |= POLL_WRITE;
    p->fn(p->arg, ready);
}

err poll_init(struct poll *p, struct loop *l, int fd, void (*fn)(void *arg, unsigned ready),
              void *arg, struct fault *f)
{
    uv_poll_t *handle = malloc(sizeof(*handle));
    if (!handle)
        return fail(f, ERR_UNAVAILABLE, "no memory to watch a descriptor");
    const int status = uv_poll_init(&l->uv, handle, fd);
    if (status != 0) {
        free(handle);
        return fail(f, ERR_UNAVAILABLE, "cannot watch descriptor %d: %s", fd, uv_strerror(status));
    }
    handle->data = p;
    *p = (struct poll){.impl = handle, .fn = fn, .arg = arg};
    return OK;
}

void poll_want(struct poll *p, unsigned events)
{
    int uv = 0;
    if (events & POLL_READ)
        uv |= UV_READABLE;
    if (events & POLL_WRITE)
        uv |= UV_WRITABLE;
    if (uv)
        must(uv_poll_start(p->impl, uv, on_poll) == 0);
    else
        (void)uv_poll_stop(p->impl);
}

void poll_close(struct poll *p)
{
    if (p->impl) {
        (void)uv_poll_stop(p->impl);
        uv_close(p->impl, handle_free);
    }
    p->impl = NULL;
}

/* Timers ----------------------------------------------------------------------------------------
 */

static void on_timer(void *arg, unsigned ready)
{
    struct timer *t = arg;
    uint64_t count;
    (void)ready;
    if (read(t->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        t->fn(t->arg); /* else it was set anew or cancelled in this turn */
}

err timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg), void *arg, struct fault *f)
{
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return fail(f, ERR_UNAVAILABLE, "no descriptor for a timer");
    const err e = poll_init(&t->poll, l, fd, on_timer, t, f);
    if (e != OK) {
        (void)close(fd);
        return e;
    }
    t->fd = fd;
    t->fn = fn;
    t->arg = arg;
    poll_want(&t->poll, POLL_READ);
    return OK;
}

/* 0 ns disarm a timerfd, so the shortest time is one. */
static void arm(const struct timer *t, uint64_t ns)
{
    const struct itimerspec in = {
        .it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)}};
    must(timerfd_settime(t->fd, 0, &in, NULL) == 0);
}

void timer_set(struct timer *t, uint64_t after_ns)
{
    const uint64_t most = UINT64_MAX / 4; /* 146 years: the kernel's own bound is twice that */
    arm(t, after_ns == 0 ? 1 : after_ns < most ? after_ns : most);
}

void timer_cancel(struct timer *t)
{
    if (t->poll.impl)
        arm(t, 0);
}

void timer_close(struct timer *t)
{
    if (!t->poll.impl)
        return;
    poll_close(&t->poll);
    (void)close(t->fd);
}

/* Signals ---------------------------------------------------------------------------------------
 */

static void on_signal(uv_signal_t *handle, int signal)
{
    struct loop_signal *s = handle->data;
    s->fn(s->arg, signal);
}

err loop_signal_init(struct loop_signal *s, struct loop *l, int signal,
                     void (*fn)(void *arg, int signal), void *arg, struct fault *f)
{
    uv_signal_t *handle = malloc(sizeof(*handle));
    if (!handle)
        return fail(f, ERR_UNAVAILABLE, "no memory to watch a signal");
    must(uv_signal_init(&l->uv, handle) == 0);
    handle->data = s;
    *s = (struct loop_signal){.impl = handle, .fn = fn, .arg = arg};
    const int status = uv_signal_start(handle, on_signal, signal);
    if (status != 0) {
        loop_signal_close(s);
        return fail(f, ERR_UNAVAILABLE, "cannot watch signal %d: %s", signal, uv_strerror(status));
    }
    return OK;
}

void loop_signal_close(struct loop_signal *s)
{
    if (s->impl)
        uv_close(s->impl, handle_free);
    s->impl = NULL;
}
