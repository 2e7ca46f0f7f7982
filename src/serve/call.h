/* One request on its walk: bytes, route, gate, queue, lane, reply, event. It lives inside its
 * connection and is reset between requests; what it owns of others (a place in a queue, a slot of a
 * lane, a body) is given back in call_reset, whatever happened before.
 * thread  owned by its loop */
#ifndef GARRISON_SERVE_CALL_H
#define GARRISON_SERVE_CALL_H

#include "base/arena.h"
#include "base/route.h"
#include "base/stage.h"
#include "net/conn.h"
#include "proto/chain.h"
#include "proto/oip.h"
#include "proto/request.h"
#include "serve/pool.h"
#include "serve/router.h"
#include "serve/routing.h"

#define CALL_ID_BYTES    32u
#define CALL_TRACE_BYTES 16u
#define CALL_SPAN_BYTES  8u
#define CALL_HEAD_BYTES  1024u /* of a reply */
#define CALL_ROOM_BYTES  1024u /* of its body, before it takes memory of its own */

struct http;

enum call_state {
    CALL_IDLE,    /* no request */
    CALL_BODY,    /* head present, body on its way */
    CALL_REFUSED, /* answered with an error once the rest of the body has been skipped */
    CALL_QUEUED,  /* waits in its backend */
    CALL_RUNNING, /* in the lane */
    CALL_AWAY,    /* with another thread or process; answered by a posted job */
    CALL_REPLYING /* reply handed to the connection */
};

/* What goes into the reply beside the body. */
struct call_reply {
    uint32_t status;
    const char *type; /* NULL: application/json */
    bool has_json_len;
    uint64_t json_len;
    uint32_t retry_s; /* Retry-After before jitter; 0: the row's default */
    bool no_retry;    /* none: a repeat cannot help */
};

struct call {
    struct http *http;
    struct front_loop *owner;
    enum call_state state;
    struct call *prev, *next; /* in the backend's queue */

    /* The request. */
    const struct request_head *head; /* NULL while none was parsed */
    struct arena arena;
    enum route route;
    struct router_match match;
    str request_id; /* the caller's or ours */
    char own_id[CALL_ID_BYTES];
    uint8_t trace_id[CALL_TRACE_BYTES], span_id[CALL_SPAN_BYTES];
    bool has_id;       /* the request brought its id */
    bool traced;       /* the request had a valid traceparent */
    bool sampled;      /* its sampled flag */
    uint64_t sent_len; /* body bytes as they came */
    struct pool_bytes body;
    uint64_t body_len; /* decoded */

    /* Where and when. Times are monotonic ns; deadline 0: none. */
    struct routing *routing;    /* a reference, from the gate on */
    struct route_target target; /* model NULL: none */
    struct infer_request infer;
    uint64_t first_ns, parsed_ns, admitted_ns, dispatched_ns, sent_ns, reaped_ns, done_ns;
    uint64_t stage_ns[STAGE_COUNT];
    uint64_t deadline_ns;
    uint64_t *lane_bytes;   /* what it needs of a lane, an entry an input; NULL: not known yet */
    uint64_t lane_room;     /* and for its reply */
    struct lane_hold *hold; /* with slot: in the lane or being written from it */
    uint32_t slot;
    uint32_t batch_rows, batch_requests; /* of the run */

    /* The answer. */
    struct fault fault;
    struct call_reply reply;
    uint32_t head_len;       /* of head_bytes */
    struct chain body_chain; /* its body; of an error the whole reply */
    uint64_t reply_len;      /* body bytes of the reply */
    bool own_body;           /* of an error: body_chain holds its body alone */
    bool begun;              /* counted as in flight */

    /* Last, since call_reset leaves them as they are. */
    char head_bytes[CALL_HEAD_BYTES]; /* of a good reply */
    char room[CALL_ROOM_BYTES];       /* where body_chain begins */
};

void call_init(struct call *c, struct http *http, struct front_loop *owner);
void call_begin(struct call *c, uint64_t now_ns); /* first byte of a request */
void call_reset(struct call *c);                  /* gives everything back and is idle */
void call_free(struct call *c);                   /* the same, and its memory */

/* Ends the walk: answers with the fault it carries. */
void call_fail(struct call *c);

/* The same with the body that stands in body_chain instead of {"error"}. */
void call_fail_body(struct call *c);

/* Refuses with a pair and a text of our own, and answers. */
void call_fail_pair(struct call *c, enum pair pair, const char *text);

/* Records that this version of the call's model is not ready, with the reason that the snapshot
 * holds; without Retry-After where no time makes it ready. The caller answers. */
MUST_USE err call_not_ready(struct call *c, const struct snapshot_version *v);

/* Answers 200 with what stands in body_chain. */
void call_answer(struct call *c);

/* The client has left. */
void call_cancel(struct call *c);

/* The deadline has passed: LATE at once. */
void call_late(struct call *c);

/* The server stops now: UNAVAILABLE at once. Of a call that waits or runs, as call_late. */
void call_cut(struct call *c);

#endif
