/* One model version as one loop sees it: the requests that wait for it, what is known of its run
 * times, and the lane to its worker. It outlives the worker: a queue survives a worker's death and
 * goes on with the next one's lane.
 * thread  owned by its loop; the shared counters are atomic */
#ifndef GARRISON_SERVE_BACKEND_H
#define GARRISON_SERVE_BACKEND_H

#include <stdatomic.h>

#include "engine/lane.h"
#include "registry/snapshot.h"
#include "serve/admit.h"

struct call;
struct front_loop;
struct routing;

/* What all loops of a front count together for one version. */
struct backend_shared {
    struct backend_shared *next;
    char model[129], version[65];
    uint8_t digest[32];
    _Atomic uint32_t waiting;
    _Atomic uint32_t in_flight;
    uint32_t refs; /* under the front's lock */
};

/* A request in the lane. call is NULL once nobody waits for it: cancelled or late. */
struct flight {
    struct call *call;
    uint64_t sent_ns;
    uint64_t end_ns; /* when a cancelled run is overdue, 0: not cancelled */
    uint32_t rows;
};

/* A lane in use: kept mapped while a reply is still written from one of its extents. */
struct lane_hold {
    struct lane *lane;
    const struct snapshot *snapshot; /* whose signature the lane refers to; a reference */
    struct flight *flights;          /* LANE slots of them */
    uint32_t slots;
    uint32_t worker, generation;
    int wake;           /* eventfd of the worker, closed with the hold */
    uint64_t quiet_ns;  /* since when something is sent that the worker is not woken for; 0: none */
    uint32_t in_flight; /* sent and not reaped */
    uint32_t refs;      /* the backend's, and one a reply being written */
};

struct backend {
    struct front_loop *owner;
    struct backend *next_active; /* list of backends with something in flight */
    bool active;
    bool dispatching;
    uint32_t refs; /* routings that name it */
    struct backend_shared *shared;
    const struct snapshot_version *version; /* of the newest routing */
    struct lane_hold *hold;                 /* NULL: no lane now */
    struct call *first, *last;              /* waiting, in order of arrival */
    uint32_t waiting;
    struct admit admit;
    uint32_t faults; /* breaches already told to the keeper, of this lane */
};

/* A lane that the keeper has offered for a worker and nobody has opened yet. */
struct lane_offer {
    struct lane_offer *next;
    uint32_t worker, generation;
    uint64_t bytes;
    int memfd, wake;
};

MUST_USE err backend_new(struct front_loop *owner, const struct snapshot_model *model,
                         const struct snapshot_version *version, struct backend **ret,
                         struct fault *f);
void backend_release(struct backend *b); /* frees at the last routing */

/* Takes the facts of a newer snapshot: opens the offered lane of the worker it names, or ends what
 * waits where the version can no longer serve. */
void backend_update(struct backend *b, struct routing *routing,
                    const struct snapshot_version *version);

/* The worker of this lane is gone: what was sent is answered UNAVAILABLE, what waits goes on
 * waiting. */
void backend_lane_lost(struct backend *b, uint32_t worker, uint32_t generation);

/* Puts a call at the end of the queue, or takes a waiting one out. */
void backend_push(struct backend *b, struct call *c);
void backend_remove(struct backend *b, struct call *c);

/* Sends what waits while the lane has room. */
void backend_dispatch(struct backend *b);

/* Wakes the worker for what was sent since: once a turn of the loop. */
void backend_kick(struct backend *b);

/* Takes what has come back. */
void backend_reap(struct backend *b);

/* Forgets the caller of a sent request and asks the worker to end it. */
void backend_orphan(struct backend *b, struct lane_hold *hold, uint32_t slot);

/* Gives back an extent after its reply is written. */
void lane_hold_release(struct lane_hold *hold, uint32_t slot);
void lane_hold_drop(struct lane_hold *hold);

/* Counters that the loop publishes. */
uint32_t backend_all_waiting(const struct backend *b);

#endif
