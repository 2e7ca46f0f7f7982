/* The watch side of a front: one thread that turns events into access lines, one that runs jobs
 * such as rendering /metrics. A slow reader of stdout fills the buffer of lines, then the newest
 * lines are dropped and counted; no request waits, and no job does. thread  watcher_post: any; the
 * rest: the thread that made it */
#ifndef GARRISON_WATCH_WATCHER_H
#define GARRISON_WATCH_WATCHER_H

#include "base/cell.h"
#include "base/log.h"
#include "base/ring.h"

#define WATCHER_RINGS_MAX 64u
#define WATCHER_BUFFER    (4ull << 20)

struct watcher;

struct watcher_opts {
    const struct log_site *site;
    struct segment segment;
    uint32_t shard;      /* of the watch thread */
    uint32_t rings;      /* one a loop */
    uint32_t event_ring; /* records of 256 bytes a ring, a power of two */
    bool access;         /* whether lines are wanted */
    int fd;              /* where they go */
    uint64_t buffer;     /* bytes of lines that wait; 0: WATCHER_BUFFER */
};

/* Makes the rings and starts both threads. *ret_w is yours: watcher_stop.
 * errors  ERR_UNAVAILABLE */
MUST_USE err watcher_start(const struct watcher_opts *opts, struct watcher **ret_w,
                           struct fault *f);

struct ring *watcher_ring(struct watcher *w, uint32_t i); /* of loop i, its producer */

/* Runs fn(arg) on the job thread. errors: ERR_BUSY: two wait already */
MUST_USE err watcher_post(struct watcher *w, void (*fn)(void *arg), void *arg, struct fault *f);

/* Writes what waits, for no longer than a second if nobody reads, then ends both threads. A job
 * that runs is waited for, one that has not begun is not run. */
void watcher_stop(struct watcher *w);

#endif
