/* The directory: a counted table of entries behind a sequence number each. Their words are atomic:
 * stored with release and loaded with acquire, they order themselves against the number without a
 * fence, which costs nothing on x86 and which sanitizers understand. */
#include "watch/series.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/memfd.h"
#include "base/must.h"
#include "base/scope.h"
#include "watch/labels.h"

#define DIRECTORY_MAGIC 0x4752534552303031ull /* "GRSER001" */

#define ENTRY_WORDS ((sizeof(struct series_entry) + 7) / 8)

struct slot {
    _Atomic uint64_t sequence; /* odd: being written */
    _Atomic uint64_t words[ENTRY_WORDS];
};

/* An entry as words; what lies behind it is zero. */
union packed {
    struct series_entry entry;
    uint64_t words[ENTRY_WORDS];
};

struct series_directory {
    uint64_t magic;
    uint32_t count;
    uint32_t unused;
    struct slot slots[];
};

struct series {
    struct segment segment;
    struct series_directory *directory;
    int cells_fd, directory_fd;
    uint32_t loops;
    uint32_t versions_max; /* by the limits of series */
    uint32_t next;         /* where the search for a block begins: the one freed last comes last */
    struct {
        bool used;
        bool stale; /* has been used: its cells are not zero */
    } blocks[SERIES_VERSIONS_MAX];
};

static uint64_t directory_bytes(uint32_t count)
{
    return sizeof(struct series_directory) + count * sizeof(struct slot);
}

/* Versions that the limits allow: the largest family has one series a pair. */
static uint32_t versions_allowed(const struct series_opts *opts)
{
    const uint32_t a_version = 400; /* lines of one version on the page, histograms included */
    const uint32_t by_family = opts->series_per_family / PAIR_COUNT;
    const uint32_t by_all = opts->series_max / a_version;
    const uint32_t most = by_family < by_all ? by_family : by_all;
    return most < opts->versions ? most : opts->versions;
}

err series_new(const struct series_opts *opts, struct series **ret_s, struct fault *f)
{
    if (opts->versions > SERIES_VERSIONS_MAX || CELL_SHARDS(opts->loops) > SEGMENT_SHARDS_MAX)
        return fail(f, ERR_TOO_BIG, "more versions or loops than metrics have room for");
    struct series *s = calloc(1, sizeof(*s));
    if (!s)
        return fail(f, ERR_UNAVAILABLE, "no memory for metrics");
    s->cells_fd = s->directory_fd = -1;
    s->loops = opts->loops;
    s->versions_max = versions_allowed(opts);
    const uint64_t bytes = directory_bytes(s->versions_max);
    void *at = NULL;
    err e = segment_new(CELL_SHARDS(opts->loops), cell_count(s->versions_max), &s->cells_fd, f);
    if (e == OK)
        e = segment_map(s->cells_fd, &s->segment, f);
    if (e == OK)
        e = memfd_new("garrison-series", bytes, &s->directory_fd, f);
    if (e == OK)
        e = memfd_map(s->directory_fd, bytes, true, &at, f);
    s->directory = at;
    if (e == OK)
        e = memfd_seal_future(s->directory_fd, f);
    if (e != OK) {
        series_free(s);
        return e;
    }
    s->directory->magic = DIRECTORY_MAGIC;
    s->directory->count = s->versions_max;
    *ret_s = s;
    return OK;
}

void series_free(struct series *s)
{
    if (!s)
        return;
    fd_undo(&s->cells_fd);
    fd_undo(&s->directory_fd);
    if (s->directory)
        memfd_unmap(s->directory, directory_bytes(s->versions_max));
    segment_unmap(&s->segment);
    free(s);
}

int series_cells_fd(const struct series *s)
{
    return s->cells_fd;
}

int series_directory_fd(const struct series *s)
{
    return s->directory_fd;
}

const struct segment *series_segment(const struct series *s)
{
    return &s->segment;
}

struct shard series_shard(const struct series *s)
{
    return segment_shard(&s->segment, CELL_SHARD_KEEPER(s->loops));
}

static void put(struct slot *slot, const struct series_entry *entry)
{
    const uint64_t before = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    union packed p;
    memset(&p, 0, sizeof(p));
    p.entry = *entry;
    atomic_store_explicit(&slot->sequence, before + 1, memory_order_relaxed);
    for (size_t i = 0; i < ENTRY_WORDS; i++)
        atomic_store_explicit(&slot->words[i], p.words[i], memory_order_release);
    atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
}

static void copy(char *to, size_t room, str from)
{
    const size_t n = from.len < room - 1 ? from.len : room - 1;
    memcpy(to, from.at, n);
    to[n] = '\0';
}

/* A free block, or versions_max. */
static uint32_t free_block(const struct series *s)
{
    for (uint32_t k = 0; k < s->versions_max; k++) {
        const uint32_t i = (s->next + k) % s->versions_max;
        if (!s->blocks[i].used)
            return i;
    }
    return s->versions_max;
}

uint32_t series_add(struct series *s, str model, str version, const uint8_t digest[32],
                    bool is_unsigned)
{
    struct series_entry entry = {.used = true, .is_unsigned = is_unsigned};
    const uint32_t i = free_block(s);
    if (i == s->versions_max) {
        cell_add(series_shard(s), FIXED_SERIES_LIMITED, 1);
        return CELL_OTHER;
    }
    entry.cells = CELL_OTHER + (i + 1) * (uint32_t)VERSION_CELLS;
    copy(entry.model, sizeof(entry.model), model);
    copy(entry.version, sizeof(entry.version), version);
    memcpy(entry.digest, digest, sizeof(entry.digest));
    for (uint32_t shard = 0; s->blocks[i].stale && shard < s->segment.shards; shard++)
        segment_zero(&s->segment, shard, entry.cells, VERSION_CELLS);
    s->blocks[i].used = s->blocks[i].stale = true;
    s->next = (i + 1) % s->versions_max;
    put(&s->directory->slots[i], &entry);
    return entry.cells;
}

void series_remove(struct series *s, uint32_t cells)
{
    const struct series_entry none = {.used = false};
    for (uint32_t i = 0; i < s->versions_max; i++) {
        if (!s->blocks[i].used || CELL_OTHER + (i + 1) * (uint32_t)VERSION_CELLS != cells)
            continue;
        s->blocks[i].used = false;
        put(&s->directory->slots[i], &none);
    }
}

err series_map(int fd, const struct series_directory **ret_at, struct fault *f)
{
    struct series_directory head = {0};
    struct stat st;
    void *at = NULL;
    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        head.magic != DIRECTORY_MAGIC || head.count > SERIES_VERSIONS_MAX || fstat(fd, &st) != 0 ||
        (uint64_t)st.st_size != directory_bytes(head.count))
        return fail(f, ERR_INPUT, "descriptor %d is not a directory of series", fd);
    at = mmap(NULL, directory_bytes(head.count), PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return fail(f, ERR_UNAVAILABLE, "cannot map the directory of series: %s", strerror(errno));
    *ret_at = at;
    return OK;
}

uint32_t series_count(const struct series_directory *d)
{
    return d->count < SERIES_VERSIONS_MAX ? d->count : SERIES_VERSIONS_MAX;
}

bool series_read(const struct series_directory *d, uint32_t i, struct series_entry *ret)
{
    const struct slot *slot = &d->slots[i];
    union packed p;
    uint64_t before, after;
    do {
        before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
        for (size_t k = 0; k < ENTRY_WORDS; k++)
            p.words[k] = atomic_load_explicit(&slot->words[k], memory_order_acquire);
        after = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    } while (before != after || before & 1);
    *ret = p.entry;
    ret->model[sizeof(ret->model) - 1] = '\0';
    ret->version[sizeof(ret->version) - 1] = '\0';
    return ret->used;
}
