/* What lies where in the shared memory of a lane: the one page that both ends read. Not an
 * interface; engine/lane.h and engine/lane_worker.h are.
 *
 *   0        struct lane_shared: words of the front and of the worker, each on lines of their own
 *   4096     submissions, LANE_RING entries of 16 bytes, written by the front
 *   69632    completions, LANE_RING entries of 8 bytes, written by the worker
 *   102400   area of extents, in units of 64 bytes
 *
 * An extent: struct lane_request, one lane_tensor an input, the inputs; from reply_offset on (the
 * worker's lines): struct lane_reply, one lane_tensor an output of the signature, LANE_TEXT bytes
 * of text, room for the outputs. A ring can never be full: it has as many entries as there are
 * slots. So no end reads how far the other has consumed. All numbers are in the machine's order. A
 * fresh zeroed memfd is an empty lane.
 * thread  the calls are pure */
#ifndef GARRISON_ENGINE_LANE_LAYOUT_H
#define GARRISON_ENGINE_LANE_LAYOUT_H

#include <stdatomic.h>

#include "engine/lane.h"
#include "engine/lane_worker.h"

#define LANE_RING        LANE_SLOTS_MAX /* a power of two: indices are masked */
#define LANE_LINE        64u
#define LANE_TEXT        256u
#define LANE_SUBMISSIONS 4096u
#define LANE_COMPLETIONS (LANE_SUBMISSIONS + LANE_RING * 16u)
#define LANE_AREA        (LANE_COMPLETIONS + LANE_RING * 8u)
#define LANE_BYTES_MIN   (LANE_AREA + 4096u)
#define LANE_BYTES_MAX   (64ull << 30) /* units of an extent's place fit 32 bits */
#define LANE_FLAG_ALONE  1u

_Static_assert((LANE_RING & (LANE_RING - 1)) == 0, "ring indices are masked");

/* Two lines a party: the prefetcher of x86 fetches lines in pairs. */
struct lane_shared {
    _Alignas(128) _Atomic uint32_t generation; /* front, at open */
    _Atomic uint32_t submitted;                /* front: submissions published, modulo 2^32 */
    _Alignas(128) _Atomic uint32_t completed;  /* worker: completions published */
    _Alignas(128) _Atomic uint32_t front_sleeps;
    _Alignas(128) _Atomic uint32_t worker_sleeps;
    _Alignas(128) _Atomic uint64_t beats; /* worker: progress */
};

struct lane_submission {
    _Atomic uint64_t who;   /* generation << 32 | slot */
    _Atomic uint64_t where; /* unit of the extent << 32 | units */
};

/* Written by the front. */
struct lane_request {
    uint64_t deadline_ns;
    uint64_t outputs;
    uint64_t reply_offset; /* from the extent's start */
    uint32_t rows;
    uint32_t flags;
    uint32_t input_count;
    uint32_t reserved;
    _Atomic uint32_t cancelled; /* set at any time after the request was sent */
    uint32_t unused[5];
};

/* One tensor; offset counts from the extent's start (inputs) or from the room (outputs). */
struct lane_tensor {
    uint64_t offset;
    uint64_t len;
    uint32_t dtype; /* DTYPE_NONE: an input left out */
    uint32_t rank;
    int64_t dim[SHAPE_RANK_MAX];
    uint64_t unused;
};

/* Written by the worker. */
struct lane_reply {
    uint32_t status;
    uint32_t output_count;
    uint32_t batch_rows;
    uint32_t batch_requests;
    uint64_t input_ns;
    uint64_t compute_ns;
    uint64_t output_ns;
    uint32_t text_len;
    uint32_t unused[5];
};

_Static_assert(offsetof(struct lane_shared, completed) == 128, "the worker's words start a line");
_Static_assert(offsetof(struct lane_shared, front_sleeps) == 256, "a flag has its own line");
_Static_assert(offsetof(struct lane_shared, worker_sleeps) == 384, "a flag has its own line");
_Static_assert(offsetof(struct lane_shared, beats) == 512, "the counter has its own line");
_Static_assert(sizeof(struct lane_shared) <= LANE_SUBMISSIONS, "one page");
_Static_assert(sizeof(struct lane_submission) == 16, "entry of the submissions");
_Static_assert(sizeof(struct lane_request) == 64, "one line");
_Static_assert(offsetof(struct lane_request, cancelled) == 40, "what is fetched ends before");
_Static_assert(sizeof(struct lane_tensor) == 96, "whole words");
_Static_assert(sizeof(struct lane_reply) == 64, "one line");
_Static_assert(LANE_AREA % LANE_LINE == 0, "extents start lines");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "no hidden locks");

/* A mapped lane, as both ends hold it in private memory. */
struct lane_map {
    struct lane_shared *shared;
    struct lane_submission *submissions;
    _Atomic uint64_t *completions;
    uint8_t *area;
    uint32_t units; /* of the area */
};

/* Cuts a mapping into its parts. errors: ERR_INPUT: bytes outside LANE_BYTES_MIN..MAX */
MUST_USE err lane_map_of(void *at, uint64_t bytes, struct lane_map *ret_map, struct fault *f);

static inline uint64_t lane_line_up(uint64_t bytes) /* bytes <= UINT64_MAX - 63 */
{
    return (bytes + LANE_LINE - 1) & ~(uint64_t)(LANE_LINE - 1);
}

/* Bytes before the inputs (or, behind reply_offset, before the outputs' room). */
uint64_t lane_request_head(uint32_t input_count);
uint64_t lane_reply_head(uint32_t output_count);

/* Copies bytes (whole 8-byte words, aligned) out of shared memory, each word once, atomically. What
 * is checked and used afterwards is the copy. */
void lane_fetch(void *to, const void *from, size_t bytes);

/* One end's step of the sleep protocol; tests/spin/lane_sleep.pml names the same steps. */
static inline void lane_flag_raise(_Atomic uint32_t *flag)
{
    (void)atomic_exchange_explicit(flag, 1, memory_order_seq_cst); /* model: announce */
}

/* true: the flag's owner sleeps, or is about to: write its eventfd. */
static inline bool lane_flag_clear(_Atomic uint32_t *flag)
{
    return atomic_exchange_explicit(flag, 0, memory_order_seq_cst) != 0; /* model: clear */
}

/* The owner is awake. A read-modify-write, too: a plain store would cut the chain of exchanges by
 * which the next announcement sees what was published before a clear. */
static inline void lane_flag_lower(_Atomic uint32_t *flag)
{
    if (atomic_load_explicit(flag, memory_order_relaxed) != 0)
        (void)atomic_exchange_explicit(flag, 0, memory_order_seq_cst); /* model: awake */
}

/* Adds one to an eventfd; EAGAIN (it is full, so it wakes anyway) is no fault. */
void lane_wake(int eventfd);

/* Both ends over one mapping of the caller's, page-aligned, which outlives them: for tests, since
 * TSan relates accesses by address. opts->memfd and the mapping of lane_end_open are not used. */
MUST_USE err lane_open_at(void *at, const struct lane_opts *opts, struct lane **ret_lane,
                          struct fault *f);
MUST_USE err lane_end_open_at(void *at, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                              struct fault *f);

#endif
