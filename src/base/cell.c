/* The segment's memory: one header page, then the shards, each on pages of its own. */
#include "base/cell.h"

#include <inttypes.h>
#include <stdlib.h>

#include <sys/stat.h>

#include "base/memfd.h"
#include "base/scope.h"

#define SEGMENT_MAGIC 0x47524D4554303031ull /* "GRMET001" */
#define HEADER_BYTES  4096u
#define PAGE_CELLS    512u

struct segment_header {
    uint64_t magic;
    uint32_t shards;
    uint32_t cells;
};

static uint64_t stride_of(uint32_t cells)
{
    return ((uint64_t)cells + PAGE_CELLS - 1) / PAGE_CELLS * PAGE_CELLS;
}

static uint64_t bytes_of(const struct segment_header *h)
{
    return HEADER_BYTES + h->shards * stride_of(h->cells) * sizeof(uint64_t);
}

static bool is_lawful(const struct segment_header *h)
{
    return h->magic == SEGMENT_MAGIC && h->shards > 0 && h->shards <= SEGMENT_SHARDS_MAX &&
           h->cells > 0 && h->cells <= SEGMENT_CELLS_MAX;
}

err segment_new(uint32_t shards, uint32_t cells, int *ret_fd, struct fault *f)
{
    const struct segment_header h = {SEGMENT_MAGIC, shards, cells};
    SCOPED(fd_undo)
    int fd = -1;
    if (!is_lawful(&h))
        return fail(f, ERR_INPUT, "metrics segment of %" PRIu32 " shards of %" PRIu32 " cells",
                    shards, cells);
    err e = memfd_new("garrison-metrics", bytes_of(&h), &fd, f);
    if (e == OK)
        e = memfd_write(fd, 0, &h, sizeof(h), f);
    if (e == OK)
        e = memfd_seal_size(fd, f);
    if (e == OK)
        *ret_fd = fd_give(&fd);
    return e;
}

err segment_map(int fd, struct segment *ret, struct fault *f)
{
    struct segment_header h = {0};
    void *at = NULL;
    if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || !is_lawful(&h))
        return fail(f, ERR_INPUT, "descriptor %d is not a metrics segment", fd);
    err e = memfd_check(fd, bytes_of(&h), false, f);
    if (e == OK)
        e = memfd_map(fd, bytes_of(&h), true, &at, f);
    if (e != OK)
        return e;
    *ret = (struct segment){
        .at = (_Atomic uint64_t *)(void *)((char *)at + HEADER_BYTES),
        .shards = h.shards,
        .cells = h.cells,
        .stride = stride_of(h.cells),
    };
    return OK;
}

void segment_unmap(struct segment *s)
{
    const struct segment_header h = {SEGMENT_MAGIC, s->shards, s->cells};
    if (s->at)
        memfd_unmap((char *)(uintptr_t)s->at - HEADER_BYTES, bytes_of(&h));
    s->at = NULL;
}

struct shard segment_shard(const struct segment *s, uint32_t index)
{
    return (struct shard){s->at + index * s->stride};
}

uint64_t segment_sum(const struct segment *s, uint32_t cell)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->shards; i++)
        sum += cell_get(segment_shard(s, i), cell);
    return sum;
}

double segment_sum_double(const struct segment *s, uint32_t cell)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->shards; i++) {
        const uint64_t bits = cell_get(segment_shard(s, i), cell);
        double v;
        memcpy(&v, &bits, sizeof(v));
        sum += v;
    }
    return sum;
}

void segment_zero(const struct segment *s, uint32_t shard, uint32_t first, uint32_t count)
{
    const struct shard to = segment_shard(s, shard);
    for (uint32_t i = 0; i < count; i++) {
        if (cell_get(to, first + i) != 0)
            cell_set(to, first + i, 0);
    }
}
