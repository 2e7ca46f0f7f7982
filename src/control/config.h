/* The settings of a server, made once from defaults, the file and the flags, then constant.
 * The rows, their units, defaults and bounds are control/config.def; the file's form is YAML with
 * the refusals of control/yaml.h. Units in memory: durations in ns, sizes in bytes, ratios 0..1.
 * Every str in here ends with a NUL beyond its length, so that .at may go to libc; an absent text
 * or path is the empty slice. Paths are as written, or joined to the directory of the file.
 * Made by control/config_load.h.
 * thread  a struct config may be read by any thread, and its bytes survive fork */
#ifndef GARRISON_CONTROL_CONFIG_H
#define GARRISON_CONTROL_CONFIG_H

#include <stdint.h>

#include "base/str.h"

#define CONFIG_PATH_DEFAULT  "/etc/garrison/garrison.yaml"
#define CONFIG_DATA_DIR      "/var/lib/garrison"
#define CONFIG_ADDRESSES_MAX 8u
#define CONFIG_MODELS_MAX    1000u
#define CONFIG_STOP_SPARE_NS                                                                       \
    20000000000ull                /* beside drain.delay and grace, for the roles to end            \
                                   */
#define CONFIG_NAME_BYTES    128u /* of a model, inference-protocol.md section 2 */
#define CONFIG_ADDRESS_BYTES 56u  /* "[IPv6]:65535" with its NUL, in full */

/* Words of enum rows, in the order of config.def. */
enum config_serves { CONFIG_SERVES_DATA, CONFIG_SERVES_OPS };
enum config_nonfinite { CONFIG_NONFINITE_BARE, CONFIG_NONFINITE_STRING };
enum config_headers { CONFIG_HEADERS_FULL, CONFIG_HEADERS_SHORT };
enum config_sandbox { CONFIG_SANDBOX_REQUIRED, CONFIG_SANDBOX_BEST_EFFORT };
enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARN, CONFIG_LOG_ERROR };
enum config_stream { CONFIG_STREAM_ACCESS, CONFIG_STREAM_APP }; /* bit numbers of logs.stdout_set */

/* An IP literal and its port (0: a free one). IPv4 uses the first four bytes of ip. */
struct config_address {
    char text[CONFIG_ADDRESS_BYTES]; /* as written, "127.0.0.1:8000" or "[::1]:8000" */
    uint8_t ip[16];
    uint16_t port;
    uint8_t family; /* 4 or 6 */
    bool loopback;
};

struct config_addresses {
    const struct config_address *at;
    uint32_t count; /* 1..CONFIG_ADDRESSES_MAX */
};

/* count events a period, such as five deaths in 60 s. */
struct config_rate {
    uint32_t count;
    uint64_t period_ns;
};

struct config_listener {
    uint32_t serves; /* enum config_serves */
    struct config_addresses addresses;
};

/* What a model may set for itself; the defaults where it does not. */
struct config_settings {
    uint32_t instances; /* runs at once in a worker */
    uint32_t threads;   /* in a run */
    bool batching;      /* false: never, whatever is stated */
    bool spin;          /* idle threads of the runtime spin */
    uint64_t batch_delay_ns;
    uint64_t load_timeout_ns;
    uint64_t lane_bytes;
    uint64_t lane_reply_bytes;
    uint64_t memory_bytes; /* 0: computed from the model's size by who loads it */
    uint32_t queue;
    uint64_t request_timeout_ns;
    uint64_t slo_latency_ns;
};

struct config_model {
    str name;
    str path;        /* a regular file that could be read when the configuration was made */
    str labels_path; /* empty: the ZipMap's labels */
    str version;
    uint32_t max_batch_size; /* 0: rows are never stacked */
    struct config_settings s;
};

struct config_server {
    str name;
    uint32_t loops;  /* of the data front */
    str data_dir;    /* empty while data_dir_temporary: the keeper makes one */
    str runtime_dir; /* empty while data_dir_temporary: `run` in the directory that is made */
    bool data_dir_temporary;
    str temporary_parent;    /* where a temporary data_dir is made: $TMPDIR or /tmp */
    uint32_t json_nonfinite; /* enum config_nonfinite */
    uint32_t headers;        /* enum config_headers */
};

struct config_site {
    str environment; /* empty: none */
    str replica;
};

struct config_limits {
    uint32_t connections; /* of a front */
    uint64_t arena_bytes; /* of a request beside its body */
    uint64_t request_line_bytes;
    uint64_t headers_bytes;
    uint32_t header_count;
    uint64_t body_bytes;
    uint64_t decoded_body_bytes;
    uint32_t decode_ratio;
    uint64_t header_time_ns;
    uint64_t idle_time_ns;
    uint64_t write_stall_ns;
    uint64_t body_rate_bytes_per_s;
    uint64_t body_rate_after_ns;
    uint64_t output_bytes;
    uint32_t requests; /* of a connection */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t parameters;
    uint32_t rank;
    uint64_t name_length_bytes;
    uint32_t json_depth;
    uint64_t json_number_bytes;
};

struct config_admission {
    uint64_t request_timeout_max_ns;
    double body_share; /* of memory.limit, for waiting bodies */
};

struct config_memory {
    uint64_t limit_bytes;
};

struct config_worker {
    uint32_t sandbox; /* enum config_sandbox */
    str runtime;      /* empty: beside garrison-worker, else by soname */
    uint32_t loads;   /* at once */
    struct config_rate quarantine;
    uint64_t stall_ns;
};

struct config_drain {
    uint64_t delay_ns;
    uint64_t grace_ns;
    uint64_t idle_ns;
};

struct config_metrics {
    uint32_t series;
    uint32_t series_per_family;
};

struct config_logs {
    uint32_t level;      /* enum config_log_level */
    uint32_t stdout_set; /* bit 1 << enum config_stream */
    uint32_t event_ring; /* records a loop, a power of two */
    uint64_t buffer_bytes;
};

struct config {
    str file; /* the file read, empty: none */
    struct config_server server;
    struct config_site site;
    struct {
        struct config_listener data;
        struct config_listener ops;
    } listeners;
    struct config_limits limits;
    struct config_admission admission;
    struct config_memory memory;
    struct config_worker worker;
    struct config_drain drain;
    struct config_settings defaults;
    const struct config_model *models; /* in the order of file, then flags */
    uint32_t model_count;
    struct config_metrics metrics;
    struct config_logs logs;
};

/* The time that a service manager must grant a stop: drain.delay + grace + 20 s. */
uint64_t config_stop_ns(const struct config *c);

/* Whether name can be a model's name, inference-protocol.md section 2. */
bool config_model_name(str name);

#endif
