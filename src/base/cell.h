/* The metrics segment: shared memory of counters that survives the processes that count.
 *
 * A memfd of shards of uint64_t cells. Every loop of a front and the keeper own one shard each and
 * write nothing else, so an update is a relaxed load, an add and a relaxed store: no lock prefix,
 * no shared cache line, no system call. Readers add the shards up while writers write. Sums of
 * seconds are doubles stored as bits. Cells that nobody writes take no memory. thread  a shard has
 * one writing thread; reading from any source  log-linear histograms: HdrHistogram's bucketing */
#ifndef GARRISON_BASE_CELL_H
#define GARRISON_BASE_CELL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/fault.h"

#define SEGMENT_SHARDS_MAX 64u
#define SEGMENT_CELLS_MAX  (64u << 20)

struct segment {
    _Atomic uint64_t *at; /* shards x stride */
    uint32_t shards;
    uint32_t cells;  /* of a shard */
    uint64_t stride; /* cells from one shard to the next */
};

/* One shard: cells of one writer. */
struct shard {
    _Atomic uint64_t *at;
};

/* Makes a segment; *ret_fd (size sealed) is yours, to be inherited.
 * errors  ERR_INPUT: more than the maxima; ERR_UNAVAILABLE */
MUST_USE err segment_new(uint32_t shards, uint32_t cells, int *ret_fd, struct fault *f);

/* Maps one that segment_new made, shape and all; segment_unmap ends that (nothing mapped: a no-op).
 * errors  ERR_INPUT, ERR_UNAVAILABLE */
MUST_USE err segment_map(int fd, struct segment *ret, struct fault *f);
void segment_unmap(struct segment *s);

struct shard segment_shard(const struct segment *s, uint32_t index);

/* The sum of a cell over all shards, as integers or as doubles. */
uint64_t segment_sum(const struct segment *s, uint32_t cell);
double segment_sum_double(const struct segment *s, uint32_t cell);

/* Sets a run of cells of one shard to 0. The shard's writer, or nobody, writes meanwhile. */
void segment_zero(const struct segment *s, uint32_t shard, uint32_t first, uint32_t count);

static inline uint64_t cell_get(struct shard s, uint32_t cell)
{
    return atomic_load_explicit(&s.at[cell], memory_order_relaxed);
}

static inline void cell_set(struct shard s, uint32_t cell, uint64_t v)
{
    atomic_store_explicit(&s.at[cell], v, memory_order_relaxed);
}

static inline void cell_add(struct shard s, uint32_t cell, uint64_t n)
{
    cell_set(s, cell, cell_get(s, cell) + n);
}

static inline void cell_add_double(struct shard s, uint32_t cell, double v)
{
    double sum;
    uint64_t bits = cell_get(s, cell);
    __builtin_memcpy(&sum, &bits, sizeof(sum));
    sum += v;
    __builtin_memcpy(&bits, &sum, sizeof(bits));
    cell_set(s, cell, bits);
}

static inline void cell_set_double(struct shard s, uint32_t cell, double v)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &v, sizeof(bits));
    cell_set(s, cell, bits);
}

/* A histogram of times: count, sum in ns, then buckets of 1 ns to 2^40 ns, 32 linear ones a power
 * of two (width <= 3.2 %). Upper bounds are inclusive, as Prometheus' le is. */
#define HIST_BUCKETS 1152u
#define HIST_COUNT   0u
#define HIST_SUM     1u
#define HIST_FIRST   2u
#define HIST_CELLS   (HIST_FIRST + HIST_BUCKETS)

static inline uint32_t hist_index(uint64_t ns)
{
    const uint64_t v = ns == 0 ? 0 : ns - 1;
    if (v < 32)
        return (uint32_t)v;
    const uint32_t octave = 63u - (uint32_t)__builtin_clzll(v);
    const uint32_t i = (octave - 4) * 32 + (uint32_t)(v >> (octave - 5) & 31u);
    return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

/* The largest ns that falls into a bucket. */
static inline uint64_t hist_upper_ns(uint32_t index)
{
    if (index < 32)
        return index + 1ull;
    const uint32_t octave = index / 32 + 4;
    return ((index % 32 + 33ull) << (octave - 5));
}

static inline void hist_add(struct shard s, uint32_t hist, uint64_t ns)
{
    cell_add(s, hist + HIST_COUNT, 1);
    cell_add(s, hist + HIST_SUM, ns);
    cell_add(s, hist + HIST_FIRST + hist_index(ns), 1);
}

#endif
