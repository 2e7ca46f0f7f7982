/* Streaming decoder of gzip and deflate (zlib form) bodies into memory of the caller, within
 * limits, so that a small body cannot become a large one. Several gzip members in a row are one
 * body. thread  owned by one thread; never blocks source  RFC 1950, 1951, 1952; RFC 9110
 * section 8.4.1 */
#ifndef GARRISON_PROTO_INFLATE_H
#define GARRISON_PROTO_INFLATE_H

#include <stdint.h>

#include "base/fault.h"
#include "proto/request.h"

#define INFLATE_FREE_BYTES 65536u /* decoded bytes that any ratio may have */

struct inflate;

struct inflate_limits {
    uint64_t decoded; /* bytes of the decoded body */
    uint32_t ratio;   /* decoded bytes a coded byte, judged beyond INFLATE_FREE_BYTES */
};

MUST_USE err inflate_new(struct inflate **ret_i, struct fault *f); /* yours: inflate_free */
void inflate_free(struct inflate *i);                              /* NULL is a no-op */

/* Starts a body of CODING_GZIP or CODING_DEFLATE, whatever state the last one was left in. */
void inflate_begin(struct inflate *i, enum coding coding, const struct inflate_limits *limits);

/* Decodes from *input, which is cut from the front by what was used, into out.
 * in      room     bytes of out, at least 1; a limit is seen by the byte that passes it, so the
 *                  largest body needs one byte more
 * out     ret_len  bytes written. Equal to room: call again, with more room, before anything else;
 *                  less: all input is used.
 * errors  ERR_INPUT: not such a stream, or bytes behind its end; ERR_TOO_BIG: a limit;
 *         ERR_UNAVAILABLE: out of memory. After an error only inflate_begin and _free are allowed
 */
MUST_USE err inflate_next(struct inflate *i, str *input, void *out, uint64_t room,
                          uint64_t *ret_len, struct fault *f);

/* The body has ended: errors  ERR_INPUT: in the middle of a stream, or without one. */
MUST_USE err inflate_end(const struct inflate *i, struct fault *f);

uint64_t inflate_decoded(const struct inflate *i); /* bytes given out since inflate_begin */

#endif
