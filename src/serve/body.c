/* Gathering a body. Identity bodies of known length fill a buffer that is taken in one or two
 * steps; chunked and coded ones double their buffer as they grow. */
#include "serve/body.h"

#include <inttypes.h>

#include "serve/front.h"
#include "serve/front_loop.h"

#define FIRST_BYTES (1u << 20) /* most that an announced length reserves before its bytes come */

static err too_big(struct call *c, uint64_t limit)
{
    return fail(&c->fault, ERR_TOO_BIG, "the body has more than %" PRIu64 " bytes", limit);
}

static uint64_t limit_of(const struct body_reader *r, const struct call *c)
{
    const struct front_settings *s = c->owner->front->settings;
    return r->coded ? s->decoded_body : s->body;
}

/* Makes room for want bytes in all. */
static err grow(struct body_reader *r, struct call *c, uint64_t want)
{
    struct pool *pool = &c->owner->pool;
    const uint64_t limit = limit_of(r, c);
    if (want > limit + r->coded) /* the decoder holds the limit, and needs a byte to find its end */
        return too_big(c, limit);
    if (want <= c->body.cap)
        return OK;
    struct pool_bytes bigger;
    uint64_t cap = c->body.cap * 2 > want ? c->body.cap * 2 : want;
    if (!c->head->chunked && !r->coded && cap < c->head->content_length)
        cap = c->head->content_length;
    const err e = pool_take(pool, cap, &bigger, &c->fault);
    if (e != OK)
        return e;
    if (c->body_len > 0)
        memcpy(bigger.at, c->body.at, c->body_len);
    pool_give(pool, &c->body);
    c->body = bigger;
    return OK;
}

err body_begin(struct body_reader *r, struct call *c)
{
    const struct request_head *head = c->head;
    r->coded = head->coding != CODING_IDENTITY;
    if (head->content_length > c->owner->front->settings->body)
        return too_big(c, c->owner->front->settings->body);
    if (r->coded) {
        const struct inflate_limits limits = {
            .decoded = c->owner->front->settings->decoded_body,
            .ratio = c->owner->front->settings->decode_ratio,
        };
        const err e = r->inflate ? OK : inflate_new(&r->inflate, &c->fault);
        if (e == OK)
            inflate_begin(r->inflate, head->coding, &limits);
        return e;
    }
    if (head->content_length == 0)
        return OK;
    const uint64_t want = head->content_length < FIRST_BYTES ? head->content_length : FIRST_BYTES;
    return pool_take(&c->owner->pool, want, &c->body, &c->fault);
}

static err add_coded(struct body_reader *r, struct call *c, str piece)
{
    uint64_t made, room;
    do {
        const err grown = c->body_len == c->body.cap ? grow(r, c, c->body_len + 1) : OK;
        if (grown != OK)
            return grown;
        room = c->body.cap - c->body_len;
        const err e =
            inflate_next(r->inflate, &piece, c->body.at + c->body_len, room, &made, &c->fault);
        if (e != OK)
            return e;
        c->body_len += made;
    } while (made == room);
    return OK;
}

err body_add(struct body_reader *r, struct call *c, str piece)
{
    if (c->sent_len > c->owner->front->settings->body)
        return too_big(c, c->owner->front->settings->body);
    if (r->coded)
        return add_coded(r, c, piece);
    const err e = grow(r, c, c->body_len + piece.len);
    if (e != OK)
        return e;
    uint8_t *to = c->body.at + c->body_len;
    if ((const uint8_t *)piece.at != to) /* else it was read to where body_room said */
        memcpy(to, piece.at, piece.len);
    c->body_len += piece.len;
    return OK;
}

uint64_t body_room(const struct body_reader *r, const struct call *c, uint8_t **ret_at)
{
    const struct request_head *head = c->head;
    if (r->coded || head->chunked)
        return 0;
    const uint64_t end = c->body.cap < head->content_length ? c->body.cap : head->content_length;
    if (end <= c->body_len)
        return 0;
    *ret_at = c->body.at + c->body_len;
    return end - c->body_len;
}

err body_end(struct body_reader *r, struct call *c)
{
    return r->coded ? inflate_end(r->inflate, &c->fault) : OK;
}

void body_free(struct body_reader *r)
{
    inflate_free(r->inflate);
    r->inflate = NULL;
}
