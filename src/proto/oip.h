/* Inference bodies of the Open Inference Protocol ("V2") over REST: a request's bytes to tensors in
 * their binary form, and tensors back to a reply's bytes. Pure functions: no I/O, no clock.
 * The order of calls: oip_index checks the whole request but the values of its elements and says
 * how many bytes each input needs; the caller reserves that room; oip_fill writes each present
 * input into it; when the model has run, oip_reply encodes the outputs.
 * thread  any; what one request owns belongs to one thread; never blocks
 * source  Open Inference Protocol v2, REST; Triton's extensions binary tensor data, classification,
 *         schedule policy, parameters */
#ifndef GARRISON_PROTO_OIP_H
#define GARRISON_PROTO_OIP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "tensor/signature.h"
#include "tensor/view.h"
#include "proto/chain.h"

#define INFER_ID_BYTES_MAX       1024u
#define INFER_CLASS_ELEMENTS_MAX 1000000u /* strings of one classification output */

/* What a request may hold; passing a limit is ERR_INPUT. */
struct infer_limits {
    uint32_t inputs;      /* entries of "inputs" */
    uint32_t outputs;     /* entries of "outputs", at most SIGNATURE_OUTPUTS_MAX */
    uint32_t parameters;  /* members of one "parameters" object */
    uint32_t rank;        /* entries of a "shape", at most SHAPE_RANK_MAX */
    uint32_t name_length; /* bytes of a name or key, once its escapes are resolved */
    uint32_t json_depth;  /* arrays and objects inside each other, at most 64 */
    uint32_t json_number; /* bytes of one number */
};
#define INFER_LIMITS_DEFAULT                                                                       \
    ((struct infer_limits){.inputs = SIGNATURE_INPUTS_MAX,                                         \
                           .outputs = SIGNATURE_OUTPUTS_MAX,                                       \
                           .parameters = 32,                                                       \
                           .rank = SHAPE_RANK_MAX,                                                 \
                           .name_length = 256,                                                     \
                           .json_depth = 64,                                                       \
                           .json_number = 1024})

enum infer_source {
    INFER_ABSENT = 0, /* an optional input that the request leaves out */
    INFER_JSON,       /* at: the JSON value of "data", its elements not yet looked at */
    INFER_BINARY,     /* at: the tensor's binary form, BYTES records not yet looked at */
    INFER_ELEMENT,    /* at: the one element of a BYTES tensor, without its length (raw request) */
};

struct infer_input {
    enum infer_source source;
    struct shape shape; /* as sent, fits the signature; zero where absent */
    str at;             /* a slice of the body */
    uint64_t count;     /* elements by the shape */
    uint64_t bytes;     /* room for the binary form: exact, but an upper bound for BYTES in JSON */
};

struct infer_output {
    uint32_t index;   /* position in the signature's outputs */
    bool binary;      /* the form of the reply: binary, else JSON */
    uint32_t classes; /* classification: the N asked for; 0: the tensor itself */
};

struct infer_request {
    const struct signature *signature; /* the caller's */
    struct infer_limits limits;
    struct infer_input *inputs; /* signature->input_count of them, in model order */
    struct infer_output *outputs;
    uint32_t output_count; /* in the order of the reply */
    str id;                /* UTF-8, escapes resolved; len 0: none came */
    uint64_t rows; /* dim 0 where batches are stated, or free and equal in all inputs; else 1 */
    uint64_t timeout_us; /* 0: none given */
    uint64_t priority;   /* 0: none given */
};

/* The bytes of a request. */
struct oip_body {
    str bytes;
    bool has_header;   /* Inference-Header-Content-Length came */
    uint64_t json_len; /* its value: bytes of the JSON part; 0: the raw request, one tensor alone */
};

/* Checks a request body against a model's signature; all but the values of its elements.
 * in      body   its bytes must outlive *ret, which keeps slices of them
 *         sig    outlives *ret
 *         arena  what *ret points to, besides the body, lies here
 * out     ret    untouched on error
 * errors  ERR_INPUT: JSON (with its byte offset), names, shapes, sizes, parameters;
 *         ERR_UNSUPPORTED: sequences, shared memory; ERR_TOO_BIG: the arena is spent */
MUST_USE err oip_index(const struct oip_body *body, const struct signature *sig,
                       const struct infer_limits *limits, struct arena *arena,
                       struct infer_request *ret, struct fault *f);

/* Writes the binary form of one present input (tensor/view.h) and checks every element on the way.
 * in      input    position in the signature, with a source other than INFER_ABSENT
 *         to, cap  room of at least inputs[input].bytes, aligned to 8
 * out     to       on error, bytes of no meaning
 *         ret_len  bytes written, untouched on error
 * errors  ERR_INPUT: the text names the input and the position of the element */
MUST_USE err oip_fill(const struct infer_request *r, uint32_t input, uint8_t *to, uint64_t cap,
                      uint64_t *ret_len, struct fault *f);

/* Who answered, for "model_name" and "model_version". */
struct reply_facts {
    str model;
    str version;
};

struct reply_opts {
    bool nonfinite_string; /* NaN and infinities in JSON as strings; else as bare words */
};

/* What oip_reply made, besides the bytes. */
struct reply_form {
    bool binary;       /* application/octet-stream with Inference-Header-Content-Length: json_len */
    uint64_t json_len; /* bytes of the JSON part: all of the body where not binary */
};

/* What a reply is made of. */
struct reply_ask {
    const struct infer_request *request;
    const struct view *outputs; /* one per request->outputs, in that order */
    struct reply_facts facts;
    struct reply_opts opts;
};

/* Encodes a reply at the end of an empty chain.
 * in      ask  each view passed view_check and has the datatype of the signature; those that go out
 *              in binary are borrowed by the chain, not copied
 * out     c    on error, bytes of no meaning: reset it
 *         ret  untouched on error
 * errors  ERR_INPUT with PAIR_CLIENT_ERROR_UNWRITABLE: a BYTES element that is not UTF-8 was asked
 *         for in JSON; ERR_INPUT: a classification of more than INFER_CLASS_ELEMENTS_MAX elements;
 *         ERR_UNAVAILABLE: out of memory */
MUST_USE err oip_reply(struct chain *c, const struct reply_ask *ask, struct reply_form *ret,
                       struct fault *f);

#endif
