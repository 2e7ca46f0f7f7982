/* bench: none */
/* The ceiling: a raw epoll server that reads a whole HTTP/1.1 request (by its Content-Length) and
 * writes a fixed answer, nothing else. No parsing beyond the end of the head, no time-outs.
 *
 * usage: bench_echo PORT ANSWER-FILE      prints "ready" and serves 127.0.0.1:PORT until killed */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS     64
#define READ_BYTES (1u << 16)
#define HEAD_MAX   8192u

struct client {
    int fd;
    char head[HEAD_MAX];
    size_t head_len;
    uint64_t body_left;
    size_t unsent; /* bytes of the answer still to write */
};

struct answer {
    char *at;
    size_t len;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct answer load(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct answer a = {0};
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die(path);
    a.len = (size_t)ftell(f);
    a.at = malloc(a.len + 1);
    rewind(f);
    if (!a.at || fread(a.at, 1, a.len, f) != a.len)
        die(path);
    (void)fclose(f);
    return a;
}

static uint64_t length_of(const char *head, size_t len)
{
    static const char name[] = "\ncontent-length:"; /* not the end of another field's name */
    for (size_t i = 0; i + sizeof(name) < len; i++) {
        if (strncasecmp(head + i, name, sizeof(name) - 1) == 0)
            return strtoull(head + i + sizeof(name) - 1, NULL, 10);
    }
    return 0;
}

static int send_rest(struct client *c, const struct answer *a)
{
    while (c->unsent > 0) {
        const ssize_t n = send(c->fd, a->at + a->len - c->unsent, c->unsent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->unsent -= (size_t)n;
    }
    return 0;
}

/* Takes bytes of one request; the clients of this benchmark send one at a time. */
static int take(struct client *c, const char *bytes, size_t len, const struct answer *a)
{
    if (c->body_left == 0) {
        const size_t part = len < HEAD_MAX - c->head_len ? len : HEAD_MAX - c->head_len;
        memcpy(c->head + c->head_len, bytes, part);
        c->head_len += part;
        const char *end = memmem(c->head, c->head_len, "\r\n\r\n", 4);
        if (!end)
            return c->head_len < HEAD_MAX ? 0 : -1;
        const size_t head = (size_t)(end - c->head) + 4;
        const uint64_t body = length_of(c->head, head);
        const uint64_t here = c->head_len - head + (len - part);
        c->head_len = 0;
        c->body_left = body > here ? body - here : 0;
    } else {
        c->body_left -= len < c->body_left ? len : c->body_left;
    }
    if (c->body_left > 0)
        return 0;
    c->unsent = a->len;
    return send_rest(c, a);
}

static int serve(struct client *c, uint32_t events, char *buffer, const struct answer *a)
{
    if (events & EPOLLOUT && send_rest(c, a) != 0)
        return -1;
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return 0;
    const ssize_t n = recv(c->fd, buffer, READ_BYTES, 0);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    return n == 0 ? -1 : take(c, buffer, (size_t)n, a);
}

static int listen_on(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 || listen(fd, 1024) != 0)
        die("listen");
    return fd;
}

static void accept_all(int listener, int poll)
{
    int fd;
    const int one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = calloc(1, sizeof(*c));
        if (!c)
            die("calloc");
        c->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e) != 0)
            die("epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: bench_echo PORT ANSWER-FILE\n");
        return 2;
    }
    const struct answer answer = load(argv[2]);
    const int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    char *buffer = malloc(READ_BYTES);
    struct epoll_event e = {.events = EPOLLIN};
    if (poll < 0 || !buffer || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e) != 0)
        die("epoll");
    (void)printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        const int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                accept_all(listener, poll);
                continue;
            }
            if (serve(c, events[i].events, buffer, &answer) != 0) {
                (void)close(c->fd);
                free(c);
                continue;
            }
            const uint32_t want = c->unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
            if (want != EPOLLIN || events[i].events & EPOLLOUT) {
                struct epoll_event change = {.events = want, .data.ptr = c};
                (void)epoll_ctl(poll, EPOLL_CTL_MOD, c->fd, &change);
            }
        }
    }
}
