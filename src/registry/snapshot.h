/* The routing snapshot: what is live, as one immutable object with a generation number.
 * The keeper encodes it into a sealed memfd (offsets, no pointers); a front decodes it once,
 * checking every offset, and its loops share the result by reference count. Both versions of a
 * canary stand side by side; switching traffic is publishing another snapshot. thread  constant
 * once made; snapshot_take and _drop from any thread */
#ifndef GARRISON_REGISTRY_SNAPSHOT_H
#define GARRISON_REGISTRY_SNAPSHOT_H

#include "tensor/signature.h"

#define SNAPSHOT_RUN_CLASSES 17u    /* measured run time for 1, 2, 4 .. 65536 rows */
#define SNAPSHOT_WEIGHT_ONE  10000u /* weights are in 1/10,000 */
#define SNAPSHOT_NO_WORKER   0xFFFFFFFFu
#define SNAPSHOT_DIGEST_TEXT 71u /* "sha256:" and 64 digits */

enum version_state {
    VERSION_LOADING,
    VERSION_READY,
    VERSION_DRAINING,
    VERSION_FAILED,
    VERSION_UNLOADED,
    VERSION_QUARANTINED,
    VERSION_STATE_COUNT
};
const char *version_state_name(enum version_state s); /* "ready" */
bool version_state_over(enum version_state s);        /* no time makes it ready */

/* One version of one model. Strings and arrays live as long as the snapshot. */
struct snapshot_version {
    str version;                            /* "1" */
    uint8_t digest[32];                     /* SHA-256 that names it */
    char digest_text[SNAPSHOT_DIGEST_TEXT]; /* the same; snapshot_decode makes it */
    bool is_unsigned;                       /* a bare model */
    enum version_state state;
    str reason;      /* why it is not ready, or empty */
    uint32_t worker; /* id of the worker that runs it (in lane messages), or SNAPSHOT_NO_WORKER */
    uint32_t cells;  /* watch/cell: base offset of its block of cells */
    struct signature sig; /* empty until it was loaded once */
    uint32_t instances;   /* P: runs at once */
    uint32_t queue;       /* most requests that wait in the front */
    bool batches;         /* stated and probed: rows of several requests may be stacked */
    uint64_t request_timeout_ns, slo_ns, lane_bytes, lane_reply_bytes;
    uint64_t run_ns[SNAPSHOT_RUN_CLASSES]; /* measured at load; 0: not known */
    int64_t deployed_us;                   /* wall time */
};

struct snapshot_arm {
    uint32_t version; /* index into versions of its model */
    uint32_t weight;  /* of SNAPSHOT_WEIGHT_ONE */
    uint64_t salt;
};

struct snapshot_model {
    str name;
    const struct snapshot_version *versions;
    uint32_t version_count;
    const struct snapshot_arm *arms;
    uint32_t arm_count; /* 0: nothing of it can be chosen without a version */
};

struct snapshot {
    uint64_t generation;
    const struct snapshot_model *models; /* ascending by name (bytes) */
    uint32_t model_count;
};

/* Writes a snapshot as bytes; *ret_bytes is malloc'd and yours.
 * errors  ERR_UNAVAILABLE: no memory; ERR_TOO_BIG: over 64 MiB */
MUST_USE err snapshot_encode(const struct snapshot *s, void **ret_bytes, uint64_t *ret_len,
                             struct fault *f);

/* Reads one that another process wrote: every offset, count, enum, string and weight is checked.
 * The bytes are copied. *ret_s holds one reference.
 * errors  ERR_INPUT: not a snapshot; ERR_UNAVAILABLE: no memory */
MUST_USE err snapshot_decode(const void *bytes, uint64_t len, const struct snapshot **ret_s,
                             struct fault *f);

const struct snapshot *snapshot_take(const struct snapshot *s); /* one more reference */
void snapshot_drop(const struct snapshot *s);                   /* one less; NULL is a no-op */

/* The model of that name, or NULL. Logarithmic. */
const struct snapshot_model *snapshot_model(const struct snapshot *s, str name);

/* The version of that name within m, or NULL. */
const struct snapshot_version *snapshot_version(const struct snapshot_model *m, str version);

#endif
