/* A front in this process, of as many loops as its settings say: real sockets before it, a thread
 * that plays the worker at the far end of real lanes behind it, and no keeper. */
#ifndef GARRISON_TESTS_LOOPBACK_FRONT_RIG_H
#define GARRISON_TESTS_LOOPBACK_FRONT_RIG_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/must.h"
#include "engine/lane_layout.h"
#include "net/socket.h"
#include "serve/account.h"
#include "serve/front.h"
#include "watch/cell.h"

#include "check.h"

#define RIG_LANE_BYTES (2u << 20)
#define RIG_WAIT_NS    (20 * NS_PER_S)
#define RIG_HELD       64u
#define RIG_LOOPS      2u

/* libuv closes descriptors by a system call that TSan does not see, so it takes a descriptor that
 * is made here for the connection of another thread that had its number. These make them, and call
 * nothing that is to be tested. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^rig_fd_dup$\nrace:^rig_fd_event$\nrace:^rig_connect$\n";
}

__attribute__((noinline)) static int rig_fd_dup(int fd, bool keep)
{
    const int made = dup(fd);
    must(made >= 0);
    if (!keep)
        (void)close(fd);
    return made;
}

__attribute__((noinline)) static int rig_fd_event(void)
{
    const int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(made >= 0);
    return made;
}

/* x FP32 [-1,4] to y, the same. */
static const struct spec rig_in[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 4}, .rank = 2}}};
static const struct spec rig_out[] = {
    {.name = STR_LIT("y"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 4}, .rank = 2}}};
static const struct signature rig_sig = {
    .inputs = rig_in, .input_count = 1, .outputs = rig_out, .output_count = 1};

struct rig_worker {
    pthread_t thread;
    int memfds[RIG_LOOPS], wake; /* a lane to each loop */
    struct lane_end *ends[RIG_LOOPS];
    uint32_t loops, id;
    _Atomic bool stop;
    _Atomic bool *hold; /* takes, and answers nothing */
};

struct rig {
    struct front front;
    struct front_settings settings;
    pthread_t threads[RIG_LOOPS];
    int cells;
    uint16_t port;
    struct rig_worker *worker;
    uint32_t workers;
    uint64_t generation;
    struct rig *before;  /* of those that have ended */
    const char *refused; /* the version has failed, and why; NULL: it has not */
    _Atomic bool hold;
    _Atomic uint64_t sent; /* requests on inference routes, by the clients */
};

/* --- the worker --------------------------------------------------------------------------------
 */

static inline void rig_answer(struct lane_job *job)
{
    const struct view *in = &job->inputs[0];
    struct lane_end_result r = {.status = LANE_OK, .batch_rows = job->rows, .batch_requests = 1};
    uint8_t *at = lane_end_output(job, 0, &in->shape, in->len);
    if (lane_end_cancelled(job))
        r.status = LANE_TERMINATED;
    else if (!at)
        r.status = LANE_REPLY_TOO_BIG;
    else if (in->len > 0)
        memcpy(at, in->at, in->len);
    lane_end_finish(job, &r);
}

static inline void *rig_work(void *arg)
{
    struct rig_worker *w = arg;
    struct lane_job held[RIG_HELD];
    uint32_t count = 0;
    while (!atomic_load(&w->stop)) {
        for (uint32_t i = 0; i < w->loops; i++) {
            while (count < RIG_HELD && lane_end_take(w->ends[i], &held[count], NULL) == OK)
                count++;
        }
        for (uint32_t i = 0; i < count;) { /* what is cancelled ends, held or not */
            if (atomic_load(w->hold) && !lane_end_cancelled(&held[i])) {
                i++;
                continue;
            }
            rig_answer(&held[i]);
            held[i] = held[--count];
        }
        if (!lane_ends_sleep(w->ends, w->loops)) {
            struct pollfd p = {.fd = w->wake, .events = POLLIN};
            uint64_t n;
            /* a cancellation wakes nobody: whoever holds runs looks now and then */
            if (poll(&p, 1, count > 0 ? 5 : (int)(RIG_WAIT_NS / NS_PER_MS)) == 1)
                must(read(w->wake, &n, sizeof(n)) == sizeof(n));
        }
        lane_ends_awake(w->ends, w->loops);
    }
    return NULL;
}

static inline void rig_poke(int fd)
{
    const uint64_t one = 1;
    must(write(fd, &one, sizeof(one)) == sizeof(one));
}

/* Runs fn on the main loop's thread, where the keeper's messages arrive, and waits for its end. */
struct rig_call {
    struct rig *rig;
    void (*fn)(struct rig *r, void *arg);
    void *arg;
    _Atomic bool done;
};

static inline void rig_called(void *arg)
{
    struct rig_call *call = arg;
    call->fn(call->rig, call->arg);
    atomic_store(&call->done, true);
}

static inline void rig_in_loop(struct rig *r, void (*fn)(struct rig *r, void *arg), void *arg)
{
    struct rig_call call = {.rig = r, .fn = fn, .arg = arg};
    must(loop_post(r->front.loops[0].loop, rig_called, &call, NULL) == OK);
    while (!atomic_load(&call.done))
        (void)poll(NULL, 0, 1);
}

/* --- what the keeper would say -----------------------------------------------------------------
 */

static inline void rig_snapshot(struct rig *r, void *arg)
{
    (void)arg;
    const struct snapshot_arm arm = {.weight = SNAPSHOT_WEIGHT_ONE};
    const struct snapshot_version version = {
        .version = STR_LIT("1"),
        .digest = {7},
        .state = r->refused  ? VERSION_FAILED
                 : r->worker ? VERSION_READY
                             : VERSION_LOADING,
        .reason = r->refused ? str_of(r->refused) : STR(""),
        .worker = r->worker ? r->worker->id : SNAPSHOT_NO_WORKER,
        .cells = CELL_OTHER + VERSION_CELLS,
        .sig = rig_sig,
        .instances = 1,
        .queue = 8,
        .request_timeout_ns = 30 * NS_PER_S,
        .slo_ns = NS_PER_S,
        .lane_bytes = RIG_LANE_BYTES,
        .lane_reply_bytes = 65536,
    };
    const struct snapshot_model model = {.name = STR_LIT("m"),
                                         .versions = &version,
                                         .version_count = 1,
                                         .arms = &arm,
                                         .arm_count = 1};
    const struct snapshot s = {.generation = ++r->generation, .models = &model, .model_count = 1};
    void *bytes = NULL;
    uint64_t len = 0;
    int fd = -1;
    uint8_t room[64];
    struct message_buffer b = {.at = room, .cap = sizeof(room)};
    must(snapshot_encode(&s, &bytes, &len, NULL) == OK);
    must(memfd_new("snapshot", len, &fd, NULL) == OK);
    fd = rig_fd_dup(fd, false);
    must(memfd_write(fd, 0, bytes, len, NULL) == OK);
    must(memfd_seal(fd, NULL) == OK);
    free(bytes);
    const struct message_snapshot m = {.generation = s.generation, .bytes = len};
    must(message_put_snapshot(&m, &b, NULL) == OK);
    const struct link_message in = {.payload = {(char *)room, b.len}, .fds = &fd};
    front_on_snapshot(&r->front, &in);
    (void)close(fd);
}

static inline void rig_lane(struct rig *r, struct rig_worker *w, uint32_t loop)
{
    struct lane_end **end = &w->ends[loop];
    must(memfd_new("lane", RIG_LANE_BYTES, &w->memfds[loop], NULL) == OK);
    w->memfds[loop] = rig_fd_dup(w->memfds[loop], false);
    must(memfd_seal_size(w->memfds[loop], NULL) == OK);
    must(lane_end_open(w->memfds[loop], RIG_LANE_BYTES, r->front.loops[loop].wake_fd, end, NULL) ==
         OK);
    lane_end_signature(*end, &rig_sig);
    int fds[2] = {rig_fd_dup(w->memfds[loop], true), rig_fd_dup(w->wake, true)};
    uint8_t room[64];
    struct message_buffer b = {.at = room, .cap = sizeof(room)};
    const struct message_lane m = {
        .worker = w->id, .loop = (uint8_t)loop, .generation = 1, .bytes = RIG_LANE_BYTES};
    must(message_put_lane(&m, &b, NULL) == OK);
    const struct link_message in = {.payload = {(char *)room, b.len}, .fds = fds};
    front_on_lane(&r->front, &in);
}

static inline void rig_offer(struct rig *r, void *arg)
{
    struct rig_worker *w = calloc(1, sizeof(*w));
    must(w);
    w->id = ++r->workers;
    w->hold = &r->hold;
    w->loops = r->front.loop_count;
    w->wake = rig_fd_event();
    for (uint32_t i = 0; i < w->loops; i++)
        rig_lane(r, w, i);
    must(pthread_create(&w->thread, NULL, rig_work, w) == 0);
    r->worker = w;
    rig_snapshot(r, arg);
}

/* The worker is gone between two instructions: what it holds is never answered. */
static inline void rig_drop(struct rig *r, void *arg)
{
    struct rig_worker *w = r->worker;
    (void)arg;
    r->worker = NULL;
    atomic_store(&w->stop, true);
    rig_poke(w->wake);
    must(pthread_join(w->thread, NULL) == 0);
    for (uint32_t i = 0; i < w->loops; i++) {
        uint8_t room[64];
        struct message_buffer b = {.at = room, .cap = sizeof(room)};
        const struct message_lane_drop m = {.worker = w->id, .loop = (uint8_t)i, .generation = 1};
        must(message_put_lane_drop(&m, &b, NULL) == OK);
        const struct link_message in = {.payload = {(char *)room, b.len}};
        front_on_lane_drop(&r->front, &in);
        lane_end_close(w->ends[i]);
        (void)close(w->memfds[i]);
    }
    (void)close(w->wake);
    free(w);
}

/* Not ready from now on; after the delay what is left has the grace to end. */
static inline void rig_drain(struct rig *r, void *arg)
{
    uint8_t room[64];
    struct message_buffer b = {.at = room, .cap = sizeof(room)};
    must(message_put_front_drain(arg, &b, NULL) == OK);
    const struct link_message in = {.payload = {(char *)room, b.len}};
    front_on_drain(&r->front, &in);
}

static inline void rig_publish(struct rig *r)
{
    rig_in_loop(r, rig_snapshot, NULL);
}

static inline void rig_worker_start(struct rig *r)
{
    rig_in_loop(r, rig_offer, NULL);
}

static inline void rig_worker_kill(struct rig *r)
{
    rig_in_loop(r, rig_drop, NULL);
}

/* --- the front ---------------------------------------------------------------------------------
 */

static inline err rig_watch_open(const struct watch_side_opts *opts, struct watch_side **ret,
                                 struct fault *f)
{
    (void)opts;
    (void)f;
    *ret = NULL;
    return OK;
}

static inline struct ring *rig_watch_ring(struct watch_side *w, uint32_t loop)
{
    struct ring *ring = NULL; /* nobody takes: when it is full, events are dropped and counted */
    (void)w;
    (void)loop;
    must(ring_new(1 << 16, -1, &ring, NULL) == OK);
    return ring;
}

static inline void *rig_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static inline struct front_settings rig_settings(void)
{
    return (struct front_settings){
        .loops = 1,
        .connections = 64,
        .header_count = 100,
        .request_line = 8192,
        .header_bytes = 16384,
        .decode_ratio = 100,
        .connection_requests = 10000,
        .body = 1 << 20,
        .decoded_body = 1 << 20,
        .arena = 1 << 20,
        .header_time_ns = 10 * NS_PER_S,
        .idle_time_ns = 75 * NS_PER_S,
        .write_stall_ns = 30 * NS_PER_S,
        .body_rate = 1024,
        .body_rate_after_ns = 10 * NS_PER_S,
        .inputs = 64,
        .outputs = 64,
        .parameters = 32,
        .rank = 8,
        .name_length = 256,
        .json_depth = 64,
        .json_number = 1024,
        .request_timeout_max_ns = 300 * NS_PER_S,
        .body_waiting_max = 256 << 20,
        .drain_idle_ns = NS_PER_S,
    };
}

static inline void rig_loops(struct rig *r)
{
    struct front *front = &r->front;
    const struct socket_address at = {.ip = {127, 0, 0, 1}, .family = 4};
    int fds[RIG_LOOPS];
    must(socket_listen(&at, front->loop_count, fds, &r->port, NULL) == OK);
    for (uint32_t i = 0; i < front->loop_count; i++) {
        struct front_loop *l = &front->loops[i];
        l->wake_fd = rig_fd_event();
        must(front_loop_open(l, front, i, NULL) == OK);
        must(account_loop_open(l, NULL) == OK);
        must(front_loop_listen(l, fds[i], NULL) == OK);
    }
    must(front_drain_init(front, NULL) == OK);
    for (uint32_t i = 0; i < front->loop_count; i++)
        must(pthread_create(&r->threads[i], NULL, rig_loop, front->loops[i].loop) == 0);
}

/* A front without models; calls are its watch side. */
static inline struct rig *rig_bare(const struct front_settings *settings, enum role role,
                                   const struct watch_calls *calls)
{
    struct rig *r = calloc(1, sizeof(*r));
    must(r && settings->loops <= RIG_LOOPS);
    struct front *front = &r->front;
    r->settings = *settings;
    front->settings = &r->settings;
    front->role = role;
    front->side = role == ROLE_OPS_FRONT ? ROUTE_ON_OPS : ROUTE_ON_DATA;
    front->loop_count = role == ROLE_OPS_FRONT ? 1 : settings->loops;
    front->limits = INFER_LIMITS_DEFAULT;
    front->h1_limits = H1_LIMITS_DEFAULT;
    front->h1_limits.body = settings->body;
    front->watch_calls = calls;
    must(pthread_mutex_init(&front->lock, NULL) == 0);
    must(segment_new(CELL_SHARDS(settings->loops), cell_count(1), &r->cells, NULL) == OK);
    must(account_front_open(front, r->cells, -1, NULL) == OK);
    rig_loops(r);
    return r;
}

/* A data front whose model m has a worker. */
static inline struct rig *rig_new(const struct front_settings *settings)
{
    static const struct watch_calls calls = {.open = rig_watch_open, .ring = rig_watch_ring};
    struct rig *r = rig_bare(settings, ROLE_DATA_FRONT, &calls);
    rig_worker_start(r);
    return r;
}

/* Sum of a cell of version and of _OTHER; the front writes meanwhile. */
static inline uint64_t rig_cell(const struct rig *r, uint32_t cell)
{
    struct segment s;
    must(segment_map(r->cells, &s, NULL) == OK);
    const uint64_t sum =
        segment_sum(&s, CELL_OTHER + cell) + segment_sum(&s, CELL_OTHER + VERSION_CELLS + cell);
    segment_unmap(&s);
    return sum;
}

static inline uint64_t rig_fixed(const struct rig *r, uint32_t cell)
{
    struct segment s;
    must(segment_map(r->cells, &s, NULL) == OK);
    const uint64_t sum = segment_sum(&s, cell);
    segment_unmap(&s);
    return sum;
}

static inline uint64_t rig_pair(const struct rig *r, enum pair pair)
{
    return rig_cell(r, VERSION_PAIRS + (uint32_t)pair);
}

static inline uint64_t rig_outcomes(const struct rig *r)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < PAIR_COUNT; i++)
        sum += rig_pair(r, (enum pair)i);
    return sum;
}

static inline uint32_t rig_conns(const struct rig *r)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < r->front.loop_count; i++)
        sum += atomic_load(&r->front.loops[i].conns);
    return sum;
}

/* Waits until nobody is connected and nothing is held; a deadline fails the test. */
static inline void rig_quiet(struct rig *r)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    while (rig_conns(r) > 0 || atomic_load(&r->front.bodies_out) > 0 ||
           rig_fixed(r, FIXED_CONNECTIONS) > 0 || rig_fixed(r, FIXED_IN_FLIGHT) > 0) {
        if (clock_ns() > end)
            fail_msg("the front does not fall silent: %u connections, %lu bytes, %lu in flight",
                     rig_conns(r), (unsigned long)atomic_load(&r->front.bodies_out),
                     (unsigned long)rig_fixed(r, FIXED_IN_FLIGHT));
        (void)poll(NULL, 0, 1);
    }
}

/* Every request on an inference route has one outcome. */
static inline void rig_identity(struct rig *r)
{
    rig_quiet(r);
    assert_int_equal(rig_outcomes(r), atomic_load(&r->sent));
}

/* Waits for a count, which the front moves. */
static inline void rig_wait_pair(struct rig *r, enum pair pair, uint64_t want)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    while (rig_pair(r, pair) < want && clock_ns() < end)
        (void)poll(NULL, 0, 1);
    assert_int_equal(rig_pair(r, pair), want);
}

static inline void rig_wait_lane(struct rig *r, uint32_t waiting, uint32_t in_flight)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    while (clock_ns() < end) {
        (void)pthread_mutex_lock(&r->front.lock);
        const struct backend_shared *s = r->front.shared;
        const bool there =
            s && atomic_load(&s->waiting) == waiting && atomic_load(&s->in_flight) == in_flight;
        (void)pthread_mutex_unlock(&r->front.lock);
        if (there)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("the lane is not as it should be");
}

/* Ends the threads. The front keeps its memory, as it does in life: it is reachable. */
static inline void rig_end(struct rig *r)
{
    static struct rig *kept;
    rig_quiet(r);
    if (r->worker)
        rig_worker_kill(r);
    for (uint32_t i = 0; i < r->front.loop_count; i++) {
        loop_stop(r->front.loops[i].loop);
        must(pthread_join(r->threads[i], NULL) == 0);
    }
    r->before = kept;
    kept = r;
}

#endif
