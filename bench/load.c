/* bench: none */
/* A closed-loop HTTP/1.1 client: N connections, each sends the same request again as soon as its
 * answer is whole (by Content-Length).
 *
 * usage: bench_load PORT CONNECTIONS REPLIES REQUEST-FILE [SAVE-FILE]
 * out    one line: replies seconds replies_per_s p50_us p99_us own_cpu_s bytes_per_s not_200
 *        SAVE-FILE gets the first answer, byte for byte (the echo server's canned answer)
 * exit   0, 1 when a connection fails */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS     64
#define READ_BYTES (1u << 18)
#define HEAD_MAX   8192u

struct flow {
    int fd;
    size_t unsent;
    char head[HEAD_MAX];
    size_t head_len;
    uint64_t body_left;
    uint64_t started_ns;
    int in_body;
};

struct run {
    char *request;
    size_t request_len;
    uint64_t want, sent, done, bytes, not_200;
    uint32_t *latency_ns;
    FILE *save;
    int saving;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void push(struct flow *f, const struct run *r)
{
    while (f->unsent > 0) {
        const ssize_t n = send(f->fd, r->request + r->request_len - f->unsent, f->unsent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            die("send");
        f->unsent -= (size_t)n;
    }
}

static void begin(struct flow *f, struct run *r)
{
    if (r->sent == r->want)
        return;
    r->sent++;
    f->unsent = r->request_len;
    f->started_ns = now_ns();
    push(f, r);
}

static void finished(struct flow *f, struct run *r)
{
    const uint64_t ns = now_ns() - f->started_ns;
    r->latency_ns[r->done++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    f->head_len = 0;
    f->in_body = 0;
    if (r->saving) {
        (void)fclose(r->save);
        r->saving = 0;
    }
    begin(f, r);
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

static void take(struct flow *f, struct run *r, const char *bytes, size_t len)
{
    r->bytes += len;
    if (r->saving)
        (void)fwrite(bytes, 1, len, r->save);
    if (!f->in_body) {
        const size_t part = len < HEAD_MAX - f->head_len ? len : HEAD_MAX - f->head_len;
        memcpy(f->head + f->head_len, bytes, part);
        f->head_len += part;
        const char *end = memmem(f->head, f->head_len, "\r\n\r\n", 4);
        if (!end)
            return;
        const size_t head = (size_t)(end - f->head) + 4;
        if (strncmp(f->head, "HTTP/1.1 200", 12) != 0)
            r->not_200++;
        const uint64_t here = f->head_len - head + (len - part);
        const uint64_t body = length_of(f->head, head);
        f->body_left = body > here ? body - here : 0;
        f->in_body = 1;
    } else {
        f->body_left -= len < f->body_left ? len : f->body_left;
    }
    if (f->body_left == 0)
        finished(f, r);
}

static int by_value(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(struct run *r, uint64_t ns)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    const double seconds = (double)ns / 1e9;
    const double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    const uint64_t middle = r->done / 2, last = r->done - 1 - r->done / 100;
    qsort(r->latency_ns, r->done, sizeof(*r->latency_ns), by_value);
    (void)printf("%llu %.6f %.1f %.2f %.2f %.6f %.0f %llu\n", (unsigned long long)r->done, seconds,
                 (double)r->done / seconds, (double)r->latency_ns[middle] / 1e3,
                 (double)r->latency_ns[last] / 1e3, cpu,
                 (double)(r->bytes + r->done * r->request_len) / seconds,
                 (unsigned long long)r->not_200);
}

static struct flow *connect_to(uint16_t port, int poll)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1;
    struct flow *f = calloc(1, sizeof(*f));
    if (!f)
        die("calloc");
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->fd < 0 || connect(f->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect");
    (void)setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = f};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, f->fd, &e) != 0)
        die("epoll_ctl");
    return f;
}

/* Reads until the kernel has no more. */
static void drain(struct flow *f, struct run *r, char *buffer)
{
    while (r->done < r->want) { /* after the last answer the server may close */
        const ssize_t n = recv(f->fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("recv");
        take(f, r, buffer, (size_t)n);
        if ((size_t)n < READ_BYTES)
            return; /* a short read was all there is; the edge tells of more (epoll(7)) */
    }
}

static void load_request(struct run *r, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die(path);
    r->request_len = (size_t)ftell(f);
    r->request = malloc(r->request_len + 1);
    rewind(f);
    if (!r->request || fread(r->request, 1, r->request_len, f) != r->request_len)
        die(path);
    (void)fclose(f);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: bench_load PORT CONNECTIONS REPLIES REQUEST-FILE [SAVE]\n");
        return 2;
    }
    struct run r = {.want = strtoull(argv[3], NULL, 10)};
    const unsigned long flows = strtoul(argv[2], NULL, 10);
    load_request(&r, argv[4]);
    r.latency_ns = calloc(r.want + 1, sizeof(*r.latency_ns));
    r.save = argc > 5 ? fopen(argv[5], "wb") : NULL;
    r.saving = r.save != NULL;
    char *buffer = malloc(READ_BYTES);
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    if (!r.latency_ns || !buffer || poll < 0)
        die("start");
    const uint64_t began = now_ns();
    for (unsigned long i = 0; i < flows; i++)
        begin(connect_to((uint16_t)strtoul(argv[1], NULL, 10), poll), &r);
    while (r.done < r.want) {
        struct epoll_event events[EVENTS];
        const int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct flow *f = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                push(f, &r);
            if (events[i].events & (EPOLLIN | EPOLLHUP))
                drain(f, &r, buffer);
        }
    }
    report(&r, now_ns() - began);
    return 0;
}
