/* Admission of one model version: now or never. Pure arithmetic over what is known of its runs; the
 * queue itself and the clock are the caller's.
 *
 * S   run time, an exponentially weighted mean (alpha 0.1) over runs
 * S99 99th percentile of the run time, from a histogram that halves every 1,024 runs
 * b   mean requests a run (alpha 0.1)
 * A later layer (adaptive limit, fair shares) can replace what stands behind these calls.
 * thread  owned by one loop; never blocks
 * source  Little's law for the queue bound: waiting = rate x time */
#ifndef GARRISON_SERVE_ADMIT_H
#define GARRISON_SERVE_ADMIT_H

#include <stdint.h>

#include "base/fault.h"

#define ADMIT_RUNS_KNOWN  8u /* before so many runs the prediction passes */
#define ADMIT_BUCKETS     160u
#define ADMIT_RETRY_S_MAX 30u

struct admit {
    double run_ns;                   /* S */
    double run99_ns;                 /* S99 */
    double requests;                 /* b */
    uint64_t runs;                   /* ADMIT_RUNS_KNOWN at least once seeded */
    uint32_t buckets[ADMIT_BUCKETS]; /* four an octave, from 1 us */
    uint32_t bucket_sum;
};

/* Begins with what a load measured: run_ns of one request alone, 0 when it is not known. */
void admit_init(struct admit *a, uint64_t run_ns);

/* One finished run of so many requests; called once a request, which weighs large batches by their
 * requests, as the queue sees them. */
void admit_ran(struct admit *a, uint64_t run_ns, uint32_t requests);

struct admit_ask {
    uint64_t left_ns;   /* D: time left to the deadline */
    uint32_t waiting;   /* q: requests waiting, of all loops */
    uint32_t queue_max; /* defaults.queue */
    uint32_t instances; /* P: parallel runs of the worker */
};

/* Whether a request may wait.
 * out     ret_retry_s  on refusal: seconds for Retry-After before jitter, 1..30
 * errors  ERR_BUSY: the queue is full (QUEUE_FULL) or it could not finish in time (CANNOT_FINISH)
 */
MUST_USE err admit_decide(const struct admit *a, const struct admit_ask *ask, uint32_t *ret_retry_s,
                          struct fault *f);

#endif
