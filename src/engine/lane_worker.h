/* The worker's side of its lanes (engine/lane.h): takes submissions, hands replies back.
 * All lanes of a worker are taken under one lock of the caller, so each ring keeps a single
 * consumer and a single producer although several threads run.
 * thread  calls on one struct lane_end are serialised by the caller; lane_end_output touches its
 *         own job alone and needs no lock; lane_end_cancelled and lane_end_beat are free */
#ifndef GARRISON_ENGINE_LANE_WORKER_H
#define GARRISON_ENGINE_LANE_WORKER_H

#include "engine/lane.h"

struct lane_end;

/* Maps the lane before the sandbox closes. loop_wake is the eventfd of the front's loop.
 * The descriptors may be closed afterwards, but loop_wake. *ret_end lives as long as the worker. */
MUST_USE err lane_end_open(int memfd, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                           struct fault *f);
void lane_end_close(struct lane_end *e); /* NULL is a no-op */

/* Tells the lane which signature its requests keep to; before the first take. */
void lane_end_signature(struct lane_end *e, const struct signature *sig);

/* A submission, copied and checked: everything below lies inside the lane. */
struct lane_job {
    struct lane_end *end;
    uint32_t slot, generation;
    uint64_t deadline_ns;
    uint64_t outputs; /* mask */
    uint32_t rows;    /* not yet held against the inputs' dim 0; 0 is lawful */
    bool alone;
    const struct view *inputs; /* one per input of the signature; at NULL: left out. Until finish */
    uint64_t reply_bytes;      /* room for output tensors */
};

/* Takes the next submission.
 * errors  ERR_NOT_FOUND: none waits (f untouched); ERR_INPUT: the front broke a rule,
 * ERR_UNAVAILABLE: no memory (made once a slot): the entry is dropped, the worker should leave */
MUST_USE err lane_end_take(struct lane_end *e, struct lane_job *ret_job, struct fault *f);

/* true once the front has cancelled this job. Any thread, lock-free. */
bool lane_end_cancelled(const struct lane_job *j);

/* Room in the reply extent for the next output of `bytes` bytes, 64-byte aligned; outputs are
 * appended in ascending order of the mask. NULL: does not fit (finish with LANE_REPLY_TOO_BIG). */
uint8_t *lane_end_output(struct lane_job *j, uint32_t output, const struct shape *shape,
                         uint64_t bytes);

struct lane_end_result {
    enum lane_status status;
    uint64_t input_ns, compute_ns, output_ns;
    uint32_t batch_rows, batch_requests;
    const char *text; /* NULL or why it failed; cut to 256 printable bytes */
    bool quiet;       /* wake nobody yet: lane_end_kick follows soon, and before any sleep */
};

/* Publishes the completion and, unless quiet, wakes the front's loop if it sleeps. */
void lane_end_finish(struct lane_job *j, const struct lane_end_result *result);

/* Wakes the front's loop, if it sleeps, for all that was finished quietly. */
void lane_end_kick(struct lane_end *e);

/* The front behind a lane is gone (keeper's word): drops what waits, forgets what is running (its
 * finish becomes a no-op), and, once nothing of that generation runs, resets the rings for the next
 * generation. Returns true when the lane is clean and may be handed to a new front. */
bool lane_end_drop(struct lane_end *e, uint32_t generation);

/* Before the worker sleeps on its eventfd: announces it in every lane and looks once more.
 * true: something came. lane_ends_awake after waking, or after true. There is one flag a lane: one
 * thread at a time is between the two calls (the others wait for that one), else the thread that
 * wakes lowers the flag of those that still sleep and they miss the next request. */
bool lane_ends_sleep(struct lane_end *const *ends, uint32_t count);
void lane_ends_awake(struct lane_end *const *ends, uint32_t count);

/* Bumps the progress counter in the lane's block. Any thread. */
void lane_end_beat(struct lane_end *e);

#endif
