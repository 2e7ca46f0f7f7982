/* The shared-memory lane between one loop of the data front and one worker, as the front sees it.
 *
 * One memfd (size sealed) holds a header page, two single-producer rings (submissions written by
 * the front, completions by the worker) and one area of 64-byte-aligned extents. An extent holds
 * one request: header, input tensors, reply room. Which extent is free, filling, sent or done lives
 * in private memory of the front; shared memory holds ring indices, sleeper flags, a generation and
 * bytes. Everything read back is copied once by atomic loads, the copy is checked, the copy is
 * used. A breach of a rule (lane_reap returns an error) means the worker lies: the caller reports
 * it and uses the lane no more.
 *
 * Sleep protocol: who finds its rings empty sets its flag by a seq_cst read-modify-write, looks
 * again, then waits on its eventfd; who has published clears the peer's flag by a seq_cst
 * read-modify-write and writes the eventfd if it was set. While both are busy no system call is
 * made.
 *
 * Shapes: tensors are in the model's order of inputs and outputs. Units: bytes, ns
 * (CLOCK_MONOTONIC). thread  a struct lane is owned by its loop; nothing here blocks. */
#ifndef GARRISON_ENGINE_LANE_H
#define GARRISON_ENGINE_LANE_H

#include "tensor/signature.h"
#include "tensor/view.h"

#define LANE_SLOTS_MAX 4096u

struct lane;

/* How a run ended, told by the worker; a number outside is a breach. */
enum lane_status {
    LANE_OK = 0,
    LANE_ENGINE,         /* the runtime refused or failed on this input */
    LANE_TERMINATED,     /* ended by cancellation or deadline, or never run for that reason */
    LANE_REPLY_TOO_BIG,  /* an output did not fit its room */
    LANE_OUTPUT_INVALID, /* the model gave an output that breaks its own signature */
    LANE_STATUS_COUNT
};

/* What a front maps, as it came with the keeper's message; descriptors stay the caller's. */
struct lane_opts {
    int memfd;                   /* sealed SHRINK GROW */
    uint64_t bytes;              /* of the memfd */
    uint32_t generation;         /* of this use of the memfd; stale completions are breaches */
    int worker_wake;             /* eventfd that wakes the worker; shared by all its lanes */
    const struct signature *sig; /* outlives the lane */
    uint32_t slots;              /* most requests in the lane at once, 1..LANE_SLOTS_MAX */
};

/* Maps and checks a lane. *ret_lane is yours: lane_close.
 * errors  ERR_INPUT: not such a memfd; ERR_UNAVAILABLE: cannot be mapped */
MUST_USE err lane_open(const struct lane_opts *opts, struct lane **ret_lane, struct fault *f);
void lane_close(struct lane *l); /* NULL is a no-op; slots in use are forgotten */

/* Slots that may still be reserved now (credits). */
uint32_t lane_free_slots(const struct lane *l);

/* Reserves an extent for a request with these inputs (bytes per input of the signature, in order;
 * UINT64_MAX: an optional input left out) and reply_bytes of room for all its outputs together.
 * out     ret_slot
 * errors  ERR_BUSY: no slot or no room now (never a fault of the request: try again after a reap);
 *         ERR_TOO_BIG: could never fit this lane */
MUST_USE err lane_reserve(struct lane *l, const uint64_t *input_bytes, uint64_t reply_bytes,
                          uint32_t *ret_slot, struct fault *f);

/* Where input i of a reserved slot is to be written: as many bytes as were reserved, 64-byte
 * aligned. NULL for an input left out. Valid until lane_send. */
uint8_t *lane_input_at(struct lane *l, uint32_t slot, uint32_t input);

/* States shape and true length (<= reserved) of input i. */
void lane_input_set(struct lane *l, uint32_t slot, uint32_t input, const struct shape *shape,
                    uint64_t len);

struct lane_send_opts {
    uint64_t deadline_ns; /* a hint to the worker; the front's own clock decides */
    uint64_t outputs;     /* mask of wanted outputs, at least one bit */
    uint32_t rows;        /* dim 0 where the model batches (0 is lawful), else 1 */
    bool alone;           /* never stack with others */
    bool quiet;           /* wake nobody yet: lane_kick follows before the loop sleeps */
};

/* Publishes a filled slot and, unless quiet, wakes the worker if it sleeps.
 * returns when, in monotonic ns */
uint64_t lane_send(struct lane *l, uint32_t slot, const struct lane_send_opts *opts);

/* Wakes the worker, if it sleeps, for all that was sent quietly: one wake for many. */
void lane_kick(struct lane *l);

/* Asks the worker to drop or end the run of a sent slot. The slot stays sent until it is reaped. */
void lane_cancel(struct lane *l, uint32_t slot);

/* One finished run. views points to one view per output of the mask, ascending, into the extent;
 * valid until lane_release. The bytes may still be changed by a hostile worker: readers stay in
 * bounds whatever they find. */
struct lane_done {
    uint32_t slot;
    enum lane_status status;
    const struct view *views; /* NULL unless status is LANE_OK */
    uint32_t view_count;
    uint64_t input_ns, compute_ns, output_ns; /* stages in the worker, clamped to the time sent */
    uint64_t reaped_ns;                       /* when it was taken, monotonic */
    uint32_t batch_rows, batch_requests;      /* of the run that computed it, >= 1 */
    char text[257];                           /* printable ASCII; for the log, never for a client */
};

/* Takes the next completion.
 * out     ret_done  untouched unless OK
 * errors  ERR_NOT_FOUND: none waits (f untouched); ERR_ENGINE: the worker broke a rule of the lane
 */
MUST_USE err lane_reap(struct lane *l, struct lane_done *ret_done, struct fault *f);

/* Gives a slot back: reserved and not sent, or reaped. */
void lane_release(struct lane *l, uint32_t slot);

/* Before the loop sleeps: announces it and looks once more. true: something came, do not sleep. */
bool lane_sleep(struct lane *l);
void lane_awake(struct lane *l); /* after waking: no eventfd write is needed until the next sleep */

/* Sum of the worker's counters in the lane's block; hints, read without trust (never exceeding what
 * a uint64_t holds; differences may be garbage when the worker lies). */
struct lane_counters {
    uint64_t beats; /* progress: per batch and per second */
};
struct lane_counters lane_counters(const struct lane *l);

#endif
