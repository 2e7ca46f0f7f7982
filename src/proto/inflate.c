/* zlib behind two limits. The complication: zlib decodes in steps of at most STEP_BYTES, so that a
 * bomb is seen where it passes a limit and not where the caller's room ends. */
#include "proto/inflate.h"

#include <stdlib.h>

#include <zlib.h>

#include "base/must.h"
#include "base/scope.h"

#define WINDOW_ZLIB 15
#define WINDOW_GZIP (15 + 16) /* zlib's sign for the gzip form */
#define STEP_BYTES  65536u    /* decoded between two looks at the ratio */

struct inflate {
    z_stream zlib;
    struct inflate_limits limits;
    enum coding coding;
    uint64_t coded, decoded; /* bytes since inflate_begin */
    bool ready;              /* zlib has its state */
    bool ended;              /* the last stream is complete */
};

err inflate_new(struct inflate **ret_i, struct fault *f)
{
    SCOPED(free_undo)
    struct inflate *i = calloc(1, sizeof(*i));
    if (!i || inflateInit2(&i->zlib, WINDOW_GZIP) != Z_OK)
        return fail(f, ERR_UNAVAILABLE, "no memory for a decoder");
    i->ready = true;
    *ret_i = GIVE(i);
    return OK;
}

void inflate_free(struct inflate *i)
{
    if (!i)
        return;
    if (i->ready)
        (void)inflateEnd(&i->zlib);
    free(i);
}

void inflate_begin(struct inflate *i, enum coding coding, const struct inflate_limits *limits)
{
    must(coding == CODING_GZIP || coding == CODING_DEFLATE);
    must(inflateReset2(&i->zlib, coding == CODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB) == Z_OK);
    i->limits = *limits;
    i->coding = coding;
    i->coded = 0;
    i->decoded = 0;
    i->ended = false;
}

/* Bytes that may be decoded before a limit is passed. */
static uint64_t allowed(const struct inflate *i)
{
    uint64_t by_ratio;
    if (__builtin_mul_overflow(i->coded, (uint64_t)i->limits.ratio, &by_ratio))
        by_ratio = UINT64_MAX;
    if (by_ratio < INFLATE_FREE_BYTES)
        by_ratio = INFLATE_FREE_BYTES;
    return by_ratio < i->limits.decoded ? by_ratio : i->limits.decoded;
}

/* stuck: neither input nor room was lacking. */
static err judge(const struct inflate *i, int result, bool stuck, struct fault *f)
{
    if (i->decoded > i->limits.decoded)
        return fail(f, ERR_TOO_BIG, "the decoded body is over its limit");
    if (i->decoded > allowed(i))
        return fail(f, ERR_TOO_BIG, "the body decodes to more than %u times its size",
                    i->limits.ratio);
    if (result == Z_MEM_ERROR)
        return fail(f, ERR_UNAVAILABLE, "no memory for a decoder");
    if (result != Z_OK && result != Z_STREAM_END && (result != Z_BUF_ERROR || stuck))
        return fail(f, ERR_INPUT, "the body is not a %s stream",
                    i->coding == CODING_GZIP ? "gzip" : "zlib (deflate)");
    return OK;
}

/* Decodes once, some of *input into at most room bytes. */
static err decode(struct inflate *i, str *input, void *out, uint64_t room, uint64_t *ret_len,
                  struct fault *f)
{
    const size_t in = input->len < STEP_BYTES ? input->len : STEP_BYTES;
    const unsigned space = room < STEP_BYTES ? (unsigned)room : STEP_BYTES;
    i->zlib.next_in = (z_const Bytef *)(uintptr_t)input->at;
    i->zlib.avail_in = (unsigned)in;
    i->zlib.next_out = out;
    i->zlib.avail_out = space;
    const int result = inflate(&i->zlib, Z_NO_FLUSH);
    const size_t used = in - i->zlib.avail_in;
    *ret_len = space - i->zlib.avail_out;
    i->coded += used;
    i->decoded += *ret_len;
    i->ended = result == Z_STREAM_END;
    *input = str_cut(*input, used, input->len);
    return judge(i, result, in > 0 && used == 0 && *ret_len == 0, f);
}

/* Between two streams: another gzip member may follow, anything else may not. */
static err next_stream(struct inflate *i, struct fault *f)
{
    if (i->coding != CODING_GZIP)
        return fail(f, ERR_INPUT, "the body goes on behind its zlib stream");
    must(inflateReset(&i->zlib) == Z_OK);
    i->ended = false;
    return OK;
}

err inflate_next(struct inflate *i, str *input, void *out, uint64_t room, uint64_t *ret_len,
                 struct fault *f)
{
    uint64_t len = 0;
    must(room > 0);
    for (;;) {
        if (i->ended && input->len == 0)
            break;
        err e = i->ended ? next_stream(i, f) : OK;
        const uint64_t rest = room - len;
        uint64_t n = 0;
        if (e == OK)
            e = decode(i, input, (char *)out + len, rest, &n, f);
        if (e != OK)
            return e;
        len += n;
        if (len == room || (input->len == 0 && n == 0))
            break;
    }
    *ret_len = len;
    return OK;
}

err inflate_end(const struct inflate *i, struct fault *f)
{
    if (i->ended)
        return OK;
    return fail(f, ERR_INPUT, "the body ends in the middle of its %s stream",
                i->coding == CODING_GZIP ? "gzip" : "zlib (deflate)");
}

uint64_t inflate_decoded(const struct inflate *i)
{
    return i->decoded;
}
