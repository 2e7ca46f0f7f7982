/* Incremental HTTP/1.1 request parser: bytes in, head, body pieces and end out. It refuses and
 * never repairs, since two readers that repair differently disagree where a request ends: one Host,
 * one Content-Length or Transfer-Encoding: chunked, CRLF and nothing else as a line's end, no
 * folding, no chunk extensions, no byte outside printable ASCII, blank and tab. HTTP/1.0 is taken
 * with a Content-Length, never with a Transfer-Encoding. What it says depends on the bytes alone,
 * not on how they were cut; work is linear in them. thread  owned by one thread; never blocks
 * source  RFC 9112; RFC 9110 sections 5, 7.2, 8.6, 10.1.1 */
#ifndef GARRISON_PROTO_H1_H
#define GARRISON_PROTO_H1_H

#include <stdint.h>

#include "base/fault.h"
#include "proto/h1_head.h"
#include "proto/request.h"

/* All are configured; passing one is HEADER, of the body TOO_BIG. */
struct h1_limits {
    uint32_t request_line; /* bytes without its CRLF */
    uint32_t header_bytes; /* of all field lines with their CRLF, trailers included */
    uint32_t header_count; /* fields, trailers included */
    uint64_t body;         /* bytes of a body, without chunk framing */
};
#define H1_LIMITS_DEFAULT                                                                          \
    ((struct h1_limits){                                                                           \
        .request_line = 8192, .header_bytes = 16384, .header_count = 100, .body = 64ull << 20})

enum h1_event {
    H1_MORE,   /* all input is used and more is wanted */
    H1_HEAD,   /* out.head: the head is complete; what follows is its body, then H1_END */
    H1_BODY,   /* out.piece: bytes of the body without framing, borrowed from the input */
    H1_END,    /* the request is complete; the next call begins the next one */
    H1_REFUSED /* out.code, out.text: answer if you can, then close; every later call says the same
                */
};

struct h1_out {
    const struct request_head *head; /* H1_HEAD, BODY, END; REFUSED: NULL while incomplete */
    str piece;
    err code;         /* INPUT, HEADER, TOO_BIG, CODING; UNAVAILABLE: out of memory */
    const char *text; /* constant, one line */
};

/* Bytes that grow on the heap up to a limit. */
struct h1_buffer {
    char *at;
    uint32_t len, cap;
};

/* Members are the parser's own. */
struct h1 {
    struct h1_limits limits;
    struct request_head head;
    struct h1_marks marks;
    struct h1_buffer lines;   /* the head's bytes: slices point here */
    struct h1_buffer trailer; /* the trailer line being read */
    struct field *fields;
    uint32_t field_cap;
    uint32_t line_at;      /* where the line being read begins in lines */
    uint32_t header_bytes; /* used of the limits, as the next two */
    uint32_t header_count;
    uint64_t body;
    uint64_t left; /* body bytes of this request, or of this chunk, to come */
    uint8_t state;
    uint8_t digits; /* of the chunk size being read */
    bool cr;        /* the last byte was the CR of a line's end */
    bool blank;     /* an empty line came before the request line */
    bool headed;    /* H1_HEAD was said, or only a limit was in its way */
    err refused;    /* OK: not */
    const char *refused_text;
};

void h1_init(struct h1 *h, const struct h1_limits *limits); /* of a new connection; no allocation */
void h1_free(struct h1 *h); /* gives the buffers back; a zeroed struct is a no-op */

/* Reads on in *input, which is cut from the front by what was used; call again until H1_MORE or
 * H1_REFUSED. H1_END leaves the bytes of the next request untouched. The head lives until the call
 * after H1_END.
 * out     ret  members that do not belong to the event are untouched */
enum h1_event h1_next(struct h1 *h, str *input, struct h1_out *ret);

/* True between requests: no byte of the next one has been read. */
bool h1_idle(const struct h1 *h);

/* Of a request whose head is not whole, or was refused: its request line and the fields in front of
 * where reading stands, for logs and counters; what decides where it ends is not to be read from
 * it. NULL: no request line has been read. Lives as the head does, if nothing more is read. */
const struct request_head *h1_begun(struct h1 *h);

#endif
