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
struct front_settings {
    uint32_t loops;
    uint32_t connections; /* of the front */
    uint32_t header_count, requests, inputs, outputs, parameters, rank, json_depth;
    uint32_t decode_ratio;
    uint32_t event_ring;   /* records a loop, a power of two */
    uint32_t log_level;    /* 0 debug, 1 info, 2 warn, 3 error */
    uint32_t stdout_set;   /* bit 0 access lines, bit 1 app lines */
    uint8_t json_string;   /* 1: NaN and infinities as strings in JSON */
    uint8_t headers_short; /* 1: short reply headers */
    uint64_t arena_bytes, request_line_bytes, headers_bytes, body_bytes, decoded_body_bytes;
    uint64_t output_bytes, name_length_bytes, json_number_bytes;
    uint64_t header_time_ns, idle_time_ns, write_stall_ns;
    uint64_t body_rate_bytes_per_s, body_rate_after_ns;
    uint64_t request_timeout_max_ns;
    uint64_t bodies_bytes;  /* waiting bodies together: admission.body_share of memory.limit */
    uint64_t drain_idle_ns; /* silence past the delay that closes a connection */
    uint64_t log_buffer_bytes;
    int64_t started_us; /* wall time at which the keeper started */
    char server_name[65];
    char environment[65]; /* empty: none */
    char replica[254];
};

/* Maps a settings record of exactly bytes bytes, sealed. *ret_at lives as long as the process.
 * errors  ERR_INPUT: not such a memfd; ERR_UNAVAILABLE: cannot be mapped */
MUST_USE err settings_map(int fd, uint64_t bytes, const void **ret_at, struct fault *f);

/* Writes a record into a new sealed memfd; *ret_fd is yours. */
MUST_USE err settings_make(const void *record, uint64_t bytes, int *ret_fd, struct fault *f);

#endif
