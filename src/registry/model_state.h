/* The life of a model version, as a pure machine: events go in, the next thing to do comes out.
 *
 *   QUEUED -> READING -> SCANNING -> GATHERING -> LOADING -> READY     (the way up)
 *   LOADING, READY -- death --> BACKOFF -- its time --> QUEUED
 *   QUEUED -> LOADING where the bytes are held, which they are until READY; later QUEUED -> READING
 *   -> LOADING: the same bytes, which have been scanned
 *   any of the way up -- refusal --> FAILED                            (for good)
 *   LOADING, READY, BACKOFF -- too many deaths --> QUARANTINED         (for good)
 *
 * Too many: `count` deaths within `period_ns`, or as many in a row without being ready between.
 * thread  owned by one thread; the caller brings clock and chance
 * source  reliability.md sections 5 and 10, first-order.md 17 */
#ifndef GARRISON_REGISTRY_MODEL_STATE_H
#define GARRISON_REGISTRY_MODEL_STATE_H

#include "base/backoff.h"
#include "registry/snapshot.h"

#define MODEL_DEATHS_MAX 64u

enum model_phase {
    MODEL_QUEUED,    /* waits for a turn to load */
    MODEL_READING,   /* the .onnx */
    MODEL_SCANNING,  /* a sandboxed child walks it */
    MODEL_GATHERING, /* its external data */
    MODEL_LOADING,   /* its worker starts and loads */
    MODEL_READY,
    MODEL_BACKOFF,
    MODEL_FAILED,
    MODEL_QUARANTINED
};

struct model_state {
    enum model_phase phase;
    bool held;    /* bytes are read, scanned and complete: the next load needs no file */
    bool scanned; /* once: all files are known, and what is read again is the same */
    uint32_t quarantine_count; /* 1..MODEL_DEATHS_MAX */
    uint64_t quarantine_period_ns;
    uint32_t in_a_row; /* deaths without being ready between */
    uint32_t deaths;   /* ever */
    uint64_t death_ns[MODEL_DEATHS_MAX];
    struct backoff backoff;
    char reason[64]; /* one word for FAILED, QUARANTINED, BACKOFF; else empty */
    char text[FAULT_TEXT_BYTES];
};

/* QUEUED, nothing known. count deaths in period_ns quarantine. */
void model_state_init(struct model_state *s, uint32_t count, uint64_t period_ns);

/* It is its turn: READING, or LOADING where the bytes are held. From QUEUED alone. */
void model_state_turn(struct model_state *s);

/* The step under way went well: READING -> SCANNING -> GATHERING -> LOADING -> READY, or again
 * READING -> LOADING -> READY. */
void model_state_next(struct model_state *s, uint64_t now_ns);

/* It is refused: FAILED. reason is one word; text says what was seen and what to do. */
void model_state_refused(struct model_state *s, const char *reason, const char *text);

/* Its worker died while LOADING or READY, or its files could not be read again just now: BACKOFF,
 * or QUARANTINED. returns ns to wait before model_state_again; 0: quarantined */
uint64_t model_state_died(struct model_state *s, const char *reason, const char *text,
                          uint64_t now_ns, uint32_t chance);

void model_state_again(struct model_state *s); /* the wait is over: BACKOFF -> QUEUED */

bool model_state_loads(const struct model_state *s); /* takes one of worker.loads */
bool model_state_over(const struct model_state *s);  /* FAILED or QUARANTINED */
enum version_state model_state_shown(const struct model_state *s);

#endif
