/* A front process: data or ops. Holds what its loops share: settings, the link to the keeper, the
 * metrics segment, the watch thread.
 * thread  front_share, front_unshare, front_tell_* from any loop; the rest on the main loop */
#ifndef GARRISON_SERVE_FRONT_H
#define GARRISON_SERVE_FRONT_H

#include <pthread.h>

#include "base/message.h"
#include "base/settings.h"
#include "net/link.h"
#include "net/loop.h"
#include "proto/h1.h"
#include "proto/oip.h"
#include "serve/backend.h"
#include "serve/front_loop.h"
#include "serve/watch_side.h"

#define FRONT_LOOPS_MAX 64u

struct front {
    enum role role; /* ROLE_DATA_FRONT or ROLE_OPS_FRONT */
    enum route_listeners side;
    const struct front_settings *settings;
    struct infer_limits limits;
    struct h1_limits h1_limits;
    struct account_front *account;
    const struct watch_calls *watch_calls;
    struct watch_side *watch;
    uint32_t loop_count;
    struct front_loop loops[FRONT_LOOPS_MAX];
    pthread_t threads[FRONT_LOOPS_MAX];
    _Atomic uint64_t turned;     /* bit i: loop i has turned since the last beat */
    _Atomic uint64_t bodies_out; /* bytes of bodies in all pools */
    _Atomic bool draining;       /* not ready */
    pthread_mutex_t lock;        /* of shared */
    struct backend_shared *shared;

    /* Of the main loop alone. */
    struct link *link; /* NULL: nobody is told anything (tests) */
    struct timer beat, drain;
    struct front_ask *asks; /* calls that wait for the keeper */
    uint64_t ask_id;
    uint64_t drain_end_ns; /* 0: not closing yet */
    uint64_t requests_cut;
    uint32_t delay_ms, grace_ms;
    bool cut, drained;
    int status_fd, fds_fd; /* /proc/self/status and /proc/self/fd, opened at start */
};

/* Runs a front until the keeper ends it; the process's exit status. Descriptor 3 is the control
 * socket (base/message). */
int front_run(enum role role, const struct watch_calls *watch);

/* The counters that all loops of the front share for a version. */
MUST_USE err front_share(struct front *front, const struct snapshot_model *model,
                         const struct snapshot_version *version, struct backend_shared **ret,
                         struct fault *f);
void front_unshare(struct front *front, struct backend_shared *shared);

/* Tells the keeper that a worker broke a rule of its lane, or keeps a run too long. */
void front_lane_fault(struct front_loop *l, uint32_t worker, uint32_t generation,
                      enum lane_fault reason, const char *text);

/* Asks the keeper for the status document on behalf of a call (ops front, main loop); the call is
 * CALL_AWAY until the answer or its deadline. */
void front_ask_status(struct call *c);

/* Answers UNAVAILABLE where the keeper did not answer in time (main loop). */
void front_asks_late(struct front *front, uint64_t now_ns);

/* Ends the process with a line on stderr: the keeper starts another. Any loop. */
__attribute__((noreturn)) void front_leave(const char *why);

/* A snapshot is here, no drain, and nothing is deployed or something can serve. */
bool front_ready(const struct front *front, const struct routing *r);
bool front_started(const struct routing *r); /* every version is loaded or given up */

/* Internal to the front's files: what the keeper says, and answers to it. Main loop alone. */
void front_on_snapshot(struct front *front, const struct link_message *m);
void front_on_lane(struct front *front, const struct link_message *m);
void front_on_lane_drop(struct front *front, const struct link_message *m);
MUST_USE err front_drain_init(struct front *front, struct fault *f); /* loops are open */
void front_on_drain(struct front *front, const struct link_message *m);
void front_on_reply(struct front *front, const struct link_message *m);
void front_drain_loops(struct front *front, bool closing);
void front_cut_loops(struct front *front);
void front_beat(struct front *front); /* sends a beat and sets the next */
#define FRONT_TELL(front, name, id, message)                                                       \
    do {                                                                                           \
        uint8_t tell_bytes[4096];                                                                  \
        struct message_buffer tell_b = {.at = tell_bytes, .cap = sizeof(tell_bytes)};              \
        if (message_put_##name((message), &tell_b, NULL) == OK)                                    \
            front_say((front), MESSAGE_##name, (id), &tell_b);                                     \
    } while (0)
void front_say(struct front *front, uint16_t number, uint64_t id, const struct message_buffer *b);

#endif
