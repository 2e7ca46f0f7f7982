/* The bytes of a reply as a chain of pieces: written ones in blocks of the chain, and borrowed ones
 * (tensors in an extent) that are not copied.
 * A chain owns its blocks, which come from malloc; borrowed pieces must outlive it. What is written
 * first may go into room that the owner lends, so that a small reply needs no block.
 * A chain in use does not move. thread  owned by one thread; never blocks */
#ifndef GARRISON_PROTO_CHAIN_H
#define GARRISON_PROTO_CHAIN_H

#include <stdint.h>

#include <sys/uio.h>

#include "base/fault.h"

#define CHAIN_BLOCK_BYTES 16384u
#define CHAIN_FEW         8u /* pieces without memory of their own */

struct chain_block;

struct chain {
    struct iovec *pieces; /* in order; NULL base never */
    uint32_t piece_count, piece_cap;
    uint64_t len;   /* bytes of all pieces */
    bool failed;    /* memory ran out: the chain is worthless */
    bool open;      /* the last piece ends at `at` */
    char *at, *end; /* where the next write goes; NULL before there is room */
    char *room;     /* lent, or NULL */
    uint32_t room_bytes;
    struct chain_block *blocks; /* the last first */
    struct iovec few[CHAIN_FEW];
};

/* An empty chain that writes into room first; the room must outlive it. A zeroed struct is an empty
 * chain without. */
void chain_over(struct chain *c, char *room, uint32_t bytes);
void chain_reset(struct chain *c); /* empties */
void chain_free(struct chain *c);  /* empties and gives all memory back; may be used again */

/* Room for at least need (<= CHAIN_BLOCK_BYTES) contiguous bytes at the end, to be followed by
 * chain_wrote; NULL (and failed) when memory is out. */
char *chain_room(struct chain *c, uint32_t need);
void chain_wrote(struct chain *c, uint32_t n); /* n of the bytes that chain_room gave */

void chain_put(struct chain *c, str s);                           /* copies, any length */
void chain_borrow(struct chain *c, const void *at, uint64_t len); /* not copied; len 0 is a no-op */

#endif
