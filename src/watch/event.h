/* What one request was, as it travels from its loop to the watch thread: a fixed part and the texts
 * that vary, in one record of a ring (base/ring). Path and agent would not fit in a fixed record of
 * the size that most requests need, so the record is as long as it must be.
 * Written by serve, read by watch; an observer cannot change an answer.
 * Units: ns, bytes; wall time in microseconds. thread  a record belongs to one thread at a time */
#ifndef GARRISON_WATCH_EVENT_H
#define GARRISON_WATCH_EVENT_H

#include <stdint.h>

#include "base/err.h"
#include "base/outcome.h"
#include "base/route.h"
#include "base/stage.h"

#define EVENT_PATH_MAX  1024u
#define EVENT_AGENT_MAX 256u
#define EVENT_TEXT_MAX  128u /* request id, types */

enum event_text {
    EVENT_PATH,
    EVENT_AGENT,
    EVENT_REQUEST_ID,
    EVENT_REQUEST_TYPE,
    EVENT_REPLY_TYPE,
    EVENT_MODEL,
    EVENT_VERSION,
    EVENT_TEXTS
};

struct event {
    int64_t wall_us; /* when it ended */
    uint64_t duration_ns;
    uint64_t stage_ns[STAGE_COUNT];         /* 0 where it did not get so far */
    uint64_t request_bytes, response_bytes; /* of the bodies */
    uint8_t trace_id[16], span_id[8], digest[32];
    uint8_t client_ip[16], peer_ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t client_port;
    uint16_t status; /* HTTP */
    uint16_t route;  /* enum route */
    uint8_t pair;    /* enum pair */
    uint8_t code;    /* enum err */
    uint8_t method;  /* 0 other, 1 GET, 2 HEAD, 3 POST */
    uint8_t minor;   /* of HTTP/1 */
    uint8_t step;    /* of a rollout; 0 now */
    bool has_model, is_unsigned;
    uint32_t principal; /* id; 0: anonymous */
    uint32_t arm, rows, batch_rows;
    uint16_t len[EVENT_TEXTS]; /* of the texts, which follow in order */
    char texts[];
};

#define EVENT_BYTES_MAX                                                                            \
    (sizeof(struct event) + EVENT_PATH_MAX + EVENT_AGENT_MAX + 5u * EVENT_TEXT_MAX + 64u)

/* The texts of an event of so many bytes; empty where the record does not hold one. */
static inline void event_read_texts(const struct event *e, uint32_t bytes, str ret[EVENT_TEXTS])
{
    size_t at = 0;
    for (unsigned i = 0; i < EVENT_TEXTS; i++) {
        const bool held = sizeof(*e) + at + e->len[i] <= bytes;
        ret[i] = held ? (str){e->texts + at, e->len[i]} : (str){NULL, 0};
        at += e->len[i];
    }
}

#endif
