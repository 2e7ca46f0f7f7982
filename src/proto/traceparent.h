/* The traceparent field: which trace a request belongs to.
 * thread  any; never blocks
 * source  W3C Trace Context level 1, sections 3.2, 4.2 */
#ifndef GARRISON_PROTO_TRACEPARENT_H
#define GARRISON_PROTO_TRACEPARENT_H

#include <stdint.h>

#include "base/str.h"

#define TRACEPARENT_BYTES 55u

struct traceparent {
    uint8_t trace_id[16]; /* never all zero */
    uint8_t span_id[8];   /* never all zero: the caller's when read, ours when written */
    bool sampled;
};

/* Reads a field's value: version 00 in exactly 55 bytes, a higher one in at least 55 by the same
 * four parts, lower-case hex, ids not zero, not version ff. *ret is untouched when false: such a
 * request starts a new trace. */
bool traceparent_read(str value, struct traceparent *ret);

/* Version 00, flags 00 or 01, no NUL. */
void traceparent_write(const struct traceparent *t, char out[TRACEPARENT_BYTES]);

#endif
