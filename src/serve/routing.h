/* A loop's view of a routing snapshot: its own reference, and a backend for every version in it. A
 * request keeps the routing it was gated with until it is answered, so that a swap in between
 * changes nothing for it. thread  owned by its loop */
#ifndef GARRISON_SERVE_ROUTING_H
#define GARRISON_SERVE_ROUTING_H

#include "registry/snapshot.h"
#include "serve/backend.h"

struct routing {
    const struct snapshot *snapshot;
    struct front_loop *owner;
    struct backend **backends; /* of all versions, in the snapshot's order */
    uint32_t *first;           /* of model i: its first backend */
    uint32_t backend_count;
    uint32_t refs;
};

/* Makes the view of a snapshot (takes over the reference), reusing the backends of `old` (may be
 * NULL) for versions that are the same. *ret_r holds one reference. */
MUST_USE err routing_new(struct front_loop *owner, const struct snapshot *s, struct routing *old,
                         struct routing **ret_r, struct fault *f);

/* Brings every backend to the facts of this view. Apart from routing_new, since it may answer
 * requests, which looks at the loop's present view. */
void routing_apply(struct routing *r);

struct routing *routing_take(struct routing *r);
void routing_drop(struct routing *r); /* NULL is a no-op */

/* Where a request goes. */
struct route_target {
    const struct snapshot_model *model;
    const struct snapshot_version *version;
    struct backend *backend;
    uint32_t arm; /* index of the arm that chose it; 0 where a version was asked for */
};

/* Finds model and version; an empty version lets the arms choose, by weight and `point` (any 64
 * bits that are spread evenly, such as a hash of the request's key).
 * errors  ERR_NOT_FOUND, in the words that clients match; ERR_UNAVAILABLE: no arm */
MUST_USE err routing_find(struct routing *r, str model, str version, uint64_t point,
                          struct route_target *ret, struct fault *f);

#endif
