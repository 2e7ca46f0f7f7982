/* Making sockets. The complication is port 0: the first socket of an address learns a free port,
 * the others then ask for that one. */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/scope.h"

#define BACKLOG 4096

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t address_of(const struct socket_address *a, uint16_t port, union any_address *ret)
{
    *ret = (union any_address){0};
    if (a->family == 6) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(port);
        memcpy(&ret->v6.sin6_addr, a->ip, 16);
        return sizeof ret->v6;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons(port);
    memcpy(&ret->v4.sin_addr, a->ip, 4);
    return sizeof ret->v4;
}

static err refused(const char *what, struct fault *f)
{
    const err e = errno == EADDRINUSE ? ERR_CONFLICT : ERR_UNAVAILABLE;
    return fail(f, e, "cannot listen: %s: %s", what, strerror(errno));
}

static err port_of(int fd, uint16_t *ret, struct fault *f)
{
    union any_address at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, &at.any, &len) != 0)
        return refused("getsockname", f);
    *ret = ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
    return OK;
}

static err listen_one(const struct socket_address *a, uint16_t *port, int *ret_fd, struct fault *f)
{
    union any_address at;
    const socklen_t len = address_of(a, *port, &at);
    const int on = 1;
    SCOPED(fd_undo)
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refused("socket", f);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return refused("setsockopt", f);
    if (a->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return refused("setsockopt IPV6_V6ONLY", f);
    if (bind(fd, &at.any, len) != 0)
        return refused("bind", f);
    if (listen(fd, BACKLOG) != 0)
        return refused("listen", f);
    err e = *port ? OK : port_of(fd, port, f);
    if (e == OK)
        *ret_fd = fd_give(&fd);
    return e;
}

/* SO_REUSEPORT lets another server of the same user share a port by accident, so the first bind is
 * made without it: a port in use is then an error. */
static err port_is_free(const struct socket_address *a, struct fault *f)
{
    union any_address at;
    const socklen_t len = address_of(a, a->port, &at);
    const int on = 1;
    SCOPED(fd_undo)
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return refused("socket", f);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->family == 6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return bind(fd, &at.any, len) == 0 ? OK : refused("bind", f);
}

err socket_listen(const struct socket_address *a, uint32_t count, int *ret_fds, uint16_t *ret_port,
                  struct fault *f)
{
    uint16_t port = a->port;
    uint32_t made = 0;
    err e = port ? port_is_free(a, f) : OK;
    while (e == OK && made < count) {
        e = listen_one(a, &port, &ret_fds[made], f);
        made += e == OK;
    }
    if (e == OK) {
        *ret_port = port;
        return OK;
    }
    while (made > 0)
        (void)close(ret_fds[--made]);
    return e;
}

static err unix_address(const char *path, union any_address *ret, struct fault *f)
{
    *ret = (union any_address){.local = {.sun_family = AF_UNIX}};
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof ret->local.sun_path)
        return fail(f, ERR_INPUT, "socket path has %zu bytes, want 1..%zu: \"%s\"", len,
                    sizeof ret->local.sun_path - 1, path);
    memcpy(ret->local.sun_path, path, len);
    return OK;
}

/* Removes a socket file nobody listens on. */
static err clear_path(const char *path, const union any_address *at, struct fault *f)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return OK;
    if (!S_ISSOCK(st.st_mode))
        return fail(f, ERR_CONFLICT, "\"%s\" is no socket, want nothing or a socket there", path);
    SCOPED(fd_undo)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return refused("socket", f);
    if (connect(fd, &at->any, sizeof at->local) == 0)
        return fail(f, ERR_CONFLICT, "another server listens on \"%s\"", path);
    if (unlink(path) != 0)
        return fail(f, ERR_UNAVAILABLE, "cannot replace \"%s\": %s", path, strerror(errno));
    return OK;
}

err socket_listen_unix(const char *path, unsigned mode, int *ret_fd, struct fault *f)
{
    union any_address at;
    err e = unix_address(path, &at, f);
    if (e == OK)
        e = clear_path(path, &at, f);
    if (e != OK)
        return e;
    SCOPED(fd_undo)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refused("socket", f);
    if (fchmod(fd, mode) != 0)
        return refused("fchmod", f); /* before bind: the file is never wider than mode */
    if (bind(fd, &at.any, sizeof at.local) != 0)
        return fail(f, ERR_UNAVAILABLE, "cannot bind \"%s\": %s", path, strerror(errno));
    if (chmod(path, mode) != 0 || listen(fd, 64) != 0)
        return fail(f, ERR_UNAVAILABLE, "cannot listen on \"%s\": %s", path, strerror(errno));
    *ret_fd = fd_give(&fd);
    return OK;
}

err socket_accept(int listener, int *ret_fd, struct fault *f)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        *ret_fd = fd;
        return OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED || errno == EINTR)
        return ERR_NOT_FOUND;
    return fail(f, ERR_UNAVAILABLE, "cannot accept: %s", strerror(errno));
}

err socket_peer_uid(int fd, uint32_t *ret_uid, struct fault *f)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return fail(f, ERR_UNAVAILABLE, "the peer's user is unknown: %s", strerror(errno));
    *ret_uid = peer.uid;
    return OK;
}

err socket_pair(bool block, int ret_fds[2], struct fault *f)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return fail(f, ERR_UNAVAILABLE, "no socket pair: %s", strerror(errno));
    if (block && fcntl(fds[1], F_SETFL, 0) != 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return fail(f, ERR_UNAVAILABLE, "no blocking socket: %s", strerror(errno));
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return OK;
}

err socket_connect_unix(const char *path, uint32_t timeout_ms, int *ret_fd, struct fault *f)
{
    union any_address at;
    const struct timeval limit = {.tv_sec = timeout_ms / 1000,
                                  .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    const err e = unix_address(path, &at, f);
    if (e != OK)
        return e;
    SCOPED(fd_undo)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return fail(f, ERR_UNAVAILABLE, "no local socket: %s", strerror(errno));
    if (connect(fd, &at.any, sizeof at.local) != 0)
        return fail(f, ERR_UNAVAILABLE, "cannot connect to \"%s\": %s", path, strerror(errno));
    *ret_fd = fd_give(&fd);
    return OK;
}
