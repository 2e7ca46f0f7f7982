/* The settings of a front as one flat record: the keeper writes it from the configuration into a
 * sealed memfd that the front inherits (message `start`, FD settings). No pointers, no padding that
 * matters: both sides are one build, held together by the build id in `hello`.
 * Units: bytes, ns, counts. thread  constant once mapped; any */
#ifndef GARRISON_BASE_SETTINGS_H
#define GARRISON_BASE_SETTINGS_H

#include <stdint.h>

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

#endif
