/* Reusable buffers for bodies: power-of-two classes, kept for the next request, since the first
 * touch of fresh pages costs many times their reuse. Counts what is out against a limit that all
 * loops of a front share. thread  a struct pool is owned by one loop; the shared counter is atomic
 */
#ifndef GARRISON_SERVE_POOL_H
#define GARRISON_SERVE_POOL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/fault.h"

#define POOL_CLASSES        21u /* 4 KiB .. 4 GiB */
#define POOL_SMALLEST_BYTES 4096u
#define POOL_KEEP_BYTES     (16u << 20) /* of idle buffers a loop keeps */

struct pool_buffer;

struct pool {
    struct pool_buffer *idle[POOL_CLASSES];
    uint64_t idle_bytes;
    _Atomic uint64_t *out; /* bytes out, of all loops */
    uint64_t out_max;
};

void pool_init(struct pool *p, _Atomic uint64_t *out, uint64_t out_max);
void pool_free(struct pool *p); /* idle buffers; those out must be back */

struct pool_bytes {
    uint8_t *at; /* NULL: nothing */
    uint64_t cap;
};

/* A buffer of at least want bytes; its content is old.
 * errors  ERR_BUSY: the limit is spent; ERR_UNAVAILABLE: the memory is; ERR_TOO_BIG: over 4 GiB */
MUST_USE err pool_take(struct pool *p, uint64_t want, struct pool_bytes *ret, struct fault *f);
void pool_give(struct pool *p, struct pool_bytes *b); /* back; *b is nothing afterwards */

#endif
