/* The end: SIGTERM drains, a second skips the delay, a third ends at once.
 *
 *   DELAY    not ready, but everything is served: endpoint removal elsewhere takes time
 *   GRACE    the keeper's data sockets are closed, the data front finishes what it has
 *   WORKERS  the data front is told to leave; when it has, so are the workers
 *   OPS      the ops front, which has answered probes until now
 * Every phase has a time after which what is still there is killed. */
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/parts.h"

#define LEAVE_NS   (2 * NS_PER_S) /* for a process to leave once told to */
#define SPARE_NS   (2 * NS_PER_S) /* for the front to answer after grace */
#define FIRST_EXIT 1              /* exit status of an end at once */

static uint32_t ms_until(uint64_t ns, uint64_t now)
{
    const uint64_t ms = ns > now ? (ns - now) / NS_PER_MS : 0;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void send_drain(struct keeper *k, struct front *fr)
{
    uint8_t bytes[32];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_front_drain m = {.delay_ms = ms_until(k->drain.delay_until_ns, clock_ns()),
                                          .grace_ms = ms_until(k->cfg->drain.grace_ns, 0)};
    if (message_put_front_drain(&m, &b, NULL) == OK)
        front_send(fr, MESSAGE_front_drain, (str){(const char *)b.at, b.len});
}

static void on_timer(void *arg);

static void enter(struct keeper *k, enum drain_phase phase, uint64_t after_ns)
{
    k->drain.phase = phase;
    timer_set(&k->drain.timer, after_ns);
}

static void stop_front(struct front *fr)
{
    fr->ending = true;
    timer_cancel(&fr->again);
    if (fr->up)
        front_send(fr, MESSAGE_stop, STR(""));
    else if (fr->child)
        child_kill(fr->child, KILL_PLANNED, "the server ends");
}

static bool workers_gone(const struct keeper *k)
{
    for (uint32_t i = 0; i < k->model_count; i++)
        if (k->models[i].child)
            return false;
    return true;
}

static void begin_grace(struct keeper *k)
{
    k->data.ending = true;
    timer_cancel(&k->data.again);
    front_close_listeners(&k->data);
    enter(k, DRAIN_GRACE, k->cfg->drain.grace_ns + SPARE_NS);
}

static void begin_workers(struct keeper *k)
{
    enter(k, DRAIN_WORKERS, LEAVE_NS);
    stop_front(&k->data);
}

static void stop_workers(struct keeper *k)
{
    if (k->drain.workers_told)
        return;
    k->drain.workers_told = true;
    for (uint32_t i = 0; i < k->model_count; i++)
        model_stop(&k->models[i]);
}

static void begin_ops(struct keeper *k)
{
    enter(k, DRAIN_OPS, LEAVE_NS);
    front_close_listeners(&k->ops);
    stop_front(&k->ops);
}

static void over(struct keeper *k)
{
    k->drain.phase = DRAIN_OVER;
    journal_write(k->cfg, &(struct journal_event){
                              .level = JOURNAL_INFO,
                              .message = "the server has ended",
                              JOURNAL_ARGS({"connections_cut", NULL, k->data.cut.connections_cut},
                                           {"requests_cut", NULL, k->data.cut.requests_cut})});
    loop_stop(k->loop);
}

/* Moves on where a phase has nothing left to wait for. */
void drain_look(struct keeper *k)
{
    if (k->drain.phase == DRAIN_GRACE && (k->data.drained || !k->data.child))
        begin_workers(k);
    if (k->drain.phase == DRAIN_WORKERS && !k->data.child) {
        if (workers_gone(k))
            begin_ops(k);
        else
            stop_workers(k);
    }
    if (k->drain.phase == DRAIN_OPS && !k->ops.child)
        over(k);
}

static void kill_what_stays(struct keeper *k)
{
    if (k->data.child)
        child_kill(k->data.child, KILL_PLANNED, "it did not leave");
    for (uint32_t i = 0; i < k->model_count; i++)
        if (k->models[i].child)
            child_kill(k->models[i].child, KILL_PLANNED, "it did not leave");
}

static void on_timer(void *arg)
{
    struct keeper *k = arg;
    switch (k->drain.phase) {
    case DRAIN_DELAY:
        begin_grace(k);
        break;
    case DRAIN_GRACE:
        begin_workers(k);
        break;
    case DRAIN_WORKERS:
        kill_what_stays(k);
        timer_set(&k->drain.timer, LEAVE_NS);
        break;
    case DRAIN_OPS:
        if (k->ops.child)
            child_kill(k->ops.child, KILL_PLANNED, "it did not leave");
        break;
    default:
        break;
    }
    drain_look(k);
}

void drain_front_up(struct keeper *k, struct front *fr)
{
    if (k->drain.phase != DRAIN_NOT)
        send_drain(k, fr);
}

static void at_once(struct keeper *k)
{
    journal_say("ended at once by a third signal");
    k->exit = FIRST_EXIT;
    k->data.ending = true;
    k->ops.ending = true;
    children_kill_all(k->children);
    loop_stop(k->loop);
}

static void begin(struct keeper *k, uint64_t delay_ns)
{
    k->drain.delay_until_ns = clock_ns() + delay_ns;
    enter(k, DRAIN_DELAY, delay_ns);
    send_drain(k, &k->data);
    send_drain(k, &k->ops);
    if (delay_ns == 0)
        begin_grace(k);
    drain_look(k);
}

void drain_signal(struct keeper *k, int number)
{
    const bool quick = number == SIGINT && isatty(STDIN_FILENO);
    const uint32_t count = ++k->drain.signals;
    if (count == 1 && timer_init(&k->drain.timer, k->loop, on_timer, k, NULL) != OK) {
        at_once(k);
        return;
    }
    if (count > 2) {
        at_once(k);
        return;
    }
    const uint64_t delay = count == 2 || quick ? 0 : k->cfg->drain.delay_ns;
    journal_write(k->cfg, &(struct journal_event){
                              .level = JOURNAL_INFO,
                              .message = count == 1 ? "drain begins" : "drain goes on at once",
                              JOURNAL_ARGS({"signal", NULL, (uint64_t)number},
                                           {"delay_ms", NULL, delay / NS_PER_MS})});
    journal_say("draining (%llu ms delay, then up to %llu ms); once more to hurry",
                (unsigned long long)(delay / NS_PER_MS),
                (unsigned long long)(k->cfg->drain.grace_ns / NS_PER_MS));
    if (count == 1)
        begin(k, delay);
    else if (k->drain.phase == DRAIN_DELAY)
        begin(k, 0);
}
