/* Accepted TCP connections and the listeners they come from.
 * A connection stays on its loop for life. It has a peer (who is connected) and a client (who is
 * served): two addresses, equal unless a trusted proxy stands between.
 * thread  the loop's own; nothing blocks
 * source  RFC 9112 section 9 (closing) */
#ifndef GARRISON_NET_CONN_H
#define GARRISON_NET_CONN_H

#include <stdatomic.h>

#include <sys/uio.h>

#include "net/loop.h"

struct conn;
struct listener;

/* An IP address as 16 bytes (IPv4 as ::ffff:a.b.c.d, RFC 4291 section 2.5.5.2) and a port. */
struct address {
    uint8_t ip[16];
    uint16_t port;
};
bool address_is_loopback(const struct address *a);
/* Text without the port into out (46 bytes); returns its length. "127.0.0.1", "2001:db8::1". */
unsigned address_text(const struct address *a, char *out);

/* What the owner of a connection hears. After conn_close nothing but closed is called. */
struct conn_ops {
    void (*data)(void *owner, str bytes); /* borrowed until return */
    void (*end)(void *owner);     /* the peer has left: end of stream or reset; no data follows */
    void (*drained)(void *owner); /* every byte of an unfinished conn_write is with the kernel */
    void (*closed)(void *owner);  /* the connection is gone; its memory too, after return */
    /* Where the next bytes may be read to, and how many: they come to data without a copy between.
     * 0 or no function: they stand in a buffer of the loop. */
    uint64_t (*room)(void *owner, uint8_t **ret_at);
};

/* Takes over a listening descriptor (non-blocking, stays open for its other holders); accept calls
 * `accepted` for each connection, which must conn_own it or close it before it returns.
 * in      conns_max  of all listeners of this loop, shared counter *conns (read by any thread);
 *                    beyond it accept pauses
 *         room       a connection of this listener is gone: time to retry those that paused
 */
struct listener_opts {
    int fd;
    _Atomic uint32_t *conns;
    uint32_t conns_max;
    void (*accepted)(void *arg, struct conn *c);
    void (*room)(void *arg);
    void *arg;
};
MUST_USE err listener_open(struct loop *l, const struct listener_opts *opts,
                           struct listener **ret_listener, struct fault *f);
void listener_close(struct listener *li); /* accepts no more; NULL is a no-op */
/* Accepts what waits in the kernel now, as far as conns_max goes, then closes: whose handshake is
 * done is not reset. */
void listener_drain(struct listener *li);
void listener_retry(struct listener *li); /* accepts again after a pause, if there is room now */

void conn_own(struct conn *c, const struct conn_ops *ops, void *owner); /* starts reading */
void conn_pause(struct conn *c); /* no data until conn_resume: back-pressure */
void conn_resume(struct conn *c);

/* Writes pieces in order. Returns the bytes that are not with the kernel yet: 0, or the pieces'
 * memory must stay until drained is called. One unfinished write at a time. */
uint64_t conn_write(struct conn *c, const struct iovec *pieces, uint32_t count);

/* Of an unfinished write, the bytes that the peer's machine has not acknowledged; 0: none is
 * unfinished. What the kernel holds counts too: it takes megabytes at a time, which a slow reader
 * needs long for. */
uint64_t conn_unsent(const struct conn *c);

void conn_close(struct conn *c); /* now; unsent bytes are lost */
/* Sends end of stream after what is queued, reads and forgets what still comes (or the kernel would
 * reset and take the last reply with it), and closes at the peer's end or after 1 s. */
void conn_finish(struct conn *c);

struct address conn_peer(const struct conn *c);
struct address conn_client(const struct conn *c);

#endif
