/* Size classes with a free list each. What is over POOL_KEEP_BYTES goes back to libc. */
#include "serve/pool.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/must.h"

struct pool_buffer {
    struct pool_buffer *next;
};

void pool_init(struct pool *p, _Atomic uint64_t *out, uint64_t out_max)
{
    *p = (struct pool){.out = out, .out_max = out_max};
}

void pool_free(struct pool *p)
{
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        while (p->idle[i]) {
            struct pool_buffer *b = p->idle[i];
            p->idle[i] = b->next;
            free(b);
        }
    }
    p->idle_bytes = 0;
}

static unsigned class_of(uint64_t want)
{
    unsigned i = 0;
    while (i < POOL_CLASSES && ((uint64_t)POOL_SMALLEST_BYTES << i) < want)
        i++;
    return i;
}

err pool_take(struct pool *p, uint64_t want, struct pool_bytes *ret, struct fault *f)
{
    const unsigned i = class_of(want);
    if (i >= POOL_CLASSES)
        return fail(f, ERR_TOO_BIG, "no buffer of %" PRIu64 " bytes", want);
    const uint64_t cap = (uint64_t)POOL_SMALLEST_BYTES << i;
    const uint64_t before = atomic_fetch_add_explicit(p->out, cap, memory_order_relaxed);
    if (before + cap > p->out_max) {
        (void)atomic_fetch_sub_explicit(p->out, cap, memory_order_relaxed);
        return fail_pair(f, PAIR_REJECTED_QUEUE_FULL,
                         "bodies that wait fill their share of the memory");
    }
    struct pool_buffer *b = p->idle[i];
    if (b) {
        p->idle[i] = b->next;
        p->idle_bytes -= cap;
    } else {
        b = malloc(cap);
    }
    if (!b) {
        (void)atomic_fetch_sub_explicit(p->out, cap, memory_order_relaxed);
        return fail(f, ERR_UNAVAILABLE, "out of memory for a body of %" PRIu64 " bytes", want);
    }
    *ret = (struct pool_bytes){.at = (uint8_t *)b, .cap = cap};
    return OK;
}

void pool_give(struct pool *p, struct pool_bytes *bytes)
{
    if (!bytes->at)
        return;
    struct pool_buffer *b = (struct pool_buffer *)(void *)bytes->at;
    const unsigned i = class_of(bytes->cap);
    must(((uint64_t)POOL_SMALLEST_BYTES << i) == bytes->cap);
    (void)atomic_fetch_sub_explicit(p->out, bytes->cap, memory_order_relaxed);
    if (p->idle_bytes + bytes->cap <= POOL_KEEP_BYTES) {
        b->next = p->idle[i];
        p->idle[i] = b;
        p->idle_bytes += bytes->cap;
    } else {
        free(b);
    }
    *bytes = (struct pool_bytes){0};
}
