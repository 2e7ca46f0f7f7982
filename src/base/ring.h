/* A ring of records of differing size between one producer and one consumer thread.
 * Full means that the newest record is dropped and counted: a producer never waits. The consumer
 * sleeps on an eventfd; while both are busy neither makes a system call.
 * thread  ring_put: the producer; ring_take, ring_done, ring_sleep: the consumer; counters: any */
#ifndef GARRISON_BASE_RING_H
#define GARRISON_BASE_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/fault.h"

struct ring;

/* bytes is a power of two, at least 4096. wake is an eventfd that stays open, or -1: nobody sleeps.
 * *ret_r is yours. errors: ERR_UNAVAILABLE */
MUST_USE err ring_new(uint64_t bytes, int wake, struct ring **ret_r, struct fault *f);
void ring_free(struct ring *r); /* NULL is a no-op */

/* Room for a record of at most len bytes, 8-byte aligned and contiguous, or NULL: it is dropped and
 * counted. ring_commit publishes its first `used` bytes (<= len). */
void *ring_room(struct ring *r, uint32_t len);
void ring_commit(struct ring *r, uint32_t used);

/* The oldest record, borrowed until ring_done; NULL: none. */
const void *ring_take(struct ring *r, uint32_t *ret_len);
void ring_done(struct ring *r);

/* Before the consumer sleeps: announces it and looks once more. true: something came. */
bool ring_sleep(struct ring *r);

uint64_t ring_dropped(const struct ring *r);
uint64_t ring_waiting_bytes(const struct ring *r);

#endif
