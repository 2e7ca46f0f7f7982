/* The lanes of one worker: for each loop of the data front two memfds, used in turn by successive
 * fronts (part = generation of the front modulo 2), and the eventfd that wakes the worker. The
 * worker maps all of them before its sandbox closes, so no descriptor is passed to it later.
 * Memory behind a lane is taken only when it is touched.
 * thread  the keeper's main thread
 * source  security.md section 4 */
#ifndef GARRISON_CONTROL_LANES_H
#define GARRISON_CONTROL_LANES_H

#include <stdint.h>

#include "base/fault.h"

#define LANES_LOOPS_MAX 64u
#define LANES_PARTS     2u

struct lanes;

/* *ret is yours: lanes_free. errors: ERR_UNAVAILABLE */
MUST_USE err lanes_new(uint32_t loops, uint64_t bytes, struct lanes **ret, struct fault *f);
void lanes_free(struct lanes *l); /* NULL is a no-op */

int lanes_memfd(const struct lanes *l, uint32_t loop, uint32_t part); /* stays the set's */
int lanes_wake(const struct lanes *l);
uint64_t lanes_bytes(const struct lanes *l); /* of one lane */

/* The lane of that loop goes to the front of that generation. false: it is not clean yet, or is
 * that front's already. */
bool lanes_offer(struct lanes *l, uint32_t loop, uint32_t generation);

/* The front of that generation is gone. true: it had this lane, the worker must be told. */
bool lanes_lost(struct lanes *l, uint32_t loop, uint32_t generation);

/* Whether the front of that generation has this lane. */
bool lanes_used(const struct lanes *l, uint32_t loop, uint32_t generation);

/* The worker says that the lane is clean. errors: ERR_INPUT: it was not asked to clean it */
MUST_USE err lanes_clean(struct lanes *l, uint32_t loop, uint32_t generation, struct fault *f);

#endif
