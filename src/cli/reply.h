/* A reply to an inference request as cells of text.
 * thread  owned by one thread; never blocks
 * source  Open Inference Protocol v2, inference; binary tensor data extension */
#ifndef GARRISON_CLI_REPLY_H
#define GARRISON_CLI_REPLY_H

#include "base/arena.h"
#include "base/fault.h"
#include "tensor/shape.h"

#define REPLY_OUTPUTS_MAX 1024u

struct reply_output {
    str name;
    enum dtype dtype;
    struct shape shape;
    const str *cells; /* row-major; numbers as the server wrote them */
    uint64_t count;
};

struct reply {
    str model;
    str version;
    const struct reply_output *outputs;
    uint32_t output_count;
};

/* Reads a body whose first json_len bytes are JSON and whose rest are binary outputs.
 * out     ret  slices of body and arena; untouched on error
 * errors  ERR_INPUT: not such a body; ERR_TOO_BIG: the arena is spent */
MUST_USE err reply_read(str body, size_t json_len, struct arena *arena, struct reply *ret,
                        struct fault *f);

#endif
