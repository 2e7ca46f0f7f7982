/* What a worker says of the model it has loaded, gathered from its messages and checked: it is the
 * word of a process that has parsed hostile bytes.
 * errors  ERR_INPUT: a breach (an index, datatype, dimension or count outside); ERR_UNAVAILABLE: no
 *         memory
 * thread  owned by one thread */
#ifndef GARRISON_CONTROL_LOADED_H
#define GARRISON_CONTROL_LOADED_H

#include "base/message.h"
#include "registry/snapshot.h"

struct loaded {
    struct signature sig; /* points into the object; max_batch_size is the caller's to set */
    bool batches;
    uint8_t sandbox; /* enum sandbox_level */
    uint64_t ram_bytes;
    uint32_t load_ms;
    char note[257];
    uint64_t run_ns[SNAPSHOT_RUN_CLASSES];
};

/* *ret is yours: loaded_free. */
MUST_USE err loaded_new(struct loaded **ret, struct fault *f);
void loaded_free(struct loaded *l); /* NULL is a no-op */

/* Takes one message; last: it carries no MORE, so the whole is checked and sig is complete. */
MUST_USE err loaded_take(struct loaded *l, const struct message_worker_loaded *m, bool last,
                         struct fault *f);

#endif
