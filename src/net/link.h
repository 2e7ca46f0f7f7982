/* Framed messages (base/message) over a connected Unix stream socket, on a loop.
 * Every message is held against the table: number, direction, size, descriptors. The first breach
 * ends the link: on_end is called once, nothing of the broken message is handed on. At most 1 MiB
 * waits to be sent; a message is held whole until its last byte has come.
 * thread  the loop's; nothing blocks
 * source  api.md section 8 */
#ifndef GARRISON_NET_LINK_H
#define GARRISON_NET_LINK_H

#include "base/message.h"
#include "net/loop.h"

#define LINK_WAITING_MAX (1u << 20)

struct link;

/* A message as it came. payload is borrowed until return. fds: frame.fds descriptors; those not
 * taken (set to -1) are closed after the callback. */
struct link_message {
    struct message_frame frame;
    str payload;
    int *fds;
};

struct link_opts {
    int fd;         /* connected; the link closes it, also when link_new fails */
    enum role self; /* who receives here */
    enum role peer; /* who sends */
    void *arg;
    void (*on_message)(void *arg, const struct link_message *m);
    /* The peer has gone (ERR_UNAVAILABLE), or broke a rule (ERR_INPUT). The link sends and receives
     * nothing more; call link_close, in here or later. */
    void (*on_end)(void *arg, err e, const char *why);
};

/* *ret_link is yours: link_close. */
MUST_USE err link_new(struct loop *l, const struct link_opts *opts, struct link **ret_link,
                      struct fault *f);
void link_close(struct link *k); /* also from its callbacks; NULL is a no-op */

/* Sends one message: frame's number, flags and id; payload is copied; fds (borrowed) ride on it.
 * errors  ERR_BUSY: 1 MiB waits already; ERR_UNAVAILABLE: the link has ended, or no memory */
struct link_send {
    uint16_t number;
    uint8_t flags;
    uint8_t fds;
    uint64_t id;
    const int *fd; /* fds of them */
};
MUST_USE err link_send(struct link *k, const struct link_send *how, str payload, struct fault *f);

/* Monotonic time since which the peer has taken nothing of what waits for it; 0: nothing waits. */
uint64_t link_stuck_ns(const struct link *k);

#endif
