/* A capped bump allocator: the memory of one request, given back all at once.
 * Memory comes in blocks from a free list of the owner (or malloc); every allocation is zeroed and
 * aligned to 16 bytes; NULL means the cap is spent (a 413 of the request, never an abort).
 * Under ASan the unused part is poisoned.
 * thread  owned by one thread; never blocks */
#ifndef GARRISON_BASE_ARENA_H
#define GARRISON_BASE_ARENA_H

#include <stdint.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *now;
    uint64_t used; /* bytes handed out, rounded up */
    uint64_t cap;  /* most bytes that may be handed out */
};

void arena_init(struct arena *a, uint64_t cap_bytes);
void arena_reset(struct arena *a); /* keeps the first block for reuse, frees the others */
void arena_free(struct arena *a);  /* frees everything; the arena may be initialised again */

/* size zeroed bytes, or NULL when size is over the cap's rest or memory is out. size 0 gives a
 * pointer that may not be read. Yours until reset. */
void *arena_alloc(struct arena *a, uint64_t size);

/* count objects of size bytes each; NULL also when the product overflows. */
void *arena_array(struct arena *a, uint64_t count, uint64_t size);

/* A copy of s in the arena; at is NULL (and len 0) when the arena is spent. */
str arena_str(struct arena *a, str s);

#define arena_new(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

#endif
