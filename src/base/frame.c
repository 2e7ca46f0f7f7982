/* Frames of base/message.h: the 16 bytes, and whole messages on a blocking descriptor. */
#include <errno.h>
#include <inttypes.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/message.h"

#define FLAGS (MESSAGE_MORE | MESSAGE_ANSWER)

static void put_le(uint8_t *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)in[i] << (8 * i);
    return v;
}

void message_frame_put(const struct message_frame *frame, uint8_t out[MESSAGE_FRAME_BYTES])
{
    put_le(out, frame->bytes, 4);
    put_le(out + 4, frame->number, 2);
    out[6] = frame->flags;
    out[7] = frame->fds;
    put_le(out + 8, frame->id, 8);
}

err message_frame_get(const uint8_t in[MESSAGE_FRAME_BYTES], struct message_frame *ret,
                      struct fault *f)
{
    const struct message_frame frame = {.bytes = (uint32_t)get_le(in, 4),
                                        .number = (uint16_t)get_le(in + 4, 2),
                                        .flags = in[6],
                                        .fds = in[7],
                                        .id = get_le(in + 8, 8)};
    if (frame.bytes > MESSAGE_PAYLOAD_MAX)
        return fail(f, ERR_INPUT, "a message of %" PRIu32 " bytes, want <= %u", frame.bytes,
                    MESSAGE_PAYLOAD_MAX);
    if (frame.flags & ~FLAGS)
        return fail(f, ERR_INPUT, "message flags are 0x%x, want bits of 0x%x", frame.flags, FLAGS);
    if (frame.fds > MESSAGE_FDS_MAX)
        return fail(f, ERR_INPUT, "a message carries %u descriptors, want <= %u", frame.fds,
                    MESSAGE_FDS_MAX);
    *ret = frame;
    return OK;
}

static err write_all(int fd, const uint8_t *at, size_t len, struct fault *f)
{
    while (len > 0) {
        const ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(f, ERR_UNAVAILABLE, "the peer takes no message: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    }
    return OK;
}

static err read_all(int fd, uint8_t *at, size_t len, struct fault *f)
{
    while (len > 0) {
        const ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(f, ERR_UNAVAILABLE, "no message came: %s", strerror(errno));
        if (n == 0)
            return fail(f, ERR_UNAVAILABLE, "the peer has closed the connection");
        at += n;
        len -= (size_t)n;
    }
    return OK;
}

/* Two writes, since writev is not among the calls that a worker's filter allows. */
err message_write(int fd, const struct message_frame *frame, const void *payload, uint32_t len,
                  struct fault *f)
{
    struct message_frame whole = *frame;
    uint8_t head[MESSAGE_FRAME_BYTES];
    if (len > MESSAGE_PAYLOAD_MAX)
        return fail(f, ERR_TOO_BIG, "a message of %" PRIu32 " bytes, want <= %u", len,
                    MESSAGE_PAYLOAD_MAX);
    whole.bytes = len;
    message_frame_put(&whole, head);
    const err e = write_all(fd, head, sizeof head, f);
    return e == OK ? write_all(fd, payload, len, f) : e;
}

err message_read(int fd, struct message_frame *ret_frame, uint8_t *payload, struct fault *f)
{
    uint8_t head[MESSAGE_FRAME_BYTES];
    struct message_frame frame;
    err e = read_all(fd, head, sizeof head, f);
    if (e == OK)
        e = message_frame_get(head, &frame, f);
    if (e == OK)
        e = read_all(fd, payload, frame.bytes, f);
    if (e == OK)
        *ret_frame = frame;
    return e;
}
