/* HTTP/1.1 response heads, and whole error replies. A head is written in one go into contiguous
 * room of the chain: first the fixed fields, then the caller's. thread  any; never blocks source
 * RFC 9112 section 4; RFC 9110 sections 5.6.7, 10.2.1, 10.2.3, 11.6.1 */
#ifndef GARRISON_PROTO_RESPONSE_H
#define GARRISON_PROTO_RESPONSE_H

#include <stdint.h>

#include "base/fault.h"
#include "proto/chain.h"
#include "proto/request.h"

#define RESPONSE_DATE_BYTES 29u
#define RESPONSE_CONTINUE   STR("HTTP/1.1 100 Continue\r\n\r\n")
#define RESPONSE_JSON       STR("application/json") /* never with a parameter */
#define RESPONSE_TEXT_MAX   512u                    /* bytes of an error's text; more are cut */

struct response {
    int status;                 /* 200..599; response_error takes it from the code */
    str type;                   /* Content-Type; empty: none */
    uint64_t length;            /* Content-Length: of the body, also where a HEAD keeps it away */
    bool close;                 /* Connection: close */
    bool head;                  /* the request was a HEAD: response_error writes no body */
    const char *date;           /* RESPONSE_DATE_BYTES of response_date; NULL: no Date */
    const struct field *fields; /* further ones; control characters of a value become '?' */
    uint32_t field_count;
};

/* An error as the client sees it. */
struct response_reason {
    err code;          /* not OK */
    str text;          /* one line */
    const char *allow; /* ERR_METHOD: methods of the route; NULL: all that any route has */
    uint32_t retry_s;  /* Retry-After where the row has one, cut to 1..30; 0: 1 */
    bool no_retry;     /* no Retry-After: a repeat cannot help */
};

/* IMF-fixdate of Unix seconds into out (no NUL): "Sun, 06 Nov 1994 08:49:37 GMT". */
void response_date(int64_t unix_s, char out[RESPONSE_DATE_BYTES]);

str response_phrase(int status); /* "Not Found"; empty for a status we never send */

/* Bytes of the head, and the head itself into out, which has that many. */
uint64_t response_head_bytes(const struct response *r);
uint64_t response_head_write(const struct response *r, char *out); /* returns the same number */

/* Appends the head. One of more than CHAIN_BLOCK_BYTES makes the chain fail. */
void response_head(struct chain *c, const struct response *r);

/* Appends a whole error reply: status and x-garrison-error from the code, Retry-After, Allow or
 * WWW-Authenticate where its row wants it, and the body {"error":"..."}.
 * in      r  close, head, date and fields count; the rest is ignored
 * returns bytes of the body, also where a HEAD kept it away */
uint64_t response_error(struct chain *c, const struct response *r,
                        const struct response_reason *why);

/* The body alone into out, RESPONSE_BODY_MAX bytes; returns its length. For other protocols. */
#define RESPONSE_BODY_MAX (6u * RESPONSE_TEXT_MAX + 16u)
uint64_t response_error_body(str text, char out[RESPONSE_BODY_MAX]);

#endif
