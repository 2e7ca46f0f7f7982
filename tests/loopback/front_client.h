/* Clients of a front in this process: connections, requests, replies. */
#ifndef GARRISON_TESTS_LOOPBACK_FRONT_CLIENT_H
#define GARRISON_TESTS_LOOPBACK_FRONT_CLIENT_H

#include "front_rig.h"

struct reply {
    int status; /* 0: the connection ended without one */
    size_t head, body;
    char bytes[70000];
};

__attribute__((noinline)) static int rig_connect(const struct rig *r)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(r->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval wait = {.tv_sec = RIG_WAIT_NS / NS_PER_S};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
    must(connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

/* false: the peer is gone. */
static inline bool rig_send(int fd, const void *at, size_t len)
{
    const char *p = at;
    while (len > 0) {
        const ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads one reply, never beyond it. */
static inline void rig_read(int fd, struct reply *r)
{
    size_t len = 0;
    char *end = NULL;
    memset(r, 0, sizeof(*r));
    while (!end) {
        const ssize_t n = len < 4000 ? recv(fd, r->bytes + len, 1, 0) : 0;
        if (n <= 0)
            return;
        len += (size_t)n;
        end = len >= 4 && memcmp(r->bytes + len - 4, "\r\n\r\n", 4) == 0 ? r->bytes + len : NULL;
    }
    r->head = len;
    const char *field = strstr(r->bytes, "Content-Length: ");
    r->body = field ? (size_t)atol(field + 16) : 0;
    must(r->head + r->body < sizeof(r->bytes));
    while (len < r->head + r->body) {
        const ssize_t n = recv(fd, r->bytes + len, r->head + r->body - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
    }
    r->status = atoi(r->bytes + 9);
}

#define RIG_BODY(n)                                                                                \
    "{\"id\":\"" #n "\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,4],"        \
    "\"data\":[" #n ",2,3.5,-4]}]}"

/* A request on the inference route with these further field lines; returns its length. */
static inline size_t rig_request(char *out, size_t cap, const char *fields, const void *body,
                                 size_t len)
{
    const int n = snprintf(out, cap,
                           "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n%s"
                           "Content-Length: %zu\r\n\r\n",
                           fields, len);
    must(n > 0 && (size_t)n + len < cap);
    memcpy(out + n, body, len);
    return (size_t)n + len;
}

/* One request on a connection of its own. */
static inline void rig_ask(struct rig *r, const char *fields, const char *body, struct reply *ret)
{
    char bytes[8192];
    const size_t len = rig_request(bytes, sizeof(bytes), fields, body, strlen(body));
    const int fd = rig_connect(r);
    atomic_fetch_add(&r->sent, 1);
    (void)!rig_send(fd, bytes, len);
    rig_read(fd, ret);
    (void)close(fd);
}

#endif
