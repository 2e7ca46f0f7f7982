/* Links over a socket pair: descriptors with their messages, pieces, bounds, breaches, ends. The
 * far end is driven by hand with sendmsg, so that it can lie. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/link.h"
#include "net/socket.h"

#define DEADLINE_NS (10 * NS_PER_S)

struct rig {
    struct loop *loop;
    struct link *link;
    struct timer deadline;
    int far;
    unsigned messages, ends;
    unsigned stop_at; /* stop the loop at so many messages */
    err end;
    char why[256];
    struct message_frame frame;
    char payload[256];
    uint64_t inode; /* of the last descriptor that came */
    bool close_in_message;
};

static void on_message(void *arg, const struct link_message *m)
{
    struct rig *r = arg;
    struct stat st;
    r->messages++;
    r->frame = m->frame;
    if (m->payload.len > 0)
        memcpy(r->payload, m->payload.at,
               m->payload.len < sizeof r->payload ? m->payload.len : sizeof r->payload);
    for (unsigned i = 0; i < m->frame.fds; i++) {
        assert_int_equal(fstat(m->fds[i], &st), 0);
        assert_true(fcntl(m->fds[i], F_GETFD) & FD_CLOEXEC);
        r->inode = st.st_ino;
    }
    if (r->close_in_message) {
        link_close(r->link);
        r->link = NULL;
    }
    if (r->messages == r->stop_at)
        loop_stop(r->loop);
}

static void on_end(void *arg, err e, const char *why)
{
    struct rig *r = arg;
    r->ends++;
    r->end = e;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    loop_stop(r->loop);
}

static void on_deadline(void *arg)
{
    struct rig *r = arg;
    loop_stop(r->loop);
}

/* The link is a data front's end: it hears the keeper. */
static void open_rig(struct rig *r, enum role self, enum role peer)
{
    int pair[2];
    *r = (struct rig){.stop_at = 1};
    assert_int_equal(loop_new(&r->loop, NULL), OK);
    assert_int_equal(socket_pair(false, pair, NULL), OK);
    r->far = pair[1];
    const struct link_opts opts = {.fd = pair[0],
                                   .self = self,
                                   .peer = peer,
                                   .arg = r,
                                   .on_message = on_message,
                                   .on_end = on_end};
    assert_int_equal(link_new(r->loop, &opts, &r->link, NULL), OK);
    assert_int_equal(timer_init(&r->deadline, r->loop, on_deadline, r, NULL), OK);
    timer_set(&r->deadline, DEADLINE_NS);
}

static void close_rig(struct rig *r)
{
    link_close(r->link);
    timer_close(&r->deadline);
    loop_free(r->loop);
    if (r->far >= 0)
        assert_int_equal(close(r->far), 0);
}

static void far_send(int far, const void *bytes, size_t len, const int *fds, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 8)];
    } control = {0};
    struct iovec io = {.iov_len = len};
    memcpy(&io.iov_base, &bytes, sizeof bytes);
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (count) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    assert_int_equal(sendmsg(far, &m, MSG_NOSIGNAL), len);
}

static size_t frame_of(uint8_t *out, struct message_frame frame, const char *payload)
{
    frame.bytes = (uint32_t)strlen(payload);
    message_frame_put(&frame, out);
    memcpy(out + MESSAGE_FRAME_BYTES, payload, frame.bytes);
    return MESSAGE_FRAME_BYTES + frame.bytes;
}

static unsigned open_fds(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int a_memfd(uint64_t *ret_inode)
{
    struct stat st;
    const int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *ret_inode = st.st_ino;
    return fd;
}

/* One lie each; every one ends the link with ERR_INPUT, hands nothing on and leaks nothing. */
static void link__ends_at_a_breach(void **state)
{
    (void)state;
    uint64_t inode;
    const int fd = a_memfd(&inode);
    const int fds[6] = {fd, fd, fd, fd, fd, fd};
    static const struct {
        struct message_frame frame;
        unsigned fds; /* that really come */
        bool late;    /* with the payload instead of the first byte */
    } lies[] = {
        {{.number = 99}, 0, false},                           /* unknown */
        {{.number = MESSAGE_hello}, 0, false},                /* the wrong way */
        {{.number = MESSAGE_status}, 0, false},               /* admin power for the data front */
        {{.number = MESSAGE_start, .flags = 0x80}, 0, false}, /* unknown flag */
        {{.number = MESSAGE_snapshot, .fds = 1}, 0, false},   /* claims one, brings none */
        {{.number = MESSAGE_snapshot, .fds = 1}, 2, false},   /* brings two */
        {{.number = MESSAGE_snapshot}, 1, false},             /* claims none */
        {{.number = MESSAGE_lane, .fds = 2}, 1, false},       /* too few */
        {{.number = MESSAGE_snapshot, .fds = 1}, 6, false},   /* more than any message may */
        {{.number = MESSAGE_start}, 1, true},                 /* in the middle */
    };
    struct rig r;
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER); /* the first loop of a process keeps a pipe */
    close_rig(&r);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint8_t bytes[64];
        const unsigned before = open_fds();
        open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
        const size_t len = frame_of(bytes, lies[i].frame, "payload");
        if (lies[i].late) {
            far_send(r.far, bytes, 20, NULL, 0);
            far_send(r.far, bytes + 20, len - 20, fds, lies[i].fds);
        } else {
            far_send(r.far, bytes, len, fds, lies[i].fds);
        }
        loop_run(r.loop);
        assert_int_equal(r.messages, 0);
        assert_int_equal(r.ends, 1);
        assert_int_equal(r.end, ERR_INPUT);
        assert_int_equal(
            link_send(r.link, &(struct link_send){.number = MESSAGE_up}, STR(""), NULL),
            ERR_UNAVAILABLE);
        close_rig(&r);
        assert_int_equal(open_fds(), before);
    }
    assert_int_equal(close(fd), 0);
}

static void link__ends_at_a_payload_that_is_too_big(void **state)
{
    (void)state;
    struct rig r;
    uint8_t bytes[MESSAGE_FRAME_BYTES];
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
    message_frame_put(
        &(struct message_frame){.number = MESSAGE_start, .bytes = MESSAGE_PAYLOAD_MAX + 1}, bytes);
    far_send(r.far, bytes, sizeof bytes, NULL, 0);
    loop_run(r.loop);
    assert_int_equal(r.end, ERR_INPUT);
    close_rig(&r);
}

static void link__tells_once_that_the_peer_has_gone(void **state)
{
    (void)state;
    struct rig r;
    uint8_t bytes[64];
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
    const size_t len = frame_of(bytes, (struct message_frame){.number = MESSAGE_start}, "payload");
    far_send(r.far, bytes, len - 1, NULL, 0); /* and never the last byte */
    assert_int_equal(close(r.far), 0);
    r.far = -1;
    loop_run(r.loop);
    assert_int_equal(r.messages, 0);
    assert_int_equal(r.ends, 1);
    assert_int_equal(r.end, ERR_UNAVAILABLE);
    close_rig(&r);
}

static void link__refuses_more_than_a_mebibyte_of_waiting(void **state)
{
    (void)state;
    static char big[MESSAGE_PAYLOAD_MAX + 1];
    struct rig r;
    struct fault f = {0};
    unsigned sent = 0;
    open_rig(&r, ROLE_KEEPER, ROLE_DATA_FRONT);
    const struct link_send how = {.number = MESSAGE_start};
    assert_int_equal(link_send(r.link, &how, (str){big, sizeof big}, NULL), ERR_TOO_BIG);
    assert_true(link_stuck_ns(r.link) == 0);
    err e;
    while ((e = link_send(r.link, &how, (str){big, MESSAGE_PAYLOAD_MAX}, &f)) == OK)
        assert_true(++sent < 100);
    assert_int_equal(e, ERR_BUSY);
    assert_true(sent >= 10);
    assert_true(link_stuck_ns(r.link) > 0);
    close_rig(&r);
}

static void link__brings_descriptors_with_their_message(void **state)
{
    (void)state;
    struct rig r;
    uint8_t bytes[256];
    size_t len = 0;
    uint64_t inode[3];
    int fds[3];
    for (unsigned i = 0; i < 3; i++)
        fds[i] = a_memfd(&inode[i]);
    const unsigned before = open_fds();
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
    /* a plain message and one with a descriptor, then two more with one each, before any is read */
    len = frame_of(bytes, (struct message_frame){.number = MESSAGE_start}, "plain");
    far_send(r.far, bytes, len, NULL, 0);
    for (unsigned i = 0; i < 3; i++) {
        len = frame_of(bytes, (struct message_frame){.number = MESSAGE_snapshot, .fds = 1, .id = i},
                       i == 1 ? "" : "some");
        far_send(r.far, bytes, len, &fds[i], 1);
    }
    r.stop_at = 4;
    loop_run(r.loop);
    assert_int_equal(r.messages, 4);
    assert_int_equal(r.ends, 0);
    assert_true(r.inode == inode[2] && r.frame.id == 2);
    close_rig(&r);
    assert_int_equal(open_fds(), before); /* what the callback did not take is closed */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(close(fds[i]), 0);
}

static void link__puts_pieces_together(void **state)
{
    (void)state;
    struct rig r;
    uint8_t bytes[64];
    uint64_t inode;
    const int fd = a_memfd(&inode);
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
    const size_t len = frame_of(
        bytes,
        (struct message_frame){
            .number = MESSAGE_snapshot, .flags = MESSAGE_ANSWER, .fds = 1, .id = UINT64_MAX},
        "payload");
    for (size_t i = 0; i < len; i++)
        far_send(r.far, bytes + i, 1, &fd, i == 0);
    loop_run(r.loop);
    assert_int_equal(r.messages, 1);
    assert_int_equal(r.frame.bytes, 7);
    assert_true(r.frame.id == UINT64_MAX && r.frame.flags == MESSAGE_ANSWER);
    assert_memory_equal(r.payload, "payload", 7);
    assert_true(r.inode == inode);
    close_rig(&r);
    assert_int_equal(close(fd), 0);
}

static void link__may_be_closed_in_its_own_callback(void **state)
{
    (void)state;
    struct rig r;
    uint8_t bytes[64];
    open_rig(&r, ROLE_DATA_FRONT, ROLE_KEEPER);
    r.close_in_message = true;
    const size_t len = frame_of(bytes, (struct message_frame){.number = MESSAGE_start}, "a");
    far_send(r.far, bytes, len, NULL, 0);
    far_send(r.far, bytes, len, NULL, 0);
    loop_run(r.loop);
    assert_int_equal(r.messages, 1);
    assert_int_equal(r.ends, 0);
    close_rig(&r);
}

/* Two links, one on each end: a message longer than the socket's buffer with descriptors between.
 */
static void link__sends_what_another_link_takes(void **state)
{
    (void)state;
    static char big[MESSAGE_PAYLOAD_MAX];
    struct rig a, b;
    int pair[2];
    uint64_t inode;
    const int fd = a_memfd(&inode);
    open_rig(&a, ROLE_DATA_FRONT, ROLE_KEEPER);
    open_rig(&b, ROLE_KEEPER, ROLE_DATA_FRONT);
    link_close(a.link);
    link_close(b.link);
    assert_int_equal(socket_pair(false, pair, NULL), OK);
    struct link_opts opts = {.fd = pair[0],
                             .self = ROLE_DATA_FRONT,
                             .peer = ROLE_KEEPER,
                             .arg = &a,
                             .on_message = on_message,
                             .on_end = on_end};
    assert_int_equal(link_new(a.loop, &opts, &a.link, NULL), OK);
    opts = (struct link_opts){.fd = pair[1],
                              .self = ROLE_KEEPER,
                              .peer = ROLE_DATA_FRONT,
                              .arg = &b,
                              .on_message = on_message,
                              .on_end = on_end};
    assert_int_equal(link_new(a.loop, &opts, &b.link, NULL), OK);
    memset(big, 'x', sizeof big);
    a.stop_at = 10;
    for (unsigned i = 0; i < 10; i++) {
        const bool with = i % 2;
        const struct link_send how = {
            .number = with ? MESSAGE_snapshot : MESSAGE_start, .fds = with, .fd = &fd, .id = i};
        assert_int_equal(link_send(b.link, &how, (str){big, with ? 16 : sizeof big}, NULL), OK);
    }
    loop_run(a.loop);
    assert_int_equal(a.messages, 10);
    assert_true(a.frame.id == 9 && a.inode == inode);
    assert_true(link_stuck_ns(b.link) == 0);
    link_close(b.link);
    b.link = NULL;
    close_rig(&a);
    close_rig(&b);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link__ends_at_a_breach),
        cmocka_unit_test(link__ends_at_a_payload_that_is_too_big),
        cmocka_unit_test(link__tells_once_that_the_peer_has_gone),
        cmocka_unit_test(link__refuses_more_than_a_mebibyte_of_waiting),
        cmocka_unit_test(link__brings_descriptors_with_their_message),
        cmocka_unit_test(link__puts_pieces_together),
        cmocka_unit_test(link__may_be_closed_in_its_own_callback),
        cmocka_unit_test(link__sends_what_another_link_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
