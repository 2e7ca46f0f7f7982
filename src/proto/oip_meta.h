/* The JSON bodies of the Open Inference Protocol beside inference: server, health, models, their
 * configuration and statistics, the repository index, errors. Each writer appends one whole JSON
 * text to a chain; memory that runs out shows in chain.failed.
 * thread  as the chain; never blocks
 * source  Open Inference Protocol v2, REST; Triton's extensions model configuration, statistics,
 *         model repository (index) */
#ifndef GARRISON_PROTO_OIP_META_H
#define GARRISON_PROTO_OIP_META_H

#include <stdint.h>

#include "base/fault.h"
#include "proto/chain.h"
#include "tensor/signature.h"

/* One loaded version of a model, as others see it. All slices are borrowed. */
struct model_facts {
    str name;
    str version;
    const struct signature *signature;
    str digest;         /* "sha256:" and 64 hex digits */
    bool is_unsigned;   /* a bare model file */
    uint32_t instances; /* runs at the same time */
    uint64_t delay_us;  /* how long a batch may wait for more rows */
};

struct stat_pair {
    uint64_t count;
    uint64_t ns;
};

/* Requests that ran in batches of one size. */
struct batch_stats {
    uint64_t batch_size;
    struct stat_pair compute_input, compute_infer, compute_output;
};

/* Counts of one loaded version since its load; none ever falls. */
struct model_stats {
    str name;
    str version;
    uint64_t last_inference_ms; /* Unix time; 0: none yet */
    uint64_t inference_count;   /* rows */
    uint64_t execution_count;   /* runs */
    struct stat_pair success, fail, queue, compute_input, compute_infer, compute_output;
    const struct batch_stats *batches; /* by rising batch_size */
    uint32_t batch_count;
};

/* One line of the repository index. */
struct model_entry {
    str name;
    str version;
    str state;  /* READY, LOADING, UNLOADING, UNAVAILABLE */
    str reason; /* why it is not READY, else empty */
};

/* {"name","version","extensions":[..]}: the extensions that are built */
void oip_meta_server(struct chain *c, str name, str version);

void oip_meta_live(struct chain *c);            /* {"live":true} */
void oip_meta_ready(struct chain *c, str why);  /* {"ready":true}; why not empty: not ready, why */
void oip_meta_error(struct chain *c, str line); /* {"error":"<line>"} */

/* {"name":"m","ready":true}; why not empty: not ready, why */
void oip_meta_model_ready(struct chain *c, str name, str why);

void oip_meta_models(struct chain *c, const str *names, uint32_t count); /* {"models":[..]} */

/* Metadata of the model; versions are those the caller may see. Shapes show the batch as -1. */
void oip_meta_model(struct chain *c, const struct model_facts *m, const str *versions,
                    uint32_t version_count);

void oip_meta_config(struct chain *c, const struct model_facts *m);

/* {"model_stats":[..]} in three steps, so that a caller need not gather all versions first. */
void oip_meta_stats_open(struct chain *c);
void oip_meta_stats(struct chain *c, const struct model_stats *s, bool first);
void oip_meta_stats_close(struct chain *c);

void oip_meta_index(struct chain *c, const struct model_entry *entries, uint32_t count);

/* Reads the body of an index request: empty or blank, or {"ready":bool, ...}.
 * out     ret_ready_only  true: only versions in state READY; untouched on error
 * errors  ERR_INPUT */
MUST_USE err oip_meta_index_ask(str body, bool *ret_ready_only, struct fault *f);

#endif
