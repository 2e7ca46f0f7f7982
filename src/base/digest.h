/* SHA-256 (FIPS 180-4), one shot and streaming.
 * Not for the worker: engine references nothing of this file.
 * thread  a struct digest is owned by one thread; never blocks */
#ifndef GARRISON_BASE_DIGEST_H
#define GARRISON_BASE_DIGEST_H

#include <stdint.h>

#include "base/fault.h"

#define DIGEST_BYTES 32u

struct digest; /* a running hash */

MUST_USE err digest_new(struct digest **ret_d, struct fault *f); /* *ret_d is yours: digest_free */
void digest_add(struct digest *d, const void *at, uint64_t len);
void digest_end(struct digest *d, uint8_t ret[DIGEST_BYTES]); /* and starts anew */
void digest_free(struct digest *d);                           /* NULL is a no-op */

/* The SHA-256 of len bytes. */
void digest_of(const void *at, uint64_t len, uint8_t ret[DIGEST_BYTES]);

#endif
