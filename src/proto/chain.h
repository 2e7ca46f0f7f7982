/* The bytes of a reply as a chain of pieces: written ones in blocks of the chain, and borrowed ones
 * (tensors in an extent) that are not copied.
 * A chain owns its blocks; borrowed pieces must outlive it. Blocks come from malloc and are kept
 * for reuse by chain_reset, up to CHAIN_KEEP of them. thread  owned by one thread; never blocks */
#ifndef GARRISON_PROTO_CHAIN_H
#define GARRISON_PROTO_CHAIN_H

#include <stdint.h>

#include <sys/uio.h>

#include "base/fault.h"

#define CHAIN_BLOCK_BYTES 16384u
#define CHAIN_KEEP        2u

struct chain_block;

struct chain {
    struct chain_block *first, *last, *spare;
    struct iovec *pieces; /* in order; NULL base never */
    uint32_t piece_count, piece_cap;
    uint64_t len; /* bytes of all pieces */
    bool failed;  /* memory ran out: the chain is worthless */
};

void chain_reset(struct chain *c); /* empties; a zeroed struct is an empty chain */
void chain_free(struct chain *c);

/* Room for at least need (<= CHAIN_BLOCK_BYTES) contiguous bytes at the end, to be followed by
 * chain_wrote; NULL (and failed) when memory is out. */
char *chain_room(struct chain *c, uint32_t need);
void chain_wrote(struct chain *c, uint32_t n); /* n of the bytes that chain_room gave */

void chain_put(struct chain *c, str s);                           /* copies, any length */
void chain_borrow(struct chain *c, const void *at, uint64_t len); /* not copied; len 0 is a no-op */

#endif
