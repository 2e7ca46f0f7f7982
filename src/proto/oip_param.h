/* The "parameters" objects of an inference request: which names mean something where, their types,
 * and what must be refused because ignoring it would give a wrong answer.
 * thread  as the reader; never blocks
 * source  Open Inference Protocol v2; Triton's extensions parameters, binary tensor data,
 *         classification, schedule policy, sequence, shared memory */
#ifndef GARRISON_PROTO_OIP_PARAM_H
#define GARRISON_PROTO_OIP_PARAM_H

#include <stdint.h>

#include "proto/json.h"
#include "proto/oip.h"

/* Where a parameters object stands. */
enum oip_where { OIP_REQUEST = 1, OIP_INPUT = 2, OIP_OUTPUT = 4 };

enum oip_param {
    OIP_TIMEOUT,
    OIP_PRIORITY,
    OIP_BINARY_DATA_OUTPUT,
    OIP_BINARY_DATA,
    OIP_BINARY_DATA_SIZE,
    OIP_CLASSIFICATION,
    OIP_SEQUENCE_ID,
    OIP_SEQUENCE_START,
    OIP_SEQUENCE_END,
    OIP_EMPTY_FINAL,
    OIP_PARAM_COUNT,
};

/* What one object said: bit p of given, and the value (a bool is 0 or 1). */
struct oip_params {
    uint32_t given;
    uint64_t value[OIP_PARAM_COUNT];
};

static inline bool oip_param_given(const struct oip_params *p, enum oip_param which)
{
    return p->given >> which & 1;
}

/* Reads the object whose value is due next; null is an empty one.
 * out     ret  all zero before; of no meaning on error
 * errors  ERR_INPUT: type, twice, too many, reserved; ERR_UNSUPPORTED; ERR_TOO_BIG: the arena */
MUST_USE err oip_param_read(struct json *j, enum oip_where where, const struct infer_limits *limits,
                            struct arena *arena, struct oip_params *ret, struct fault *f);

/* A whole number >= min from a token, for these and their neighbours. */
MUST_USE err oip_param_whole(const struct json_token *t, str name, uint64_t min, uint64_t *ret,
                             struct fault *f);

#endif
