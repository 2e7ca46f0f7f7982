/* TCP connections over libuv streams. Reads go to one buffer of the loop's thread per connection
 * turn; writes try the kernel first and queue only what it refused. */
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/must.h"
#include "net/loop_uv.h"

#define READ_BYTES     65536u
#define LISTEN_BACKLOG 1024
#define FINISH_MS      1000u
#define TRY_PIECES     64u

struct listener {
    uv_tcp_t tcp;
    struct listener_opts opts;
    char *
        read_buffer; /* READ_BYTES, shared by the connections: a read is consumed before the next */
    uint32_t holders; /* itself, and every connection that reads into the buffer */
    bool waiting;     /* a connection waits in the kernel for room */
};

struct conn {
    uv_tcp_t tcp;
    struct listener *from;
    const struct conn_ops *ops;
    void *owner;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_timer_t *finish_timer;
    uint64_t unsent;
    struct address peer, client;
    bool reading, closing, finishing;
};

bool address_is_loopback(const struct address *a)
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    static const uint8_t v6[16] = {[15] = 1};
    return (memcmp(a->ip, v4, 12) == 0 && a->ip[12] == 127) || memcmp(a->ip, v6, 16) == 0;
}

unsigned address_text(const struct address *a, char *out)
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    const bool is_v4 = memcmp(a->ip, v4, 12) == 0;
    const char *text =
        inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? a->ip + 12 : a->ip, out, INET6_ADDRSTRLEN);
    return text ? (unsigned)strlen(text) : 0;
}

static struct address address_of(const struct sockaddr_storage *s)
{
    struct address a = {.port = 0};
    if (s->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, s, sizeof(in));
        a.ip[10] = a.ip[11] = 0xFF;
        memcpy(a.ip + 12, &in.sin_addr, 4);
        a.port = ntohs(in.sin_port);
    } else if (s->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, s, sizeof(in6));
        memcpy(a.ip, &in6.sin6_addr, 16);
        a.port = ntohs(in6.sin6_port);
    }
    return a;
}

/* Listeners -------------------------------------------------------------------------------------
 */

static void listener_release(struct listener *li)
{
    if (--li->holders > 0)
        return;
    free(li->read_buffer);
    free(li);
}

static void on_listener_closed(uv_handle_t *handle)
{
    listener_release(handle->data);
}

static void on_accepted_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct listener *li = c->from;
    if (c->ops)
        c->ops->closed(c->owner);
    (void)atomic_fetch_sub_explicit(li->opts.conns, 1, memory_order_relaxed);
    free(c);
    if (!uv_is_closing((uv_handle_t *)&li->tcp))
        li->opts.room(li->opts.arg);
    listener_release(li);
}

static bool full(const struct listener *li)
{
    return atomic_load_explicit(li->opts.conns, memory_order_relaxed) >= li->opts.conns_max;
}

/* Takes fd, or what libuv holds where fd is -1. */
static void accept_one(struct listener *li, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    if (!c) {
        if (fd >= 0)
            (void)close(fd);
        li->waiting = true; /* libuv keeps the connection, and accepts no other before it */
        return;
    }
    must(uv_tcp_init(li->tcp.loop, &c->tcp) == 0);
    c->tcp.data = c;
    c->from = li;
    li->holders++;
    (void)atomic_fetch_add_explicit(li->opts.conns, 1, memory_order_relaxed);
    const int status = fd >= 0 ? uv_tcp_open(&c->tcp, fd)
                               : uv_accept((uv_stream_t *)&li->tcp, (uv_stream_t *)&c->tcp);
    if (status != 0) {
        if (fd >= 0)
            (void)close(fd);
        conn_close(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    struct sockaddr_storage peer = {0};
    int len = sizeof(peer);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &len) == 0)
        c->peer = address_of(&peer);
    c->client = c->peer;
    li->opts.accepted(li->opts.arg, c);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *li = server->data;
    if (status < 0)
        return; /* out of descriptors: libuv sheds and goes on */
    if (full(li)) {
        li->waiting = true;
        return;
    }
    accept_one(li, -1);
}

err listener_open(struct loop *l, const struct listener_opts *opts, struct listener **ret_listener,
                  struct fault *f)
{
    struct listener *li = calloc(1, sizeof(*li));
    char *buffer = malloc(READ_BYTES);
    if (!li || !buffer) {
        free(li);
        free(buffer);
        return fail(f, ERR_UNAVAILABLE, "no memory for a listener");
    }
    li->opts = *opts;
    li->read_buffer = buffer;
    li->holders = 1;
    must(uv_tcp_init(loop_uv(l), &li->tcp) == 0);
    li->tcp.data = li;
    int status = uv_tcp_open(&li->tcp, opts->fd);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&li->tcp, LISTEN_BACKLOG, on_connection);
    if (status != 0) {
        uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
        return fail(f, ERR_UNAVAILABLE, "cannot listen on descriptor %d: %s", opts->fd,
                    uv_strerror(status));
    }
    *ret_listener = li;
    return OK;
}

void listener_close(struct listener *li)
{
    if (li && !uv_is_closing((uv_handle_t *)&li->tcp))
        uv_close((uv_handle_t *)&li->tcp, on_listener_closed);
}

void listener_retry(struct listener *li)
{
    if (!li->waiting || full(li) || uv_is_closing((uv_handle_t *)&li->tcp))
        return;
    li->waiting = false;
    accept_one(li, -1);
}

void listener_drain(struct listener *li)
{
    if (!li)
        return;
    listener_retry(li); /* the one that libuv took before we paused */
    while (!full(li) && !uv_is_closing((uv_handle_t *)&li->tcp)) {
        const int fd = accept4(li->opts.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            accept_one(li, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    listener_close(li);
}

/* Reading ---------------------------------------------------------------------------------------
 */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    const struct conn *c = handle->data;
    uint8_t *at = NULL;
    const uint64_t room =
        c->ops->room && !c->closing && !c->finishing ? c->ops->room(c->owner, &at) : 0;
    if (room > 0)
        *buffer = uv_buf_init((char *)at, room < UINT32_MAX ? (unsigned)room : UINT32_MAX);
    else
        *buffer = uv_buf_init(c->from->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct conn *c = stream->data;
    if (n == 0 || c->closing)
        return;
    if (n < 0) {
        (void)uv_read_stop(stream);
        c->reading = false;
        if (c->finishing)
            conn_close(c);
        else
            c->ops->end(c->owner);
        return;
    }
    if (!c->finishing)
        c->ops->data(c->owner, (str){buffer->base, (size_t)n});
}

void conn_own(struct conn *c, const struct conn_ops *ops, void *owner)
{
    c->ops = ops;
    c->owner = owner;
    conn_resume(c);
}

void conn_pause(struct conn *c)
{
    if (c->reading)
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

void conn_resume(struct conn *c)
{
    if (!c->reading && !c->closing)
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
}

/* Writing ---------------------------------------------------------------------------------------
 */

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = request->data;
    c->unsent = 0;
    if (c->closing)
        return;
    if (status < 0)
        c->ops->end(c->owner);
    else
        c->ops->drained(c->owner);
}

/* Skips `sent` bytes of the pieces; *ret_first is the first piece with bytes left. */
static uint64_t skip(struct iovec *pieces, uint32_t count, uint64_t sent, uint32_t *ret_first)
{
    uint32_t i = 0;
    while (i < count && sent >= pieces[i].iov_len) {
        sent -= pieces[i].iov_len;
        i++;
    }
    if (i < count) {
        pieces[i].iov_base = (char *)pieces[i].iov_base + sent;
        pieces[i].iov_len -= sent;
    }
    *ret_first = i;
    uint64_t left = 0;
    for (uint32_t k = i; k < count; k++)
        left += pieces[k].iov_len;
    return left;
}

/* struct iovec and uv_buf_t have the same layout on Unix, which libuv promises. */
_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec), "uv_buf_t is not an iovec");

static uint64_t write_rest(struct conn *c, const struct iovec *pieces, uint32_t count,
                           uint64_t sent)
{
    struct iovec *rest = malloc(count * sizeof(*rest));
    if (!rest) {
        conn_close(c);
        return 0;
    }
    memcpy(rest, pieces, count * sizeof(*rest));
    uint32_t first = 0;
    c->unsent = skip(rest, count, sent, &first);
    c->write.data = c;
    const int status = c->unsent == 0
                           ? 0
                           : uv_write(&c->write, (uv_stream_t *)&c->tcp,
                                      (const uv_buf_t *)(rest + first), count - first, on_written);
    free(rest); /* libuv has copied the array, not the bytes */
    if (status != 0) {
        c->unsent = 0;
        conn_close(c);
    }
    return c->unsent;
}

uint64_t conn_write(struct conn *c, const struct iovec *pieces, uint32_t count)
{
    if (c->closing || count == 0)
        return 0;
    must(c->unsent == 0);
    uint64_t len = 0;
    const uint32_t tried = count < TRY_PIECES ? count : TRY_PIECES;
    for (uint32_t i = 0; i < count; i++)
        len += pieces[i].iov_len;
    const int n = uv_try_write((uv_stream_t *)&c->tcp, (const uv_buf_t *)pieces, tried);
    if (n < 0 && n != UV_EAGAIN) {
        conn_close(c);
        return 0;
    }
    const uint64_t sent = n > 0 ? (uint64_t)n : 0;
    if (sent == len)
        return 0;
    return write_rest(c, pieces, count, sent);
}

uint64_t conn_unsent(const struct conn *c)
{
    int fd = -1;
    int kernel = 0;
    if (c->unsent == 0)
        return 0;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &kernel) != 0)
        kernel = 0;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) + (uint64_t)kernel;
}

/* Closing ---------------------------------------------------------------------------------------
 */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->finish_timer)
        uv_close((uv_handle_t *)c->finish_timer, on_timer_closed);
    uv_close((uv_handle_t *)&c->tcp, on_accepted_closed);
}

static void on_finish_late(uv_timer_t *timer)
{
    conn_close(timer->data);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct conn *c = request->data;
    if (status < 0 && !c->closing)
        conn_close(c);
}

void conn_finish(struct conn *c)
{
    if (c->closing || c->finishing)
        return;
    uv_timer_t *timer = malloc(sizeof(*timer));
    if (!timer) {
        conn_close(c);
        return;
    }
    must(uv_timer_init(c->tcp.loop, timer) == 0);
    timer->data = c;
    c->finish_timer = timer;
    c->finishing = true;
    c->shutdown.data = c;
    must(uv_timer_start(timer, on_finish_late, FINISH_MS, 0) == 0);
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        conn_close(c);
        return;
    }
    conn_resume(c);
}

struct address conn_peer(const struct conn *c)
{
    return c->peer;
}

struct address conn_client(const struct conn *c)
{
    return c->client;
}
