/* What a model takes and gives, from the metadata of a server.
 * thread  any
 * source  Open Inference Protocol v2, model metadata */
#ifndef GARRISON_CLI_MODEL_H
#define GARRISON_CLI_MODEL_H

#include "base/arena.h"
#include "base/fault.h"
#include "tensor/shape.h"

#define MODEL_TENSORS_MAX 1024u
#define MODEL_LABELS_MAX  1000u

struct model_tensor {
    str name;
    enum dtype dtype;
    struct shape shape; /* -1: free */
    const str *labels;  /* of an output, NULL: none */
    uint32_t label_count;
};

struct model {
    str name;
    str version; /* the last of `versions`, or empty */
    const struct model_tensor *inputs;
    uint32_t input_count;
    const struct model_tensor *outputs;
    uint32_t output_count;
};

/* Reads the body of GET /v2/models/NAME.
 * out     ret  slices of body and arena; untouched on error
 * errors  ERR_INPUT: not such a body; ERR_TOO_BIG: the arena is spent */
MUST_USE err model_read(str body, struct arena *arena, struct model *ret, struct fault *f);

#endif
