/* A circle of bytes with a tail behind it, so that what crosses the end lies in one piece all the
 * same. An empty circle starts anew at its first byte: the memory stays warm. */
#include "watch/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"

struct lines {
    int fd;
    uint64_t bytes;   /* of the circle */
    uint64_t from;    /* where what waits begins, < bytes */
    uint64_t waiting; /* bytes */
    char at[];        /* bytes, then a tail of LINES_WRITE_MAX */
};

err lines_new(int fd, uint64_t bytes, struct lines **ret_l, struct fault *f)
{
    must(bytes >= 2 * LINES_WRITE_MAX && bytes < SIZE_MAX / 2);
    struct lines *l = malloc(sizeof(*l) + bytes + LINES_WRITE_MAX);
    if (!l)
        return fail(f, ERR_UNAVAILABLE, "no memory for %" PRIu64 " bytes of lines", bytes);
    l->fd = fd;
    l->bytes = bytes;
    l->from = l->waiting = 0;
    *ret_l = l;
    return OK;
}

void lines_free(struct lines *l)
{
    free(l);
}

uint64_t lines_waiting_bytes(const struct lines *l)
{
    return l->waiting;
}

bool lines_put(struct lines *l, str line)
{
    must(line.len > 0 && line.len <= LINES_WRITE_MAX);
    if (l->bytes - l->waiting < line.len)
        return false;
    uint64_t start = l->from + l->waiting;
    if (start >= l->bytes)
        start -= l->bytes;
    memcpy(l->at + start, line.at, line.len);
    if (start + line.len > l->bytes)
        memcpy(l->at, l->at + l->bytes, start + line.len - l->bytes);
    l->waiting += line.len;
    return true;
}

/* The next whole lines; borrowed until a line is put. */
static str next_piece(struct lines *l)
{
    const char *at = l->at + l->from;
    const size_t len = l->waiting < LINES_WRITE_MAX ? (size_t)l->waiting : LINES_WRITE_MAX;
    if (l->from + len > l->bytes)
        memcpy(l->at + l->bytes, l->at, l->from + len - l->bytes);
    const char *end = len < l->waiting ? memrchr(at, '\n', len) : NULL;
    return (str){at, end ? (size_t)(end - at) + 1 : len};
}

static void piece_done(struct lines *l, size_t len)
{
    l->waiting -= len;
    l->from = l->waiting > 0 ? l->from + len : 0;
    if (l->from >= l->bytes)
        l->from -= l->bytes;
}

static uint64_t line_ends(const char *at, size_t len)
{
    uint64_t n = 0;
    for (const char *end = at + len; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        n++;
    return n;
}

struct lines_result lines_write(struct lines *l, uint64_t keep, int wait_ms)
{
    struct lines_result r = {0, 0};
    while (l->waiting > keep && log_takes(l->fd, wait_ms)) {
        wait_ms = 0;
        const str piece = next_piece(l);
        const ssize_t n = write(l->fd, piece.at, piece.len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return r;
        const size_t done = n > 0 ? (size_t)n : piece.len;
        *(n > 0 ? &r.written : &r.failed) += line_ends(piece.at, done);
        piece_done(l, done);
    }
    return r;
}
