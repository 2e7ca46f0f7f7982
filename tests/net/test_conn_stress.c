/* Connections over real sockets: the limit that two listeners share, what waits when they close,
 * large writes to slow readers, half-closed peers, an echo under many threads. */
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "net/conn.h"
#include "net/socket.h"

#define WAIT_NS (20 * NS_PER_S)
#define CLIENTS 4u
#define ROUNDS  200u
#define LARGE   (32u << 20) /* far more than the kernel holds for two sockets */

struct rig {
    struct loop *loop;
    struct listener *listeners[2];
    uint16_t ports[2];
    _Atomic uint32_t conns;
    _Atomic uint32_t opened, ended, closed;
    _Atomic uint64_t unsent; /* of the last large write, as last seen */
    pthread_t thread;
    struct peer *large;
    char *bytes; /* LARGE */
};

/* A connection of the front's kind: what comes goes back; 'L' asks for LARGE bytes. */
struct peer {
    struct rig *rig;
    struct conn *conn;
    char echo[65536];
};

static void on_data(void *owner, str bytes)
{
    struct peer *p = owner;
    struct iovec piece = {.iov_base = p->echo, .iov_len = bytes.len};
    memcpy(p->echo, bytes.at, bytes.len);
    if (bytes.at[0] == 'L') {
        p->rig->large = p;
        piece = (struct iovec){.iov_base = p->rig->bytes, .iov_len = LARGE};
    }
    if (conn_write(p->conn, &piece, 1) > 0)
        conn_pause(p->conn);
}

static void on_end(void *owner)
{
    struct peer *p = owner;
    p->rig->ended++;
    if (conn_unsent(p->conn) > 0)
        conn_close(p->conn);
    else
        conn_finish(p->conn);
}

static void on_drained(void *owner)
{
    struct peer *p = owner;
    conn_resume(p->conn);
}

static void on_closed(void *owner)
{
    struct peer *p = owner;
    if (p->rig->large == p)
        p->rig->large = NULL;
    p->rig->closed++;
    free(p);
}

static void accepted(void *arg, struct conn *c)
{
    static const struct conn_ops ops = {
        .data = on_data, .end = on_end, .drained = on_drained, .closed = on_closed};
    struct peer *p = malloc(sizeof(*p));
    must(p);
    p->rig = arg;
    p->conn = c;
    p->rig->opened++;
    conn_own(c, &ops, p);
}

static void room(void *arg)
{
    struct rig *r = arg;
    for (uint32_t i = 0; i < 2; i++)
        if (r->listeners[i])
            listener_retry(r->listeners[i]);
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static struct rig *rig_new(uint32_t conns_max)
{
    struct rig *r = calloc(1, sizeof(*r));
    must(r && loop_new(&r->loop, NULL) == OK);
    r->bytes = calloc(1, LARGE);
    must(r->bytes);
    for (uint32_t i = 0; i < 2; i++) {
        const struct socket_address at = {.ip = {127, 0, 0, 1}, .family = 4};
        struct listener_opts opts = {.conns = &r->conns,
                                     .conns_max = conns_max,
                                     .accepted = accepted,
                                     .room = room,
                                     .arg = r};
        must(socket_listen(&at, 1, &opts.fd, &r->ports[i], NULL) == OK);
        must(listener_open(r->loop, &opts, &r->listeners[i], NULL) == OK);
    }
    must(pthread_create(&r->thread, NULL, run, r->loop) == 0);
    return r;
}

static void wait_for(const _Atomic uint32_t *what, uint32_t want)
{
    const uint64_t end = clock_ns() + WAIT_NS;
    while (atomic_load(what) != want && clock_ns() < end)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(what), want);
}

static void drain(void *arg)
{
    struct rig *r = arg;
    for (uint32_t i = 0; i < 2; i++) {
        listener_drain(r->listeners[i]);
        r->listeners[i] = NULL;
    }
}

static void in_loop(struct rig *r, void (*fn)(void *arg))
{
    assert_int_equal(loop_post(r->loop, fn, r, NULL), OK);
}

static void rig_end(struct rig *r)
{
    in_loop(r, drain);
    wait_for(&r->conns, 0);
    loop_stop(r->loop);
    must(pthread_join(r->thread, NULL) == 0);
    assert_int_equal(atomic_load(&r->opened), atomic_load(&r->closed));
    loop_free(r->loop);
    free(r->bytes);
    free(r);
}

static int dial(const struct rig *r, uint32_t listener)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(r->ports[listener]),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval wait = {.tv_sec = WAIT_NS / NS_PER_S};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
    must(connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

static bool echoes(int fd)
{
    char back[5] = {0};
    return send(fd, "hello", 5, MSG_NOSIGNAL) == 5 && recv(fd, back, 5, MSG_WAITALL) == 5 &&
           memcmp(back, "hello", 5) == 0;
}

/* All room is taken through one listener; what waits at the other gets the first that is free. */
static void accept__pauses_for_all_listeners_and_goes_on(void **state)
{
    (void)state;
    struct rig *r = rig_new(2);
    const int a = dial(r, 0), b = dial(r, 0);
    assert_true(echoes(a) && echoes(b));
    const int c = dial(r, 1);
    assert_int_equal(send(c, "hello", 5, MSG_NOSIGNAL), 5);
    struct pollfd nothing = {.fd = c, .events = POLLIN};
    assert_int_equal(poll(&nothing, 1, 50), 0);
    assert_int_equal(atomic_load(&r->opened), 2);
    (void)close(a);
    char back[5];
    assert_int_equal(recv(c, back, 5, MSG_WAITALL), 5);
    (void)close(b);
    (void)close(c);
    rig_end(r);
}

static void hold_loop(void *arg)
{
    struct rig *r = arg;
    const uint64_t end = clock_ns() + WAIT_NS;
    while (atomic_load(&r->ended) == 0 && clock_ns() < end)
        (void)poll(NULL, 0, 1);
    drain(r);
}

/* Connections whose handshake the kernel has done, but that the loop has not seen, are served. */
static void drain__takes_what_waits_in_the_kernel(void **state)
{
    (void)state;
    struct rig *r = rig_new(64);
    int fds[20];
    in_loop(r, hold_loop); /* the loop stands while they connect */
    for (uint32_t i = 0; i < 20; i++)
        fds[i] = dial(r, i % 2);
    atomic_store(&r->ended, 1);
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(echoes(fds[i]));
        (void)close(fds[i]);
    }
    wait_for(&r->closed, 20);
    rig_end(r);
}

static void look(void *arg)
{
    struct rig *r = arg;
    atomic_store(&r->unsent, r->large ? conn_unsent(r->large->conn) : 0);
    atomic_store(&r->ended, 7);
}

static uint64_t unsent(struct rig *r)
{
    atomic_store(&r->ended, 0);
    in_loop(r, look);
    wait_for(&r->ended, 7);
    return atomic_load(&r->unsent);
}

/* Progress of a write shows although it is not at its end: a slow reader is not a dead one. */
static void write__tells_of_its_progress(void **state)
{
    (void)state;
    struct rig *r = rig_new(64);
    static char bytes[LARGE];
    const int fd = dial(r, 0);
    assert_int_equal(send(fd, "L", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(fd, bytes, 1, MSG_WAITALL), 1);
    const uint64_t before = unsent(r);
    assert_true(before > 0 && before < LARGE);
    assert_int_equal(recv(fd, bytes, LARGE / 4, MSG_WAITALL), LARGE / 4);
    const uint64_t end = clock_ns() + WAIT_NS;
    uint64_t after = before;
    while (after == before && clock_ns() < end)
        after = unsent(r);
    assert_true(after > 0 && after < before);
    const uint32_t left = LARGE - LARGE / 4 - 1;
    assert_int_equal(recv(fd, bytes, left, MSG_WAITALL), left);
    assert_true(echoes(fd));
    (void)close(fd);
    rig_end(r);
}

static void *client(void *arg)
{
    struct rig *r = arg;
    static const struct linger reset = {.l_onoff = 1};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const int fd = dial(r, i % 2);
        must(echoes(fd));
        if (i % 3 == 0) /* some leave by a reset, some in the middle of a large answer */
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        if (i % 10 == 0)
            (void)send(fd, "L", 1, MSG_NOSIGNAL);
        (void)close(fd);
    }
    return NULL;
}

static void conn__survives_many_clients(void **state)
{
    (void)state;
    struct rig *r = rig_new(3); /* fewer than clients: accept pauses now and then */
    pthread_t threads[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++)
        must(pthread_create(&threads[i], NULL, client, r) == 0);
    for (uint32_t i = 0; i < CLIENTS; i++)
        must(pthread_join(threads[i], NULL) == 0);
    wait_for(&r->closed, CLIENTS * ROUNDS);
    rig_end(r);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as every role does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept__pauses_for_all_listeners_and_goes_on),
        cmocka_unit_test(drain__takes_what_waits_in_the_kernel),
        cmocka_unit_test(write__tells_of_its_progress),
        cmocka_unit_test(conn__survives_many_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
