/* What the fields of an HTTP/1 head mean for framing and connection, and whether they agree.
 * A call that refuses returns or sets the reason, one constant line.
 * thread  any; never blocks
 * source  RFC 9112 sections 3.2, 6, 9; RFC 9110 sections 7.6.1, 8.4, 8.6, 10.1.1 */
#ifndef GARRISON_PROTO_H1_HEAD_H
#define GARRISON_PROTO_H1_HEAD_H

#include "base/err.h"
#include "proto/request.h"

/* What was seen so far in one head; begins zeroed. */
struct h1_marks {
    str host; /* value of the Host field; empty: none came */
    bool length, transfer, expect, coding;
    bool close;      /* Connection says close */
    bool coding_bad; /* a content coding that is not offered */
};

/* Takes one field into account, in the order of arrival, behind the request line. NULL: taken. */
const char *h1_head_field(struct request_head *head, struct h1_marks *marks, const struct field *f);

/* Holds a complete head against the rules that need all of it, and sets its keep_alive and, from
 * the Host field, host.
 * errors  ERR_INPUT: Host missing or another than the target's, two framings; ERR_CODING;
 *         ERR_TOO_BIG: Content-Length over body_max */
MUST_USE err h1_head_end(struct request_head *head, const struct h1_marks *marks, uint64_t body_max,
                         const char **ret_why);

/* Whether a trailer of that name would change what was already decided. */
bool h1_head_is_framing(str name);

#endif
