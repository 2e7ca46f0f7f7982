/* The body of a request, gathered in one buffer of the loop's pool, decoded on the way.
 * thread  the call's loop; never blocks */
#ifndef GARRISON_SERVE_BODY_H
#define GARRISON_SERVE_BODY_H

#include "proto/inflate.h"
#include "serve/call.h"

struct body_reader {
    struct inflate *inflate; /* made at the first coded body of the connection */
    bool coded;
};

/* Begins a body by the head of the call; a known length is reserved at once, but at most 1 MiB
 * before bytes of it have come, so that an announcement costs nothing.
 * errors  as body_add */
MUST_USE err body_begin(struct body_reader *r, struct call *c);

/* Adds the next bytes as they came.
 * errors  ERR_TOO_BIG: a limit of the (decoded) body; ERR_INPUT: bad coding; ERR_BUSY,
 *         ERR_UNAVAILABLE: no memory */
MUST_USE err body_add(struct body_reader *r, struct call *c, str piece);

/* Where the next bytes may be read to, so that body_add need not copy them.
 * returns how many, 0: they are coded, in chunks, or there is no buffer for them yet */
uint64_t body_room(const struct body_reader *r, const struct call *c, uint8_t **ret_at);

/* The body is whole: call->body and body_len hold it.
 * errors  ERR_INPUT: the coding ends too early */
MUST_USE err body_end(struct body_reader *r, struct call *c);

void body_free(struct body_reader *r);

#endif
