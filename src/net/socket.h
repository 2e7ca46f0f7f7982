/* Sockets as they are made once: listeners of the keeper, its local socket, pairs for its children.
 * Everything is close-on-exec and non-blocking but where said.
 * errors  ERR_UNAVAILABLE: the system refused, with address and reason
 * thread  any; nothing blocks but socket_connect_unix
 * source  socket(7), unix(7) */
#ifndef GARRISON_NET_SOCKET_H
#define GARRISON_NET_SOCKET_H

#include <stdint.h>

#include "base/fault.h"

/* Where to listen: ip holds 4 bytes (family 4) or 16 (family 6, IPv6 alone). */
struct socket_address {
    uint8_t ip[16];
    uint16_t port; /* 0: a free one */
    uint8_t family;
};

/* Binds and listens on count sockets of one address that share its port by SO_REUSEPORT; the kernel
 * spreads connections over them.
 * out     ret_fds   count descriptors, yours
 *         ret_port  the port in use
 * errors  also ERR_CONFLICT: the address is in use */
MUST_USE err socket_listen(const struct socket_address *a, uint32_t count, int *ret_fds,
                           uint16_t *ret_port, struct fault *f);

/* A listening Unix stream socket at path with that mode; a socket left there by a dead process is
 * replaced. errors: also ERR_CONFLICT: something else, or a living listener, is at path */
MUST_USE err socket_listen_unix(const char *path, unsigned mode, int *ret_fd, struct fault *f);

/* The next connection, or ERR_NOT_FOUND (f untouched) where none waits. */
MUST_USE err socket_accept(int listener, int *ret_fd, struct fault *f);

/* The user at the other end of a Unix socket (SO_PEERCRED). */
MUST_USE err socket_peer_uid(int fd, uint32_t *ret_uid, struct fault *f);

/* Two connected Unix stream sockets; the second is blocking where block is set. */
MUST_USE err socket_pair(bool block, int ret_fds[2], struct fault *f);

/* Connects to path; the descriptor blocks, at most timeout_ms a call. */
MUST_USE err socket_connect_unix(const char *path, uint32_t timeout_ms, int *ret_fd,
                                 struct fault *f);

#endif
