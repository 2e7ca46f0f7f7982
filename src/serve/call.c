/* Beginning, ending and giving back. Whatever a call holds when it ends (a place in a queue, a slot
 * in a lane, a body, a view of the routing), call_reset knows. */
#include "serve/call.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/must.h"
#include "serve/account.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/http.h"

void call_init(struct call *c, struct http *http, struct front_loop *owner)
{
    *c = (struct call){.http = http, .owner = owner, .route = ROUTE_NONE};
    chain_over(&c->body_chain, c->room, sizeof(c->room));
    arena_init(&c->arena, owner->front->settings->arena);
}

void call_begin(struct call *c, uint64_t now_ns)
{
    c->first_ns = now_ns;
    c->state = CALL_BODY;
    c->reply.status = 200;
}

void call_reset(struct call *c)
{
    struct backend *again = NULL;
    must(c->state != CALL_QUEUED && c->state != CALL_RUNNING && c->state != CALL_AWAY);
    if (c->hold) {
        lane_hold_release(c->hold, c->slot);
        again = c->target.backend;
        again->refs++;
    }
    pool_give(&c->owner->pool, &c->body);
    routing_drop(c->routing);
    chain_free(&c->body_chain);
    arena_reset(&c->arena);
    const struct arena arena = c->arena;
    struct http *http = c->http;
    struct front_loop *owner = c->owner;
    memset(c, 0, offsetof(struct call, head_bytes));
    c->http = http;
    c->owner = owner;
    c->route = ROUTE_NONE;
    c->arena = arena;
    chain_over(&c->body_chain, c->room, sizeof(c->room));
    if (again) {
        backend_dispatch(again); /* the room that was given back may be what others wait for */
        backend_release(again);
    }
}

void call_free(struct call *c)
{
    call_reset(c);
    arena_free(&c->arena);
}

void call_answer(struct call *c)
{
    if (c->body_chain.failed) {
        chain_reset(&c->body_chain);
        call_fail_pair(c, PAIR_REJECTED_NOT_READY, "out of memory for the reply");
        return;
    }
    c->reply.status = 200;
    http_reply(c->http);
}

void call_fail(struct call *c)
{
    must(c->fault.code != OK);
    chain_reset(&c->body_chain);
    c->reply.status = (uint32_t)err_http(c->fault.code);
    http_reply(c->http);
}

void call_fail_body(struct call *c)
{
    c->own_body = true;
    c->reply.status = (uint32_t)err_http(c->fault.code);
    http_reply(c->http);
}

void call_fail_pair(struct call *c, enum pair pair, const char *text)
{
    if (c->fault.code == OK)
        (void)fail_pair(&c->fault, pair, "%s", text);
    call_fail(c);
}

err call_not_ready(struct call *c, const struct snapshot_version *v)
{
    const str name = c->target.model->name;
    c->reply.no_retry = version_state_over(v->state);
    if (v->state == VERSION_READY) /* the snapshot with its next worker is to come */
        return fail_pair(&c->fault, PAIR_REJECTED_NOT_READY,
                         "model '%.*s' version '%.*s' has no worker now", STR_ARG(name),
                         STR_ARG(v->version));
    return fail_pair(&c->fault, PAIR_REJECTED_NOT_READY,
                     "model '%.*s' version '%.*s' is not ready (%s)%s%.*s", STR_ARG(name),
                     STR_ARG(v->version), version_state_name(v->state), v->reason.len ? ": " : "",
                     STR_ARG(v->reason));
}

/* Takes the call out of queue or lane; its state says afterwards that nobody else holds it. */
static bool withdraw(struct call *c)
{
    if (c->state == CALL_QUEUED) {
        backend_remove(c->target.backend, c);
        return false;
    }
    backend_orphan(c->target.backend, c->hold, c->slot);
    c->hold = NULL;
    c->state = CALL_BODY;
    return true;
}

void call_cancel(struct call *c)
{
    if (c->state == CALL_IDLE || c->state == CALL_AWAY || c->state == CALL_REPLYING) {
        if (c->state == CALL_REPLYING)
            c->state = CALL_IDLE; /* it was counted when its reply was handed over */
        return;
    }
    const bool held = c->state == CALL_QUEUED || c->state == CALL_RUNNING;
    const bool ran = held && withdraw(c);
    if (c->fault.code == OK)
        (void)fail_pair(&c->fault, ran ? PAIR_CANCELLED_RUNNING : PAIR_CANCELLED_QUEUED,
                        "the client has left");
    c->reply.status = (uint32_t)err_http(c->fault.code);
    if (c->head)
        account_call(c, clock_ns());
    c->state = CALL_IDLE;
}

void call_cut(struct call *c)
{
    (void)withdraw(c);
    call_fail_pair(c, PAIR_REJECTED_DRAINING, "the server is shutting down");
}

void call_late(struct call *c)
{
    const bool ran = withdraw(c);
    call_fail_pair(c, ran ? PAIR_TIMEOUT_RUNNING : PAIR_TIMEOUT_QUEUED, "Request timeout expired");
}
