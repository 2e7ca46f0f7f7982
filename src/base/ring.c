/* Records lie behind an 8-byte length; one that would wrap is preceded by a filler to the end. */
#include "base/ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"

#define ALIGN  8u
#define FILLER UINT32_MAX

struct ring {
    uint64_t bytes; /* a power of two */
    int wake;
    uint8_t *at;
    /* Producer's line. */
    _Alignas(128) uint64_t write; /* next byte, monotonic */
    uint64_t read_seen;           /* what the producer knows of read */
    uint64_t room_at;             /* of the record being written */
    _Atomic uint64_t dropped;
    /* Shared lines. */
    _Alignas(128) _Atomic uint64_t published;
    _Alignas(128) _Atomic uint64_t consumed;
    _Alignas(128) _Atomic uint32_t sleeps;
    /* Consumer's line. */
    _Alignas(128) uint64_t read;
    uint64_t next; /* behind the record that was taken */
};

err ring_new(uint64_t bytes, int wake, struct ring **ret_r, struct fault *f)
{
    must(bytes >= 4096 && (bytes & (bytes - 1)) == 0);
    struct ring *r = aligned_alloc(128, (sizeof(*r) + 127) / 128 * 128);
    uint8_t *at = malloc(bytes);
    if (!r || !at) {
        free(r);
        free(at);
        return fail(f, ERR_UNAVAILABLE, "no memory for a ring of %" PRIu64 " bytes", bytes);
    }
    memset(r, 0, sizeof(*r));
    r->bytes = bytes;
    r->wake = wake;
    r->at = at;
    *ret_r = r;
    return OK;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    free(r->at);
    free(r);
}

static uint64_t up(uint64_t n)
{
    return (n + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static void put_length(struct ring *r, uint64_t at, uint32_t len)
{
    memcpy(r->at + (at & (r->bytes - 1)), &len, sizeof(len));
}

static bool has_room(struct ring *r, uint64_t need)
{
    if (r->bytes - (r->write - r->read_seen) >= need)
        return true;
    r->read_seen = atomic_load_explicit(&r->consumed, memory_order_acquire);
    return r->bytes - (r->write - r->read_seen) >= need;
}

void *ring_room(struct ring *r, uint32_t len)
{
    const uint64_t need = ALIGN + up(len);
    const uint64_t tail = r->bytes - (r->write & (r->bytes - 1));
    const uint64_t skip = tail < need ? tail : 0;
    if (need > r->bytes / 2 || !has_room(r, skip + need)) {
        (void)atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
        return NULL;
    }
    if (skip)
        put_length(r, r->write, FILLER);
    r->room_at = r->write + skip;
    return r->at + ((r->room_at + ALIGN) & (r->bytes - 1));
}

void ring_commit(struct ring *r, uint32_t used)
{
    put_length(r, r->room_at, used);
    r->write = r->room_at + ALIGN + up(used);
    atomic_store_explicit(&r->published, r->write, memory_order_release);
    if (r->wake >= 0 && atomic_exchange_explicit(&r->sleeps, 0, memory_order_seq_cst)) {
        const uint64_t one = 1;
        ssize_t ignored = write(r->wake, &one, sizeof(one));
        (void)ignored;
    }
}

const void *ring_take(struct ring *r, uint32_t *ret_len)
{
    const uint64_t published = atomic_load_explicit(&r->published, memory_order_acquire);
    uint32_t len;
    if (r->read == published)
        return NULL;
    memcpy(&len, r->at + (r->read & (r->bytes - 1)), sizeof(len));
    if (len == FILLER) {
        r->read += r->bytes - (r->read & (r->bytes - 1));
        memcpy(&len, r->at + (r->read & (r->bytes - 1)), sizeof(len));
    }
    r->next = r->read + ALIGN + up(len);
    *ret_len = len;
    return r->at + ((r->read + ALIGN) & (r->bytes - 1));
}

void ring_done(struct ring *r)
{
    r->read = r->next;
    atomic_store_explicit(&r->consumed, r->read, memory_order_release);
}

bool ring_sleep(struct ring *r)
{
    (void)atomic_exchange_explicit(&r->sleeps, 1, memory_order_seq_cst);
    return atomic_load_explicit(&r->published, memory_order_acquire) != r->read;
}

uint64_t ring_dropped(const struct ring *r)
{
    return atomic_load_explicit(&r->dropped, memory_order_relaxed);
}

uint64_t ring_waiting_bytes(const struct ring *r)
{
    return atomic_load_explicit(&r->published, memory_order_relaxed) -
           atomic_load_explicit(&r->consumed, memory_order_relaxed);
}
