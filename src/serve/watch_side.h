/* The watch side of a front, as this room sees it: a ring for each loop to write events to, and a
 * page to ask for. Who makes it (cli) passes these calls in; serve cannot see the rest of watch, so
 * an observer has no way to change an answer.
 * thread  page: any loop, and done is called on another thread; the rest: the main loop */
#ifndef GARRISON_SERVE_WATCH_SIDE_H
#define GARRISON_SERVE_WATCH_SIDE_H

#include "base/fault.h"
#include "base/ring.h"
#include "base/settings.h"

struct watch_side;

struct watch_side_opts {
    const struct front_settings *settings;
    bool ops;          /* of the ops front */
    uint32_t loops;    /* of this front */
    int cells, series; /* descriptors of the metrics segment */
};

/* A rendered page. bytes is malloc'd and goes to who is told; NULL: it could not be made. */
struct watch_page {
    char *bytes;
    uint64_t len;
    const char *type; /* Content-Type; constant */
};

struct watch_calls {
    MUST_USE err (*open)(const struct watch_side_opts *opts, struct watch_side **ret,
                         struct fault *f);
    struct ring *(*ring)(struct watch_side *w, uint32_t loop);
    /* errors: ERR_BUSY: two pages are being made */
    MUST_USE err (*page)(struct watch_side *w, str accept,
                         void (*done)(void *arg, const struct watch_page *page), void *arg,
                         struct fault *f);
    void (*stop)(struct watch_side *w); /* what waits is written first */
};

#endif
