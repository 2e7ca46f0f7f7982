/* Bump allocation in blocks of at least 8 KiB. The first block survives a reset, so that a loop
 * that serves small requests calls malloc once per connection. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
void __asan_poison_memory_region(void const volatile *addr, size_t size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_ALIGN     16u
#define ARENA_BLOCK_MIN 8192u

struct arena_block {
    struct arena_block *next;
    uint64_t size;
    uint64_t used;
    alignas(16) unsigned char bytes[];
};

void arena_init(struct arena *a, uint64_t cap_bytes)
{
    *a = (struct arena){.cap = cap_bytes};
}

static void block_drop(struct arena_block *b)
{
    UNPOISON(b->bytes, b->size);
    free(b);
}

void arena_reset(struct arena *a)
{
    if (!a->first)
        return;
    for (struct arena_block *b = a->first->next; b;) {
        struct arena_block *next = b->next;
        block_drop(b);
        b = next;
    }
    a->first->next = NULL;
    a->first->used = 0;
    POISON(a->first->bytes, a->first->size);
    a->now = a->first;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    if (a->first)
        block_drop(a->first);
    a->first = NULL;
    a->now = NULL;
}

static struct arena_block *block_add(struct arena *a, uint64_t need)
{
    uint64_t size = need < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : need;
    struct arena_block *b = malloc(sizeof(*b) + size);
    if (!b)
        return NULL;
    *b = (struct arena_block){.size = size};
    POISON(b->bytes, b->size);
    if (a->now)
        a->now->next = b;
    else
        a->first = b;
    a->now = b;
    return b;
}

/* From the block at hand, which has room; need is size rounded up. */
static inline void *carve(struct arena *a, uint64_t size, uint64_t need)
{
    struct arena_block *b = a->now;
    void *p = b->bytes + b->used;
    b->used += need;
    a->used += need;
    UNPOISON(p, size);
    return memset(p, 0, size);
}

static __attribute__((noinline)) void *alloc_anew(struct arena *a, uint64_t size, uint64_t need)
{
    return block_add(a, need) ? carve(a, size, need) : NULL;
}

void *arena_alloc(struct arena *a, uint64_t size)
{
    if (size > a->cap || a->cap - size < a->used)
        return NULL;
    const uint64_t need = (size + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1);
    if (!a->now || a->now->size - a->now->used < need)
        return alloc_anew(a, size, need);
    return carve(a, size, need);
}

void *arena_array(struct arena *a, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(a, bytes);
}

str arena_str(struct arena *a, str s)
{
    char *copy = arena_alloc(a, s.len);
    if (!copy)
        return (str){NULL, 0};
    if (s.len)
        memcpy(copy, s.at, s.len);
    return (str){copy, s.len};
}
