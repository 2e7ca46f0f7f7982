/* The known name that a mistyped one most likely meant: keys, commands, flags.
 * thread  any; never blocks */
#ifndef GARRISON_CONTROL_NEAREST_H
#define GARRISON_CONTROL_NEAREST_H

#include <stdint.h>

#include "base/str.h"

#define NEAREST_BYTES_MAX 64u

/* Edits (insert, delete, replace, swap of neighbours) from a to b: optimal string alignment.
 * UINT32_MAX where one is longer than NEAREST_BYTES_MAX. */
uint32_t nearest_distance(str a, str b);

/* A search over candidates: start with {.wanted = name}, offer each, then read best. */
struct nearest {
    str wanted;
    str best; /* empty: nothing known is near */
    uint32_t distance;
};

/* Takes candidate as best if it is nearer than the best so far, and near at all: at most a third
 * of its bytes away, or two edits. */
void nearest_offer(struct nearest *n, str candidate);

#endif
