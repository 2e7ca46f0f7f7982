/* What a front and its keeper say to each other beside routing: start, beats, drain, questions on
 * behalf of the ops front's callers. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/memfd.h"
#include "base/must.h"
#include "base/num.h"
#include "base/scope.h"
#include "serve/account.h"
#include "serve/front.h"
#include "serve/http.h"

#define DRAIN_LOOK_NS (20 * NS_PER_MS)
#define ASK_NS        (5 * NS_PER_S)

void front_say(struct front *front, uint16_t number, uint64_t id, const struct message_buffer *b)
{
    const struct link_send how = {.number = number, .id = id};
    const str payload = {b ? (const char *)b->at : NULL, b ? b->len : 0};
    if (!front->link || link_send(front->link, &how, payload, NULL) != OK)
        return; /* a keeper that is gone, or takes nothing, ends us anyway */
}

/* Beats -----------------------------------------------------------------------------------------
 */

static uint64_t status_kib(str status, str key)
{
    for (size_t i = 0; i + key.len < status.len; i++) {
        if (memcmp(status.at + i, key.at, key.len) != 0)
            continue;
        size_t at = i + key.len;
        uint64_t v = 0;
        while (at < status.len && (status.at[at] == ' ' || status.at[at] == '\t'))
            at++;
        while (at < status.len && status.at[at] >= '0' && status.at[at] <= '9')
            v = v * 10 + (uint64_t)(status.at[at++] - '0');
        return v * 1024;
    }
    return 0;
}

static uint32_t open_fds(const struct front *front)
{
    uint32_t n = 0;
    const int fd = dup(front->fds_fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return 0;
    rewinddir(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the duplicate */
}

void front_beat(struct front *front)
{
    char status[4096];
    const ssize_t n = pread(front->status_fd, status, sizeof(status), 0);
    const str text = {status, n > 0 ? (size_t)n : 0};
    struct rusage used = {0};
    struct rlimit files = {0};
    (void)getrusage(RUSAGE_SELF, &used);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    const struct message_beat m = {
        .loops = atomic_exchange(&front->turned, 0) | 1,
        .anon_bytes = status_kib(text, STR("RssAnon:")),
        .file_bytes = status_kib(text, STR("RssFile:")),
        .shmem_bytes = status_kib(text, STR("RssShmem:")),
        .cpu_ns = ((uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec) * NS_PER_S +
                  ((uint64_t)used.ru_utime.tv_usec + (uint64_t)used.ru_stime.tv_usec) * NS_PER_US,
        .fds = open_fds(front),
        .fds_max = files.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)files.rlim_cur,
    };
    FRONT_TELL(front, beat, 0, &m);
    timer_set(&front->beat, NS_PER_S);
}

static void on_beat(void *arg)
{
    front_beat(arg);
}

/* Drain -----------------------------------------------------------------------------------------
 */

static uint32_t connections(const struct front *front)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < front->loop_count; i++)
        n += atomic_load_explicit(&front->loops[i].conns, memory_order_relaxed);
    return n;
}

static void say_drained(struct front *front, uint32_t cut)
{
    if (front->drained)
        return;
    front->drained = true;
    const struct message_front_drained m = {.connections_cut = cut,
                                            .requests_cut = (uint32_t)front->requests_cut};
    FRONT_TELL(front, front_drained, 0, &m);
}

/* The delay is over, then the grace; looks every DRAIN_LOOK_NS whether all have left. */
static void on_drain_timer(void *arg)
{
    struct front *front = arg;
    if (front->side == ROUTE_ON_OPS) { /* answers probes to the last */
        say_drained(front, 0);
        return;
    }
    if (front->drain_end_ns == 0) {
        front->drain_end_ns = clock_ns() + front->grace_ms * NS_PER_MS;
        front_drain_loops(front, true);
    }
    const uint32_t left = connections(front);
    if (left == 0 || front->cut) {
        say_drained(front, left);
        return;
    }
    if (clock_ns() >= front->drain_end_ns) { /* at the next look the answers are on their way */
        front->cut = true;
        front->requests_cut = account_in_flight(front);
        front_cut_loops(front);
    }
    timer_set(&front->drain, DRAIN_LOOK_NS);
}

err front_drain_init(struct front *front, struct fault *f)
{
    return timer_init(&front->drain, front->loops[0].loop, on_drain_timer, front, f);
}

void front_on_drain(struct front *front, const struct link_message *m)
{
    struct message_front_drain in;
    if (message_get_front_drain(m->payload, &in, NULL) != OK)
        return;
    atomic_store(&front->draining, true);
    front->grace_ms = in.grace_ms;
    front_drain_loops(front, false);
    if (front->drain_end_ns == 0)
        timer_set(&front->drain, in.delay_ms * NS_PER_MS);
}

/* Questions --------------------------------------------------------------------------------------
 */

struct front_ask {
    struct front_ask *next;
    uint64_t id, late_ns;
    struct call *call;
};

void front_ask_status(struct call *c)
{
    struct front *front = c->owner->front;
    struct front_ask *ask = calloc(1, sizeof(*ask));
    if (!ask) {
        call_fail_pair(c, PAIR_REJECTED_NOT_READY, "out of memory");
        return;
    }
    const struct address client = conn_client(http_conn(c->http));
    *ask = (struct front_ask){
        .next = front->asks, .id = ++front->ask_id, .late_ns = clock_ns() + ASK_NS, .call = c};
    front->asks = ask;
    c->state = CALL_AWAY;
    const struct message_status m = {
        .request_id = c->request_id,
        .cred = CRED_ANONYMOUS,
        .client_ip = {(const char *)client.ip, sizeof(client.ip)},
        .client_port = client.port,
        .deadline_ms = ASK_NS / NS_PER_MS,
    };
    FRONT_TELL(front, status, ask->id, &m);
}

void front_asks_late(struct front *front, uint64_t now_ns)
{
    struct front_ask **at = &front->asks;
    while (*at) {
        struct front_ask *ask = *at;
        if (now_ns < ask->late_ns) {
            at = &ask->next;
            continue;
        }
        struct call *c = ask->call;
        *at = ask->next;
        free(ask);
        if (!http_back(c->http))
            continue;
        c->state = CALL_BODY;
        call_fail_pair(c, PAIR_REJECTED_NOT_READY, "the keeper does not answer");
        at = &front->asks; /* the answer may have brought the next question */
    }
}

void front_on_reply(struct front *front, const struct link_message *m)
{
    struct message_reply in;
    struct front_ask **at = &front->asks;
    while (*at && (*at)->id != m->frame.id)
        at = &(*at)->next;
    if (!*at || message_get_reply(m->payload, &in, NULL) != OK)
        return;
    struct front_ask *ask = *at;
    struct call *c = ask->call;
    *at = ask->next;
    free(ask);
    if (!http_back(c->http))
        return;
    c->state = CALL_BODY;
    void *bytes = NULL;
    if (in.row != OK) {
        (void)fail(&c->fault, in.row < ERR_COUNT ? (err)in.row : ERR_INTERNAL, "%.*s",
                   STR_ARG(in.reason));
        call_fail(c);
        return;
    }
    if (m->frame.fds == 1 && memfd_check(m->fds[0], in.bytes, true, NULL) == OK &&
        memfd_map(m->fds[0], in.bytes, false, &bytes, NULL) == OK) {
        chain_put(&c->body_chain, (str){bytes, in.bytes});
        memfd_unmap(bytes, in.bytes);
    } else {
        chain_put(&c->body_chain, in.json);
    }
    call_answer(c);
}

/* Start ------------------------------------------------------------------------------------------
 */

static err take_settings(struct front *front, int fd, struct fault *f)
{
    const void *at = NULL;
    const err e = settings_map(fd, sizeof(struct front_settings), &at, f);
    if (e != OK)
        return e;
    const struct front_settings *s = at;
    if (s->magic != FRONT_SETTINGS_MAGIC || s->loops == 0 || s->loops > FRONT_LOOPS_MAX)
        return fail(f, ERR_INPUT, "not the settings of a front");
    front->settings = s;
    front->loop_count = front->side == ROUTE_ON_DATA ? s->loops : 1;
    front->limits = (struct infer_limits){.inputs = s->inputs,
                                          .outputs = s->outputs,
                                          .parameters = s->parameters,
                                          .rank = s->rank,
                                          .name_length = s->name_length,
                                          .json_depth = s->json_depth,
                                          .json_number = s->json_number};
    front->h1_limits = (struct h1_limits){.request_line = s->request_line,
                                          .header_bytes = s->header_bytes,
                                          .header_count = s->header_count,
                                          .body = s->body};
    return OK;
}

/* Finds the one inherited descriptor of a kind, or -1. */
static int find_fd(struct message_list fds, enum fd_what what)
{
    struct message_fd row;
    while (message_next_fd(&fds, &row)) {
        if (row.what == what)
            return row.fd;
    }
    return -1;
}

static void *run_loop(void *arg)
{
    struct front_loop *l = arg;
    loop_run(l->loop);
    return NULL;
}

static err open_loops(struct front *front, struct message_list fds, struct fault *f)
{
    struct message_fd row;
    for (uint32_t i = 0; i < front->loop_count; i++)
        front->loops[i].wake_fd = -1;
    for (struct message_list left = fds; message_next_fd(&left, &row);) {
        if (row.what == FD_WAKE_LOOP && row.loop < front->loop_count)
            front->loops[row.loop].wake_fd = row.fd;
    }
    for (uint32_t i = 0; i < front->loop_count; i++) {
        err e = front_loop_open(&front->loops[i], front, i, f);
        if (e == OK)
            e = account_loop_open(&front->loops[i], f);
        if (e != OK)
            return e;
    }
    for (struct message_list left = fds; message_next_fd(&left, &row);) {
        if (row.what != FD_LISTENER || row.loop >= front->loop_count)
            continue;
        const err e = front_loop_listen(&front->loops[row.loop], row.fd, f);
        if (e != OK)
            return e;
    }
    return OK;
}

static err start(struct front *front, const struct link_message *m, struct fault *f)
{
    struct message_start in;
    err e = message_get_start(m->payload, &in, f);
    if (e == OK)
        e = take_settings(front, find_fd(in.fds, FD_SETTINGS), f);
    if (e == OK)
        e = account_front_open(front, find_fd(in.fds, FD_CELLS), find_fd(in.fds, FD_SERIES), f);
    if (e == OK)
        e = open_loops(front, in.fds, f);
    if (e == OK)
        e = timer_init(&front->beat, front->loops[0].loop, on_beat, front, f);
    if (e == OK)
        e = front_drain_init(front, f);
    for (uint32_t i = 1; e == OK && i < front->loop_count; i++) {
        if (pthread_create(&front->threads[i], NULL, run_loop, &front->loops[i]) != 0)
            e = fail(f, ERR_UNAVAILABLE, "no thread for a loop");
    }
    return e;
}

void front_leave(const char *why)
{
    (void)dprintf(STDERR_FILENO, "garrison: a front ends: %s\n", why);
    _exit(err_exit(ERR_INTERNAL));
}

static void on_message(void *arg, const struct link_message *m)
{
    struct front *front = arg;
    struct fault f = {0};
    switch (m->frame.number) {
    case MESSAGE_start:
        if (front->settings || start(front, m, &f) != OK)
            front_leave(f.code != OK ? f.text : "started twice");
        front_say(front, MESSAGE_up, 0, NULL);
        front_beat(front);
        return;
    case MESSAGE_snapshot:
        front_on_snapshot(front, m);
        return;
    case MESSAGE_lane:
        front_on_lane(front, m);
        return;
    case MESSAGE_lane_drop:
        front_on_lane_drop(front, m);
        return;
    case MESSAGE_front_drain:
        front_on_drain(front, m);
        return;
    case MESSAGE_reply:
        front_on_reply(front, m);
        return;
    case MESSAGE_stop:
        loop_stop(front->loops[0].loop);
        return;
    default:
        return;
    }
}

static void on_end(void *arg, err e, const char *why)
{
    (void)arg;
    if (e == ERR_INPUT)
        front_leave(why);
    _exit(0); /* the keeper is gone, and with it the reason to be */
}

static err say_hello(struct front *front, struct fault *f)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    const struct link_opts opts = {.fd = MESSAGE_CONTROL_FD,
                                   .self = front->role,
                                   .peer = ROLE_KEEPER,
                                   .arg = front,
                                   .on_message = on_message,
                                   .on_end = on_end};
    const err e = link_new(front->loops[0].loop, &opts, &front->link, f);
    if (e != OK)
        return e;
    const struct message_hello m = {.build = {(const char *)build, sizeof(build)},
                                    .table = MESSAGE_TABLE,
                                    .role = (uint8_t)front->role};
    FRONT_TELL(front, hello, 0, &m);
    return OK;
}

int front_run(enum role role, const struct watch_calls *watch)
{
    struct front *front = calloc(1, sizeof(*front));
    struct fault f = {0};
    if (!front)
        return err_exit(ERR_UNAVAILABLE);
    front->role = role;
    front->watch_calls = watch;
    front->side = role == ROLE_OPS_FRONT ? ROUTE_ON_OPS : ROUTE_ON_DATA;
    front->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    front->fds_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of write, not our end */
    (void)prctl(PR_SET_NAME, role == ROLE_OPS_FRONT ? "garrison-ops" : "garrison-data");
    (void)prctl(PR_SET_DUMPABLE, 0);
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    must(pthread_mutex_init(&front->lock, NULL) == 0);
    err e = loop_new(&front->loops[0].loop, &f);
    if (e == OK)
        e = say_hello(front, &f);
    if (e != OK)
        front_leave(f.text);
    loop_run(front->loops[0].loop);
    account_front_close(front); /* the last lines go out */
    _exit(0);                   /* loops of other threads still run; the kernel takes it all */
}
