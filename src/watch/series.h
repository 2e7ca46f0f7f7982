/* The directory of the metrics segment: which version has which block of cells. The keeper alone
 * writes it; the ops front reads it while it renders. A block is given out again no sooner than its
 * version was taken out, so no reader mixes two.
 * thread  series_*: the keeper's; reading: any thread of any process
 * source  sequence locks: Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?"
 * (2012) */
#ifndef GARRISON_WATCH_SERIES_H
#define GARRISON_WATCH_SERIES_H

#include "watch/cell.h"

#define SERIES_VERSIONS_MAX 1100u

/* One version with a block. */
struct series_entry {
    char model[129];
    char version[65];
    uint8_t digest[32];
    bool is_unsigned;
    bool used;
    uint32_t cells; /* first cell of its block */
};

struct series;

struct series_opts {
    uint32_t loops;             /* of the data front */
    uint32_t versions;          /* blocks to have room for */
    uint32_t series_max;        /* metrics.series */
    uint32_t series_per_family; /* metrics.series_per_family */
};

/* Makes segment and directory. *ret_s is yours: series_free. errors: ERR_UNAVAILABLE, ERR_TOO_BIG
 */
MUST_USE err series_new(const struct series_opts *opts, struct series **ret_s, struct fault *f);
void series_free(struct series *s); /* NULL is a no-op */

int series_cells_fd(const struct series *s);     /* to be inherited as FD_CELLS */
int series_directory_fd(const struct series *s); /* as FD_SERIES */
const struct segment *series_segment(const struct series *s);
struct shard series_shard(const struct series *s); /* the keeper's own */

/* Gives a version its block, all zero. Beyond a limit the block of _OTHER, which is counted.
 * returns the first cell */
uint32_t series_add(struct series *s, str model, str version, const uint8_t digest[32],
                    bool is_unsigned);
void series_remove(struct series *s, uint32_t cells); /* its series leave the page */

/* Maps a directory for reading. *ret_at stays mapped. errors: ERR_INPUT */
struct series_directory;
MUST_USE err series_map(int fd, const struct series_directory **ret_at, struct fault *f);
uint32_t series_count(const struct series_directory *d); /* entries, used or not */
/* Copies entry i; false when it is not used. */
bool series_read(const struct series_directory *d, uint32_t i, struct series_entry *ret);

#endif
