/* How a snapshot lies in memory, for the two files that make and free it; not an interface. */
#ifndef GARRISON_REGISTRY_SNAPSHOT_WIRE_H
#define GARRISON_REGISTRY_SNAPSHOT_WIRE_H

#include <stdatomic.h>

#include "registry/snapshot.h"

/* One block of memory: this, the arrays, then the bytes that strings point into. */
struct snapshot_held {
    _Atomic uint64_t refs;
    struct snapshot s;
};

int snapshot_name_order(str a, str b); /* by bytes, the shorter first; < 0, 0, > 0 */

#endif
