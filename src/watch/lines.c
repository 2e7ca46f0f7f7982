/* A circle of bytes. A write takes from it as many whole lines as fit, copied into one piece. */
#include "watch/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"

struct lines {
    int fd;
    uint64_t bytes;
    uint64_t from, to; /* of what waits, monotonic; modulo bytes in the circle */
    char at[];
};

err lines_new(int fd, uint64_t bytes, struct lines **ret_l, struct fault *f)
{
    must(bytes >= 2 * LINES_WRITE_MAX && bytes < SIZE_MAX / 2);
    struct lines *l = malloc(sizeof(*l) + bytes);
    if (!l)
        return fail(f, ERR_UNAVAILABLE, "no memory for %" PRIu64 " bytes of lines", bytes);
    l->fd = fd;
    l->bytes = bytes;
    l->from = l->to = 0;
    *ret_l = l;
    return OK;
}

void lines_free(struct lines *l)
{
    free(l);
}

uint64_t lines_waiting_bytes(const struct lines *l)
{
    return l->to - l->from;
}

bool lines_put(struct lines *l, str line)
{
    must(line.len > 0 && line.len <= LINES_WRITE_MAX);
    if (l->bytes - lines_waiting_bytes(l) < line.len)
        return false;
    const uint64_t start = l->to % l->bytes;
    const uint64_t first = l->bytes - start < line.len ? l->bytes - start : line.len;
    memcpy(l->at + start, line.at, first);
    memcpy(l->at, line.at + first, line.len - first);
    l->to += line.len;
    return true;
}

/* Copies the next whole lines. returns their length */
static size_t next_piece(const struct lines *l, char piece[LINES_WRITE_MAX])
{
    const uint64_t waiting = lines_waiting_bytes(l);
    const size_t len = waiting < LINES_WRITE_MAX ? (size_t)waiting : LINES_WRITE_MAX;
    const uint64_t start = l->from % l->bytes;
    const size_t first = l->bytes - start < len ? (size_t)(l->bytes - start) : len;
    memcpy(piece, l->at + start, first);
    memcpy(piece + first, l->at, len - first);
    const char *end = memrchr(piece, '\n', len);
    return end ? (size_t)(end - piece) + 1 : len;
}

static uint64_t line_ends(const char *at, size_t len)
{
    uint64_t n = 0;
    for (const char *end = at + len; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        n++;
    return n;
}

struct lines_result lines_write(struct lines *l, int wait_ms)
{
    struct lines_result r = {0, 0};
    char piece[LINES_WRITE_MAX];
    while (lines_waiting_bytes(l) > 0 && log_takes(l->fd, wait_ms)) {
        wait_ms = 0;
        const size_t len = next_piece(l, piece);
        const ssize_t n = write(l->fd, piece, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return r;
        if (n <= 0) {
            r.failed += line_ends(piece, len);
            l->from += len;
            continue;
        }
        r.written += line_ends(piece, (size_t)n);
        l->from += (uint64_t)n;
    }
    return r;
}
