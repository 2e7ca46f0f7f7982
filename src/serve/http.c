/* The life of an HTTP/1.1 connection. The one complication: a reply may be finished at once, inside
 * the very step that parsed its request, or much later; so parsing is a loop (pump) that stops
 * while a request is under way, and whoever finishes a reply outside of it starts it again. */
#include "serve/http.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/h1.h"
#include "proto/response.h"
#include "serve/account.h"
#include "serve/body.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/gate.h"
#include "serve/handler.h"
#include "serve/infer.h"
#include "serve/reply.h"

#define AHEAD_MAX 16384u /* pipelined bytes that are kept while a request runs */
#define SKIP_BODY_MAX                                                                              \
    65536u /* the body of a refused request that is read to save the connection                    \
            */
#define STACK_PIECES 32u

struct http {
    struct http *prev, *next; /* of the loop */
    struct front_loop *owner;
    struct conn *conn;
    struct h1 parser;
    struct call call;
    struct body_reader body;
    const struct permit *permit;
    char *ahead; /* bytes behind the present request */
    uint32_t ahead_len, ahead_cap;
    uint32_t requests;
    bool in_pump, gone, last, peer_ended;
    uint64_t quiet_ns; /* since when nothing is under way */
    uint64_t input_ns; /* when the parser was last given bytes */
    uint64_t body_ns;  /* since when the body comes */
    uint64_t write_ns; /* last progress of an unfinished reply */
    uint64_t write_left;
};

struct conn *http_conn(struct http *h)
{
    return h->conn;
}

struct http *http_next(struct http *h)
{
    return h->next;
}

struct call *http_call(struct http *h)
{
    return &h->call;
}

/* Under way: parsing stops until the reply is out. */
static bool busy(const struct http *h)
{
    return h->call.state >= CALL_QUEUED;
}

static void end_connection(struct http *h)
{
    if (!h->gone)
        conn_finish(h->conn);
    h->gone = true;
}

/* Replying --------------------------------------------------------------------------------------
 */

static void reply_done(struct http *h, uint64_t now_ns)
{
    call_reset(&h->call);
    h->quiet_ns = now_ns;
    if (h->last || h->peer_ended)
        end_connection(h);
}

/* The pieces of the whole reply, head first, in *few or on the heap; NULL when memory is out. */
static struct iovec *gather(struct http *h, struct iovec *few, uint32_t *ret_count)
{
    struct call *c = &h->call;
    const bool bare = c->head && c->head->method == METHOD_HEAD;
    const bool whole = c->fault.code != OK && !c->own_body; /* the chain holds the head too */
    const uint32_t tail = bare && !whole ? 0 : c->body_chain.piece_count;
    const uint32_t first = whole ? 0 : 1;
    struct iovec *pieces =
        first + tail > STACK_PIECES ? malloc((first + tail) * sizeof(*pieces)) : few;
    if (!pieces)
        return NULL;
    if (!whole)
        pieces[0] = (struct iovec){.iov_base = c->head_bytes, .iov_len = c->head_len};
    for (uint32_t i = 0; i < tail; i++)
        pieces[first + i] = c->body_chain.pieces[i];
    *ret_count = first + tail;
    return pieces;
}

void http_reply(struct http *h)
{
    struct call *c = &h->call;
    const struct front_loop *l = h->owner;
    struct iovec few[STACK_PIECES];
    uint32_t count = 0;
    h->last = h->last || l->draining || h->requests >= l->front->settings->connection_requests;
    if (!c->begun)
        account_begin(c); /* refused before its head was whole */
    reply_head(c, h->last);
    c->state = CALL_REPLYING;
    struct iovec *pieces = gather(h, few, &count);
    if (!pieces || c->body_chain.failed) {
        if (pieces != few)
            free(pieces);
        if (c->fault.code == OK)
            (void)fail(&c->fault, ERR_UNAVAILABLE, "out of memory for the reply");
        c->reply.status = (uint32_t)err_http(c->fault.code);
        account_call(c, clock_ns());
        http_abort(h);
        return;
    }
    const bool unfinished = conn_write(h->conn, pieces, count) > 0;
    h->write_left = conn_unsent(h->conn);
    h->write_ns = clock_ns();
    if (pieces != few)
        free(pieces);
    account_call(c, h->write_ns);
    if (unfinished || h->gone) /* drained comes, even where the kernel has taken all meanwhile */
        return;
    reply_done(h, h->write_ns);
    if (!h->in_pump)
        http_pump(h);
}

/* Parsing ---------------------------------------------------------------------------------------
 */

/* Answers an error although the body is not here yet: a short body is skipped so that the
 * connection lives on, anything else ends it. */
static void refuse_head(struct http *h)
{
    struct call *c = &h->call;
    const struct request_head *head = c->head;
    const bool short_body = !head->chunked && head->content_length <= SKIP_BODY_MAX;
    if (short_body && !head->expect_continue) {
        c->state = CALL_REFUSED;
        return;
    }
    h->last = true;
    call_fail(c);
}

static err check_body(struct http *h)
{
    struct call *c = &h->call;
    return c->route == ROUTE_infer ? infer_early(c) : OK;
}

static void on_head(struct http *h, const struct request_head *head)
{
    struct call *c = &h->call;
    c->head = head;
    c->state = CALL_BODY;
    h->requests++;
    h->body_ns = h->input_ns;
    h->last = !head->keep_alive;
    account_begin(c);
    err e = gate_pass(c, &h->permit);
    if (e == OK)
        e = check_body(h);
    if (e == OK)
        e = body_begin(&h->body, c);
    if (e != OK) {
        refuse_head(h);
        return;
    }
    if (head->expect_continue) {
        const str line = RESPONSE_CONTINUE;
        const struct iovec piece = {.iov_base = (void *)(uintptr_t)line.at, .iov_len = line.len};
        if (conn_write(h->conn, &piece, 1) > 0)
            http_abort(h); /* a client that cannot take 25 bytes */
    }
}

static void on_end(struct http *h)
{
    struct call *c = &h->call;
    if (c->state != CALL_REFUSED && body_end(&h->body, c) == OK)
        handler_call(c->route, c, h->permit);
    else
        call_fail(c);
}

static void on_piece(struct http *h, str piece)
{
    struct call *c = &h->call;
    c->sent_len += piece.len;
    if (c->state == CALL_REFUSED)
        return;
    if (body_add(&h->body, c, piece) != OK)
        refuse_head(h);
}

/* A request whose head never came through the gate is known by what was read of it, for log and
 * metrics, and for a HEAD that wants no body. whole: NULL, or its head where all of it is here. */
static void look(struct http *h, const struct request_head *whole)
{
    struct call *c = &h->call;
    if (c->head)
        return;
    c->head = whole ? whole : h1_begun(&h->parser);
    if (c->head)
        gate_look(c, whole != NULL);
}

static void on_refused(struct http *h, const struct h1_out *out)
{
    struct call *c = &h->call;
    h->last = true;
    look(h, out->head);
    account_rejected(h->owner, ACCOUNT_PROTOCOL);
    if (c->fault.code == OK)
        (void)fail(&c->fault, out->code, "%s", out->text);
    call_fail(c);
}

/* One event of the parser; false when it wants more bytes or is through. */
static bool step(struct http *h, str *input)
{
    struct h1_out out = {0};
    const enum h1_event event = h1_next(&h->parser, input, &out);
    if (h->call.state == CALL_IDLE && !h1_idle(&h->parser))
        call_begin(&h->call, h->input_ns); /* a lone line end between requests begins none */
    switch (event) {
    case H1_MORE:
        return false;
    case H1_HEAD:
        on_head(h, out.head);
        return true;
    case H1_BODY:
        on_piece(h, out.piece);
        return true;
    case H1_END:
        on_end(h);
        return true;
    case H1_REFUSED:
        on_refused(h, &out);
        return false;
    }
    return false;
}

/* Keeps bytes that come while a request is under way. */
static void keep_ahead(struct http *h, str bytes)
{
    const uint64_t need = (uint64_t)h->ahead_len + bytes.len;
    if (need > h->ahead_cap) {
        char *grown = realloc(h->ahead, need);
        if (!grown) {
            http_abort(h);
            return;
        }
        h->ahead = grown;
        h->ahead_cap = (uint32_t)need;
    }
    memcpy(h->ahead + h->ahead_len, bytes.at, bytes.len);
    h->ahead_len = (uint32_t)need;
    if (h->ahead_len >= AHEAD_MAX)
        conn_pause(h->conn);
}

static void run_input(struct http *h, str *input)
{
    h->in_pump = true;
    h->input_ns = clock_ns();
    while (!h->gone && !busy(h) && (input->len > 0 || !h1_idle(&h->parser))) {
        if (!step(h, input))
            break;
    }
    h->in_pump = false;
}

void http_pump(struct http *h)
{
    if (h->ahead_len == 0 || h->gone)
        return;
    str input = {h->ahead, h->ahead_len};
    run_input(h, &input);
    if (h->gone)
        return;
    memmove(h->ahead, input.at, input.len);
    h->ahead_len = (uint32_t)input.len;
    if (h->ahead_len < AHEAD_MAX)
        conn_resume(h->conn);
    if (h->ahead_len == 0) {
        free(h->ahead);
        h->ahead = NULL;
        h->ahead_cap = 0;
    }
}

/* What the connection tells ----------------------------------------------------------------------
 */

static void on_data(void *owner, str bytes)
{
    struct http *h = owner;
    if (h->gone)
        return;
    if (h->ahead_len == 0)
        run_input(h, &bytes);
    if (bytes.len > 0 && !h->gone)
        keep_ahead(h, bytes);
}

static uint64_t on_room(void *owner, uint8_t **ret_at)
{
    const struct http *h = owner;
    return h->call.state == CALL_BODY && h->call.head && h->ahead_len == 0
               ? body_room(&h->body, &h->call, ret_at)
               : 0;
}

static void on_peer_end(void *owner)
{
    struct http *h = owner;
    h->peer_ended = true;
    if (h->call.state == CALL_REPLYING && conn_unsent(h->conn) > 0)
        return; /* the answer is on its way; it may still be read */
    http_abort(h);
}

static void on_drained(void *owner)
{
    struct http *h = owner;
    h->write_left = 0;
    reply_done(h, clock_ns());
    http_pump(h);
}

static void http_free(struct http *h)
{
    call_free(&h->call);
    body_free(&h->body);
    h1_free(&h->parser);
    free(h->ahead);
    free(h);
}

static void on_closed(void *owner)
{
    struct http *h = owner;
    struct front_loop *l = h->owner;
    h->gone = true;
    call_cancel(&h->call);
    if (h->prev)
        h->prev->next = h->next;
    else
        l->https = h->next;
    if (h->next)
        h->next->prev = h->prev;
    h->conn = NULL;
    account_connection(l, -1);
    if (h->call.state != CALL_AWAY)
        http_free(h);
}

bool http_back(struct http *h)
{
    if (h->conn)
        return true;
    h->call.state = CALL_BODY;
    call_cancel(&h->call);
    http_free(h);
    return false;
}

void http_accept(struct front_loop *l, struct conn *c)
{
    static const struct conn_ops ops = {.data = on_data,
                                        .end = on_peer_end,
                                        .drained = on_drained,
                                        .closed = on_closed,
                                        .room = on_room};
    struct http *h = calloc(1, sizeof(*h));
    if (!h) {
        conn_close(c);
        return;
    }
    h->owner = l;
    h->conn = c;
    h->quiet_ns = clock_ns();
    h1_init(&h->parser, &l->front->h1_limits);
    call_init(&h->call, h, l);
    h->next = l->https;
    if (l->https)
        l->https->prev = h;
    l->https = h;
    account_connection(l, 1);
    conn_own(c, &ops, h);
}

void http_abort(struct http *h)
{
    h->gone = true;
    if (h->conn)
        conn_close(h->conn);
}

static bool body_too_slow(const struct http *h, uint64_t now_ns)
{
    const struct front_settings *s = h->owner->front->settings;
    if (now_ns - h->body_ns < s->body_rate_after_ns)
        return false;
    const uint64_t want = (now_ns - h->body_ns) / NS_PER_MS * s->body_rate / 1000;
    return h->call.sent_len < want;
}

static void too_slow(struct http *h, const char *text)
{
    h->last = true;
    look(h, NULL);
    account_rejected(h->owner, ACCOUNT_SLOW);
    call_fail_pair(&h->call, PAIR_CLIENT_ERROR_SLOW, text);
}

void http_sweep(struct http *h, uint64_t now_ns)
{
    const struct front_settings *s = h->owner->front->settings;
    struct call *c = &h->call;
    if (h->gone)
        return;
    if (c->state == CALL_IDLE) {
        const uint64_t limit = h->owner->closing ? s->drain_idle_ns : s->idle_time_ns;
        if (now_ns > h->quiet_ns + limit)
            end_connection(h);
    } else if (c->state == CALL_BODY || c->state == CALL_REFUSED) {
        if (!c->head && now_ns > c->first_ns + s->header_time_ns)
            too_slow(h, "the request's header came too slowly");
        else if (c->head && body_too_slow(h, now_ns))
            too_slow(h, "the request's body came too slowly");
    } else if (c->state == CALL_REPLYING && h->write_left > 0) {
        const uint64_t left = conn_unsent(h->conn);
        if (left < h->write_left) {
            h->write_left = left;
            h->write_ns = now_ns;
        } else if (now_ns > h->write_ns + s->write_stall_ns) {
            account_rejected(h->owner, ACCOUNT_SLOW);
            http_abort(h);
        }
    }
}
