/* One loop of a front and what belongs to it: connections, backends, timers, cells, events.
 * Internal to this room.
 * thread  the loop's own, but for the calls that say otherwise */
#ifndef GARRISON_SERVE_FRONT_LOOP_H
#define GARRISON_SERVE_FRONT_LOOP_H

#include <stdatomic.h>

#include "net/conn.h"
#include "net/loop.h"
#include "proto/response.h"
#include "serve/call.h"
#include "serve/pool.h"
#include "serve/routing.h"

#define FRONT_LOOP_LISTENERS_MAX 16u

struct front;

struct front_loop {
    struct front *front;
    struct loop *loop;
    uint32_t index;
    struct account *account;                    /* cells and events of this loop alone */
    int listener_fds[FRONT_LOOP_LISTENERS_MAX]; /* inherited, not yet listened on */
    struct listener *listeners[FRONT_LOOP_LISTENERS_MAX];
    uint32_t fd_count, listener_count;
    _Atomic uint32_t conns;
    uint32_t listener_next; /* whose turn it is after a pause */
    struct http *https;     /* all connections */
    struct pool pool;
    struct routing *routing; /* NULL until the first snapshot */
    struct backend *active;  /* backends with something in the lane */
    struct lane_offer *offers;
    int wake_fd; /* eventfd that workers write; -1 on the ops front */
    struct poll wake;
    struct timer sweep;    /* slow clients, stalled writes, overdue runs */
    struct timer deadline; /* the earliest deadline of a request */
    uint64_t deadline_ns;  /* what it is set to; 0: idle */
    uint64_t date_s;       /* what date says */
    char date[RESPONSE_DATE_BYTES];
    uint64_t random[4];
    bool draining, closing; /* closing: past the delay, connections end when silent */
};

/* Opens timers and hooks; l->loop may exist already, l->wake_fd is set before. */
MUST_USE err front_loop_open(struct front_loop *l, struct front *front, uint32_t index,
                             struct fault *f);

/* Keeps a listening descriptor until the first routing is here: before that every model would be
 * unknown, and a client that waits in the queue is better off than one that is told so. */
MUST_USE err front_loop_listen(struct front_loop *l, int fd, struct fault *f);

void front_loop_active(struct front_loop *l, struct backend *b);
void front_loop_inactive(struct front_loop *l, struct backend *b);
void front_loop_kick(struct front_loop *l); /* wakes the workers for what was sent in this turn */

/* The offered lane of a worker, or NULL. _drop closes its descriptors. */
struct lane_offer *front_loop_offer(struct front_loop *l, uint32_t worker);
void front_loop_offer_drop(struct front_loop *l, struct lane_offer *offer);

/* A worker is gone, or its lane on this loop is used no more. */
void front_loop_lane_lost(struct front_loop *l, uint32_t worker, uint32_t generation);

/* Makes sure that the deadline timer fires no later than deadline_ns. */
void front_loop_deadline(struct front_loop *l, uint64_t deadline_ns);

/* Takes a new view of the routing. */
void front_loop_route(struct front_loop *l, const struct snapshot *s);

/* Not ready from now on; closing: connections end as they fall silent. */
void front_loop_drain(struct front_loop *l, bool closing);

/* The grace is over: what waits or runs is answered UNAVAILABLE. */
void front_loop_cut(struct front_loop *l);

str front_loop_date(struct front_loop *l); /* IMF-fixdate of now */
uint64_t front_loop_random(struct front_loop *l);

#endif
