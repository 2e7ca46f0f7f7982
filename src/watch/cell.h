/* Where each figure lies in a shard of the metrics segment (base/cell): one fixed block, then one
 * block a model version, whose first cell the snapshot carries. watch/metrics.def names the
 * figures. A cell has one owner: the loops of the fronts count requests, the keeper keeps what it
 * decides. thread  constants */
#ifndef GARRISON_WATCH_CELL_H
#define GARRISON_WATCH_CELL_H

#include "base/cell.h"
#include "base/err.h"
#include "base/outcome.h"
#include "base/role.h"
#include "base/route.h"
#include "base/stage.h"

/* Shards: loops of the data front by index, then the ops front, the keeper, the watch threads. */
#define CELL_SHARD_OPS(loops)        (loops)
#define CELL_SHARD_KEEPER(loops)     ((loops) + 1)
#define CELL_SHARD_WATCH_DATA(loops) ((loops) + 2)
#define CELL_SHARD_WATCH_OPS(loops)  ((loops) + 3)
#define CELL_SHARDS(loops)           ((loops) + 4)

/* Label words that are counted by position. */
enum cell_method { CELL_GET, CELL_HEAD, CELL_POST, CELL_METHOD_OTHER, CELL_METHODS };
enum cell_rejected { CELL_SLOW, CELL_PROTOCOL, CELL_REJECTED };
enum cell_auth { CELL_ALLOWED, CELL_UNAUTHENTICATED, CELL_DENIED, CELL_AUTHS };
enum cell_memory_kind { CELL_ANON, CELL_FILE, CELL_SHMEM, CELL_MEMORY_KINDS };
enum cell_model_memory { CELL_WEIGHTS, CELL_ARENA, CELL_LANE, CELL_MODEL_MEMORY };
enum cell_state {
    CELL_LOADING,
    CELL_READY,
    CELL_DRAINING,
    CELL_FAILED,
    CELL_UNLOADED,
    CELL_STATES
};
enum cell_log { CELL_LOG_ACCESS, CELL_LOG_APP, CELL_LOGS };
#define CELL_ROLES  4u          /* keeper data_front ops_front worker: enum role in order */
#define CELL_EXITS  7u          /* enum exit_reason in order */
#define CELL_LEVELS 4u          /* debug info warn error */
#define CELL_CODES  (ERR_COUNT) /* one a row of err.def; rows of equal status add up in the page */

/* Sizes in bytes: bounds 64 x 4^k up to 64 MiB, the rest, and the sum. */
#define CELL_SIZE_BOUNDS 11u
#define CELL_SIZE_CELLS  (CELL_SIZE_BOUNDS + 2u)

/* Rows a run: exact for 1..64, then by power of two up to 65,536; each class has a count of runs
 * (double: a request adds its share of a shared run) and the ns of its three stages. */
#define CELL_BATCH_EXACT   64u
#define CELL_BATCH_CLASSES (CELL_BATCH_EXACT + 10u)
#define CELL_BATCH_CELLS   4u

static inline uint32_t cell_batch_class(uint32_t rows)
{
    if (rows <= CELL_BATCH_EXACT)
        return rows ? rows - 1 : 0;
    const uint32_t octave = 32u - (uint32_t)__builtin_clz(rows - 1); /* rows <= 2^octave */
    const uint32_t i = CELL_BATCH_EXACT + octave - 7;
    return i < CELL_BATCH_CLASSES ? i : CELL_BATCH_CLASSES - 1;
}

static inline uint32_t cell_batch_rows(uint32_t class)
{
    return class < CELL_BATCH_EXACT ? class + 1 : 128u << (class - CELL_BATCH_EXACT);
}

static inline uint32_t cell_size_index(uint64_t bytes)
{
    uint32_t i = 0;
    while (i < CELL_SIZE_BOUNDS && bytes > (64ull << 2 * i))
        i++;
    return i;
}

/* The fixed block. */
enum {
    FIXED_HTTP_REQUESTS = 0, /* [route][method][err row] */
    FIXED_HTTP_DURATION =
        FIXED_HTTP_REQUESTS + (ROUTE_COUNT + 1) * CELL_METHODS * CELL_CODES, /* [route][method] */
    FIXED_REQUEST_SIZE = FIXED_HTTP_DURATION + (ROUTE_COUNT + 1) * CELL_METHODS * HIST_CELLS,
    FIXED_RESPONSE_SIZE = FIXED_REQUEST_SIZE + (ROUTE_COUNT + 1) * CELL_SIZE_CELLS,
    FIXED_IN_FLIGHT = FIXED_RESPONSE_SIZE + (ROUTE_COUNT + 1) * CELL_SIZE_CELLS,
    FIXED_CONNECTIONS,
    FIXED_REJECTED,                                 /* [cell_rejected] */
    FIXED_AUTH = FIXED_REJECTED + CELL_REJECTED,    /* [cell_auth], method none */
    FIXED_EVENTS_WAITING = FIXED_AUTH + CELL_AUTHS, /* watch threads; sinks: events, then stdout */
    FIXED_LINES_WAITING,
    FIXED_EVENTS_CAPACITY,
    FIXED_LINES_CAPACITY,
    FIXED_EVENTS_DROPPED,
    FIXED_LINES_DROPPED,
    FIXED_LINES_WRITTEN, /* ok, then failed */
    FIXED_LINES_FAILED,
    FIXED_LOG_RECORDS,                                           /* [cell_log][level] */
    FIXED_ROLE_UP = FIXED_LOG_RECORDS + CELL_LOGS * CELL_LEVELS, /* keeper: [role] */
    FIXED_ROLE_RESTARTS = FIXED_ROLE_UP + CELL_ROLES,
    FIXED_ROLE_CPU = FIXED_ROLE_RESTARTS + CELL_ROLES, /* double, seconds */
    FIXED_ROLE_MEMORY = FIXED_ROLE_CPU + CELL_ROLES,   /* [role][cell_memory_kind] */
    FIXED_OPEN_FDS = FIXED_ROLE_MEMORY + CELL_ROLES * CELL_MEMORY_KINDS,
    FIXED_MAX_FDS,
    FIXED_START_TIME, /* double, Unix seconds */
    FIXED_CONFIG_GENERATION,
    FIXED_SERIES_LIMITED,
    FIXED_CELLS
};

/* The block of a version; offsets from its first cell. */
enum {
    VERSION_PAIRS = 0, /* [pair] */
    VERSION_SLOW = VERSION_PAIRS + PAIR_COUNT,
    VERSION_ROWS,
    VERSION_RUNS,  /* double */
    VERSION_QUEUE, /* gauges of each loop */
    VERSION_IN_FLIGHT,
    VERSION_LAST_MS, /* Unix ms of the last answer; the largest of the shards counts */
    VERSION_SUCCESS, /* [count, ns] */
    VERSION_FAIL = VERSION_SUCCESS + 2,
    VERSION_STAT_STAGES = VERSION_FAIL + 2,    /* [queue input compute output][ns] */
    VERSION_BATCHES = VERSION_STAT_STAGES + 4, /* [class][count in run out], doubles */
    VERSION_DURATION = VERSION_BATCHES + CELL_BATCH_CLASSES * CELL_BATCH_CELLS, /* histogram */
    VERSION_STAGES = VERSION_DURATION + HIST_CELLS,            /* [stage] histograms */
    VERSION_STATE = VERSION_STAGES + STAGE_COUNT * HIST_CELLS, /* keeper, from here: [cell_state] */
    VERSION_LOADS = VERSION_STATE + CELL_STATES,               /* [ok failed] histograms */
    VERSION_MEMORY = VERSION_LOADS + 2 * HIST_CELLS,           /* [cell_model_memory] */
    VERSION_EXITS = VERSION_MEMORY + CELL_MODEL_MEMORY,        /* [exit_reason] */
    VERSION_VIOLATIONS = VERSION_EXITS + CELL_EXITS,
    VERSION_OBJECTIVE, /* double, seconds */
    VERSION_CAPACITY,
    VERSION_DEPLOYED, /* double, Unix seconds */
    VERSION_TRAFFIC,  /* double, 0..1 */
    VERSION_CELLS
};

/* The first version block belongs to _OTHER: requests whose model is unknown or unreadable, and
 * versions beyond the limit of series. */
#define CELL_OTHER FIXED_CELLS

/* Cells a shard needs for so many versions beside _OTHER. */
static inline uint32_t cell_count(uint32_t versions)
{
    return FIXED_CELLS + (versions + 1) * (uint32_t)VERSION_CELLS;
}

#endif
