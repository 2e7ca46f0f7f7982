/* What a model takes and gives: its inputs and outputs as fixed at load, in the model's own order.
 * The arrays and strings belong to whoever made the signature (a snapshot, or a worker) and outlive
 * every borrower.
 * thread  constant once made; any */
#ifndef GARRISON_TENSOR_SIGNATURE_H
#define GARRISON_TENSOR_SIGNATURE_H

#include "tensor/shape.h"

#define SIGNATURE_INPUTS_MAX  1024u /* limits.inputs */
#define SIGNATURE_OUTPUTS_MAX 64u   /* limits.outputs; a set of outputs is one 64-bit mask */

struct spec {
    str name;
    struct shape shape; /* includes the batch dimension; -1 is free */
    const str *labels;  /* class names by column, or NULL */
    enum dtype dtype;
    uint32_t label_count;
    bool optional; /* an input the model has a default for */
};

struct signature {
    const struct spec *inputs;
    uint32_t input_count;
    const struct spec *outputs;
    uint32_t output_count;
    uint32_t
        max_batch_size; /* 0: rows are never stacked; else dim 0 of every tensor is the batch */
};

/* Position of the input (or output) of that name, or -1. */
int signature_input(const struct signature *s, str name);
int signature_output(const struct signature *s, str name);

/* Bytes that an output needs for inputs of these shapes, where that follows from the signature: its
 * dims are fixed, or -1 in dim 0 alone with every input's dim 0 equal (the rows) and max_batch_size
 * > 0, or free dim 0 while the inputs' dim 0 is free too and equal.
 * in      shapes     one per input, in model order
 * out     ret_bytes  untouched when false
 * returns false where it cannot be known (BYTES, other free dims): the configured room is used */
bool signature_output_bytes(const struct signature *s, uint32_t output, const struct shape *shapes,
                            uint64_t *ret_bytes);

#endif
