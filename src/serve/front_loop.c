/* The hooks of a loop: reap before it sleeps and after it wakes, sweep four times a second, answer
 * what is late on time. */
#include "serve/front_loop.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/response.h"
#include "serve/account.h"
#include "serve/front.h"
#include "serve/http.h"

#define SWEEP_NS (250 * NS_PER_MS)

/* Backends in use -------------------------------------------------------------------------------
 */

void front_loop_active(struct front_loop *l, struct backend *b)
{
    if (b->active)
        return;
    b->active = true;
    b->next_active = l->active;
    l->active = b;
}

void front_loop_inactive(struct front_loop *l, struct backend *b)
{
    if (!b->active)
        return;
    struct backend **at = &l->active;
    while (*at != b)
        at = &(*at)->next_active;
    *at = b->next_active;
    b->active = false;
}

/* Takes what has come back on every lane in use. A reap may end or begin the use of any lane, so
 * the list is walked by a snapshot of each next pointer after it is known to stand. */
static void reap_all(struct front_loop *l)
{
    for (struct backend *b = l->active; b;) {
        struct backend *next = b->next_active;
        if (next)
            next->refs++;
        backend_reap(b);
        b = next;
        if (!next)
            continue;
        if (!next->active || next->refs == 1)
            b = NULL; /* left the list, or ends here: the rest is seen at the next turn */
        backend_release(next);
    }
}

void front_loop_kick(struct front_loop *l)
{
    for (struct backend *b = l->active; b; b = b->next_active)
        backend_kick(b);
}

static bool before_sleep(void *arg)
{
    struct front_loop *l = arg;
    bool busy = false;
    front_loop_kick(l);
    for (struct backend *b = l->active; b; b = b->next_active) {
        if (b->hold && lane_sleep(b->hold->lane))
            busy = true;
    }
    return busy;
}

static void after_wake(void *arg)
{
    struct front_loop *l = arg;
    (void)atomic_fetch_or_explicit(&l->front->turned, 1ull << l->index, memory_order_relaxed);
    for (struct backend *b = l->active; b; b = b->next_active) {
        if (b->hold)
            lane_awake(b->hold->lane);
    }
    reap_all(l);
}

static void on_wake(void *arg, unsigned ready)
{
    struct front_loop *l = arg;
    uint64_t count;
    (void)ready;
    const ssize_t n = read(l->wake_fd, &count, sizeof(count)); /* what came is reaped after_wake */
    (void)n;
}

/* Offers ----------------------------------------------------------------------------------------
 */

struct lane_offer *front_loop_offer(struct front_loop *l, uint32_t worker)
{
    struct lane_offer *o = l->offers;
    while (o && o->worker != worker)
        o = o->next;
    return o;
}

void front_loop_offer_drop(struct front_loop *l, struct lane_offer *offer)
{
    struct lane_offer **at = &l->offers;
    while (*at != offer)
        at = &(*at)->next;
    *at = offer->next;
    (void)close(offer->memfd);
    if (offer->wake >= 0)
        (void)close(offer->wake);
    free(offer);
}

void front_loop_lane_lost(struct front_loop *l, uint32_t worker, uint32_t generation)
{
    struct lane_offer *offer = front_loop_offer(l, worker);
    if (offer && offer->generation == generation)
        front_loop_offer_drop(l, offer);
    struct routing *r = l->routing ? routing_take(l->routing) : NULL;
    for (uint32_t i = 0; r && i < r->backend_count; i++)
        backend_lane_lost(r->backends[i], worker, generation);
    routing_drop(r);
}

/* Deadlines -------------------------------------------------------------------------------------
 */

void front_loop_deadline(struct front_loop *l, uint64_t deadline_ns)
{
    if (l->deadline_ns != 0 && l->deadline_ns <= deadline_ns)
        return;
    const uint64_t now = clock_ns();
    l->deadline_ns = deadline_ns;
    timer_set(&l->deadline, deadline_ns > now ? deadline_ns - now : 0);
}

static void on_deadline(void *arg)
{
    struct front_loop *l = arg;
    const uint64_t now = clock_ns();
    uint64_t next = 0;
    l->deadline_ns = 0;
    for (struct http *h = l->https; h;) {
        struct http *after = http_next(h);
        struct call *c = http_call(h);
        if (c->state == CALL_QUEUED || c->state == CALL_RUNNING) {
            if (c->deadline_ns <= now)
                call_late(c);
            else if (next == 0 || c->deadline_ns < next)
                next = c->deadline_ns;
        }
        h = after;
    }
    if (next != 0)
        front_loop_deadline(l, next);
}

/* A run that was cancelled and does not come back is the keeper's business. */
static void check_overdue(struct front_loop *l, uint64_t now_ns)
{
    for (struct backend *b = l->active; b; b = b->next_active) {
        struct lane_hold *hold = b->hold;
        for (uint32_t i = 0; hold && b->faults == 0 && i < hold->slots; i++) {
            if (hold->flights[i].end_ns == 0 || now_ns < hold->flights[i].end_ns)
                continue;
            b->faults++;
            front_lane_fault(l, hold->worker, hold->generation, LANE_FAULT_OVERDUE,
                             "a run does not end although it was told to");
        }
    }
}

/* One after the other, so that a busy listener does not keep the others out. */
static void retry_listeners(struct front_loop *l)
{
    for (uint32_t i = 0; i < l->listener_count; i++)
        listener_retry(l->listeners[(l->listener_next + i) % l->listener_count]);
    l->listener_next++;
}

static void on_room(void *arg)
{
    retry_listeners(arg);
}

static void on_sweep(void *arg)
{
    struct front_loop *l = arg;
    const uint64_t now = clock_ns();
    for (struct http *h = l->https; h;) {
        struct http *after = http_next(h);
        http_sweep(h, now);
        h = after;
    }
    check_overdue(l, now);
    if (l->index == 0)
        front_asks_late(l->front, now);
    retry_listeners(l); /* memory may be back */
    for (uint32_t i = 0; l->routing && i < l->routing->backend_count; i++)
        account_backend(l, l->routing->backends[i]);
    timer_set(&l->sweep, SWEEP_NS);
}

/* Routing and drain -----------------------------------------------------------------------------
 */

static void on_accepted(void *arg, struct conn *c)
{
    http_accept(arg, c);
}

static void begin_listening(struct front_loop *l)
{
    struct fault f = {0};
    for (; l->listener_count < l->fd_count; l->listener_count++) {
        const struct listener_opts opts = {
            .fd = l->listener_fds[l->listener_count],
            .conns = &l->conns,
            .conns_max = l->front->settings->connections / l->front->loop_count,
            .accepted = on_accepted,
            .room = on_room,
            .arg = l,
        };
        if (listener_open(l->loop, &opts, &l->listeners[l->listener_count], &f) != OK)
            front_leave(f.text);
    }
}

void front_loop_route(struct front_loop *l, const struct snapshot *s)
{
    struct routing *r = NULL;
    struct fault f = {0};
    if (routing_new(l, s, l->routing, &r, &f) != OK)
        front_leave(f.text); /* the loops must not go on with different views */
    struct routing *old = l->routing;
    l->routing = r;
    routing_apply(r);
    routing_drop(old);
    if (!l->closing)
        begin_listening(l);
}

void front_loop_drain(struct front_loop *l, bool closing)
{
    l->draining = true;
    if (!closing || l->closing)
        return;
    l->closing = true;
    const uint32_t count = l->listener_count;
    l->listener_count = 0;
    l->fd_count = 0;
    for (uint32_t i = 0; i < count; i++)
        listener_drain(l->listeners[i]);
}

void front_loop_cut(struct front_loop *l)
{
    for (struct http *h = l->https; h;) {
        struct http *after = http_next(h);
        struct call *c = http_call(h);
        if (c->state == CALL_QUEUED || c->state == CALL_RUNNING)
            call_cut(c);
        h = after;
    }
}

/* Small things ----------------------------------------------------------------------------------
 */

str front_loop_date(struct front_loop *l)
{
    const uint64_t s = (uint64_t)(clock_wall_us() / 1000000);
    if (s != l->date_s) {
        response_date((int64_t)s, l->date);
        l->date_s = s;
    }
    return (str){l->date, sizeof(l->date)};
}

/* xoshiro256++ (Blackman and Vigna, 2019): ids and arms need spread, not secrecy. */
uint64_t front_loop_random(struct front_loop *l)
{
    uint64_t *s = l->random;
    const uint64_t sum = s[0] + s[3];
    const uint64_t out = (sum << 23 | sum >> 41) + s[0];
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return out;
}

/* Life ------------------------------------------------------------------------------------------
 */

err front_loop_open(struct front_loop *l, struct front *front, uint32_t index, struct fault *f)
{
    l->front = front;
    l->index = index;
    if (getrandom(l->random, sizeof(l->random), 0) != (ssize_t)sizeof(l->random))
        return fail(f, ERR_UNAVAILABLE, "no randomness from the kernel");
    pool_init(&l->pool, &front->bodies_out, front->settings->body_waiting_max);
    err e = l->loop ? OK : loop_new(&l->loop, f);
    if (e != OK)
        return e;
    loop_hooks(l->loop, before_sleep, after_wake, l);
    e = timer_init(&l->sweep, l->loop, on_sweep, l, f);
    if (e == OK)
        e = timer_init(&l->deadline, l->loop, on_deadline, l, f);
    if (e == OK && l->wake_fd >= 0) {
        e = poll_init(&l->wake, l->loop, l->wake_fd, on_wake, l, f);
        if (e == OK)
            poll_want(&l->wake, POLL_READ);
    }
    if (e == OK)
        timer_set(&l->sweep, SWEEP_NS);
    return e;
}

err front_loop_listen(struct front_loop *l, int fd, struct fault *f)
{
    if (l->fd_count == FRONT_LOOP_LISTENERS_MAX)
        return fail(f, ERR_TOO_BIG, "more than %u listeners", FRONT_LOOP_LISTENERS_MAX);
    l->listener_fds[l->fd_count++] = fd;
    return OK;
}
