/* What the keeper tells a process at its start: one fixed record in a sealed memfd (FD_SETTINGS).
 * Both executables come from one source tree (the build ids are compared first), so the records
 * need no version; their size is checked. Texts end with a NUL.
 * Units: ns, bytes. thread  constant once mapped */
#ifndef GARRISON_BASE_SETTINGS_H
#define GARRISON_BASE_SETTINGS_H

#include <stdint.h>

#include "base/fault.h"

/* Of a worker, and of the reader (budget_bytes alone). */
struct worker_settings {
    uint64_t budget_bytes; /* limit of private writable memory is made from this */
    uint64_t weights_bytes;
    uint64_t batch_delay_ns;  /* wait for a fuller batch while all instances are busy */
    uint64_t load_timeout_ns; /* the keeper kills after it; for information */
    uint64_t lane_reply_bytes;
    uint32_t threads;         /* in a run */
    uint32_t instances;       /* runs at once */
    uint32_t batch_rows_max;  /* stated max_batch_size; 0: rows are never stacked */
    uint32_t loops;           /* loops of the data front: lanes come for each, in two parts */
    uint8_t spin;             /* 1: idle threads of the runtime spin */
    uint8_t sandbox_required; /* 0: go on, degraded, where the kernel has no seccomp */
    char runtime[4096];       /* path of the runtime's library, or empty: beside the executable */
};

/* Of a front. */
#define FRONT_SETTINGS_MAGIC 0x46524F4E54303031ull /* "FRONT001" */

struct front_settings {
    uint64_t magic;
    uint64_t started_us;         /* keeper's start, wall time */
    char server_name[65];        /* NUL-terminated texts */
    char node_name[254];         /* ECS service.node.name */
    char environment[65];        /* ECS service.environment, or empty */
    uint8_t nonfinite_string;    /* server.json_nonfinite: string */
    uint8_t headers_short;       /* server.headers: short */
    uint8_t log_access, log_app; /* logs.stdout */
    uint8_t log_level;           /* enum log_level */
    uint32_t loops;              /* of the data front */
    uint32_t event_ring;         /* records a loop */
    uint64_t log_buffer;
    uint32_t connections;
    uint32_t header_count;
    uint32_t request_line, header_bytes;
    uint32_t decode_ratio;
    uint32_t connection_requests;
    uint64_t body, decoded_body, arena;
    uint64_t header_time_ns, idle_time_ns, write_stall_ns;
    uint64_t body_rate, body_rate_after_ns;
    uint64_t output;
    uint32_t inputs, outputs, parameters, rank, name_length, json_depth, json_number;
    uint64_t request_timeout_max_ns;
    uint64_t body_waiting_max; /* bytes of waiting bodies: admission.body_share of memory.limit */
    uint64_t drain_idle_ns;
};

/* Maps a settings record of exactly bytes bytes, sealed. *ret_at lives as long as the process.
 * errors  ERR_INPUT: not such a memfd; ERR_UNAVAILABLE: cannot be mapped */
MUST_USE err settings_map(int fd, uint64_t bytes, const void **ret_at, struct fault *f);

/* Writes a record into a new sealed memfd; *ret_fd is yours. */
MUST_USE err settings_make(const void *record, uint64_t bytes, int *ret_fd, struct fault *f);

#endif
