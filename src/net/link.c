/* Framing with descriptors. The complication is where descriptors arrive: the kernel hands them out
 * with the first byte of the message that carried them, so header and payload are read apart, never
 * beyond their ends, and descriptors at any other place are a breach. */
#include "net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define READS_A_TURN 64u /* so that one peer cannot hold the loop */

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
};

struct parcel { /* a message that waits to be sent */
    struct parcel *next;
    int fd[MESSAGE_FDS_MAX]; /* duplicates, until the first byte is out */
    uint8_t fds;
    uint32_t len, sent;
    uint8_t bytes[];
};

struct link {
    struct link_opts o;
    struct poll poll;
    bool ended;  /* told on_end, or closed */
    bool closed; /* free when the last callback has returned */
    bool inside; /* in a callback of ours */
    struct parcel *first, *last;
    uint64_t waiting;
    uint64_t stuck_ns;
    uint8_t head[MESSAGE_FRAME_BYTES];
    uint32_t head_got, body_got;
    struct message_frame frame; /* valid once head_got is full */
    uint8_t *body;
    int fd[MESSAGE_FDS_MAX];
    uint8_t fds;
};

static void close_fds(int *fd, uint8_t *count)
{
    for (unsigned i = 0; i < *count; i++)
        if (fd[i] >= 0)
            (void)close(fd[i]);
    *count = 0;
}

static void parcel_free(struct parcel *p)
{
    close_fds(p->fd, &p->fds);
    free(p);
}

static void link_free(struct link *k)
{
    while (k->first) {
        struct parcel *p = k->first;
        k->first = p->next;
        parcel_free(p);
    }
    close_fds(k->fd, &k->fds);
    free(k->body);
    free(k);
}

/* Stops all traffic; on_end only once and never after link_close. */
static void end(struct link *k, err e, const char *why)
{
    if (k->ended)
        return;
    k->ended = true;
    poll_want(&k->poll, 0);
    k->o.on_end(k->o.arg, e, why);
}

/* --- receiving ---------------------------------------------------------------------------------
 */

/* Collects the descriptors of one recvmsg; false: too many, cut, or another kind of control. */
static bool take_fds(struct link *k, struct msghdr *m)
{
    bool good = !(m->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (k->fds < MESSAGE_FDS_MAX) {
                k->fd[k->fds++] = fd;
            } else {
                (void)close(fd);
                good = false;
            }
        }
    }
    return good;
}

/* Reads up to len bytes; first: at the first byte of a message.
 * returns bytes read; 0: nothing now, or the link has ended */
static uint32_t receive(struct link *k, uint8_t *at, uint32_t len, bool first)
{
    union control control;
    struct iovec io = {.iov_base = at, .iov_len = len};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    const ssize_t n = recvmsg(k->o.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    const uint8_t before = k->fds;
    const bool good = n > 0 && take_fds(k, &m);
    if (n <= 0)
        end(k, ERR_UNAVAILABLE, n == 0 ? "the peer has closed" : strerror(errno));
    else if (!good || (k->fds != before && !first))
        end(k, ERR_INPUT, "descriptors that belong to no message");
    else
        return (uint32_t)n;
    return 0;
}

static void deliver(struct link *k)
{
    const struct link_message m = {
        .frame = k->frame, .payload = {(const char *)k->body, k->frame.bytes}, .fds = k->fd};
    k->o.on_message(k->o.arg, &m);
    close_fds(k->fd, &k->fds);
    free(k->body);
    k->body = NULL;
    k->head_got = 0;
    k->body_got = 0;
}

/* The header is whole: holds it against the table and makes room for the payload. */
static void header_done(struct link *k)
{
    struct fault f = {0};
    err e = message_frame_get(k->head, &k->frame, &f);
    if (e == OK)
        e = message_allowed(&k->frame, k->o.peer, k->o.self, &f);
    if (e == OK && k->frame.fds != k->fds)
        e = fail(&f, ERR_INPUT, "%u descriptors came, the frame says %u", k->fds, k->frame.fds);
    if (e == OK && k->frame.bytes > 0 && !(k->body = malloc(k->frame.bytes)))
        e = fail(&f, ERR_UNAVAILABLE, "no memory for a message");
    if (e != OK)
        end(k, e, f.text);
}

/* One step; false: nothing more to read now. */
static bool receive_step(struct link *k)
{
    if (k->head_got < MESSAGE_FRAME_BYTES) {
        const uint32_t got =
            receive(k, k->head + k->head_got, MESSAGE_FRAME_BYTES - k->head_got, k->head_got == 0);
        k->head_got += got;
        if (got > 0 && k->head_got == MESSAGE_FRAME_BYTES)
            header_done(k);
        if (got == 0 || k->ended)
            return false;
        if (k->head_got < MESSAGE_FRAME_BYTES)
            return true;
    } else {
        const uint32_t got = receive(k, k->body + k->body_got, k->frame.bytes - k->body_got, false);
        k->body_got += got;
        if (got == 0)
            return false;
    }
    if (k->body_got == k->frame.bytes)
        deliver(k);
    return !k->ended;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static ssize_t send_some(struct link *k, struct parcel *p)
{
    union control control = {0};
    struct iovec io = {.iov_base = p->bytes + p->sent, .iov_len = p->len - p->sent};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (p->fds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * p->fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * p->fds);
        memcpy(CMSG_DATA(c), p->fd, sizeof(int) * p->fds);
    }
    ssize_t n;
    do
        n = sendmsg(k->o.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Sends what waits. A failed send is left to the reading side, which sees the end of the peer. */
static void flush(struct link *k)
{
    while (k->first && !k->ended) {
        struct parcel *p = k->first;
        const ssize_t n = send_some(k, p);
        if (n <= 0)
            break;
        close_fds(p->fd, &p->fds);
        p->sent += (uint32_t)n;
        k->waiting -= (uint64_t)n;
        k->stuck_ns = clock_ns();
        if (p->sent < p->len)
            continue;
        k->first = p->next;
        if (!k->first)
            k->last = NULL;
        parcel_free(p);
    }
    if (!k->ended)
        poll_want(&k->poll, k->first ? POLL_READ | POLL_WRITE : POLL_READ);
}

static void on_ready(void *arg, unsigned ready)
{
    struct link *k = arg;
    k->inside = true;
    if (ready & POLL_WRITE)
        flush(k);
    if (ready & POLL_READ)
        for (unsigned i = 0; i < READS_A_TURN && !k->ended && receive_step(k); i++)
            continue;
    k->inside = false;
    if (k->closed)
        link_free(k);
}

err link_send(struct link *k, const struct link_send *how, str payload, struct fault *f)
{
    const struct message_frame frame = {.bytes = (uint32_t)payload.len,
                                        .number = how->number,
                                        .flags = how->flags,
                                        .fds = how->fds,
                                        .id = how->id};
    if (k->ended)
        return fail(f, ERR_UNAVAILABLE, "the link has ended");
    if (payload.len > MESSAGE_PAYLOAD_MAX || how->fds > MESSAGE_FDS_MAX)
        return fail(f, ERR_TOO_BIG, "a message of %zu bytes, want <= %u", payload.len,
                    MESSAGE_PAYLOAD_MAX);
    if (k->waiting + payload.len > LINK_WAITING_MAX)
        return fail(f, ERR_BUSY, "%" PRIu64 " bytes wait for the peer", k->waiting);
    const uint32_t len = MESSAGE_FRAME_BYTES + (uint32_t)payload.len;
    struct parcel *p = malloc(sizeof *p + len);
    if (!p)
        return fail(f, ERR_UNAVAILABLE, "no memory for a message");
    *p = (struct parcel){.len = len};
    for (unsigned i = 0; i < how->fds; i++) {
        p->fd[i] = fcntl(how->fd[i], F_DUPFD_CLOEXEC, 3);
        if (p->fd[i] < 0) {
            const int why = errno;
            parcel_free(p);
            return fail(f, ERR_UNAVAILABLE, "no descriptor to pass: %s", strerror(why));
        }
        p->fds++;
    }
    message_frame_put(&frame, p->bytes);
    if (payload.len > 0)
        memcpy(p->bytes + MESSAGE_FRAME_BYTES, payload.at, payload.len);
    if (k->last)
        k->last->next = p;
    else
        k->first = p;
    k->last = p;
    if (k->waiting == 0)
        k->stuck_ns = clock_ns();
    k->waiting += len;
    flush(k);
    return OK;
}

uint64_t link_stuck_ns(const struct link *k)
{
    return k->waiting > 0 ? k->stuck_ns : 0;
}

err link_new(struct loop *l, const struct link_opts *opts, struct link **ret_link, struct fault *f)
{
    struct link *k = calloc(1, sizeof *k);
    if (!k) {
        (void)close(opts->fd);
        return fail(f, ERR_UNAVAILABLE, "no memory for a link");
    }
    k->o = *opts;
    const err e = poll_init(&k->poll, l, opts->fd, on_ready, k, f);
    if (e != OK) {
        (void)close(opts->fd);
        free(k);
        return e;
    }
    poll_want(&k->poll, POLL_READ);
    *ret_link = k;
    return OK;
}

void link_close(struct link *k)
{
    if (!k || k->closed)
        return;
    k->ended = true;
    k->closed = true;
    poll_close(&k->poll);
    (void)close(k->o.fd);
    k->o.fd = -1;
    if (!k->inside)
        link_free(k);
}
