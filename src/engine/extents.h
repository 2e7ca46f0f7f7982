/* Hands out ranges of an area, first fit from its start, so that the same few pages stay hot.
 * Positions and sizes count in units of the caller; all bookkeeping is private memory of this
 * object, made once: taking and giving allocate nothing.
 * thread  owned by one thread; never blocks */
#ifndef GARRISON_ENGINE_EXTENTS_H
#define GARRISON_ENGINE_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

struct extents;

/* An area of units units of which at most taken_max ranges are out at once (both >= 1). NULL: no
 * memory. Yours: extents_free. */
struct extents *extents_new(uint32_t units, uint32_t taken_max);
void extents_free(struct extents *x); /* NULL is a no-op */

/* Takes the lowest range of units (>= 1) that is free.
 * out     ret_at  untouched when false: no such range now */
bool extents_take(struct extents *x, uint32_t units, uint32_t *ret_at);

/* Gives back exactly what was taken at that place; joins its free neighbours. */
void extents_give(struct extents *x, uint32_t at, uint32_t units);

uint32_t extents_largest(const struct extents *x); /* units of the largest free range; 0: none */

#endif
