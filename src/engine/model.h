/* A model in the runtime: opened from bytes in memory, with the signature that it has from then on.
 *
 * Every input and output is a tensor of a known datatype and rank. The one other thing that is
 * taken is an output made by ZipMap, which skl2onnx's default classifiers end in: it becomes FP32
 * [-1, classes], columns in the order of the node's labels. All else is refused with the fix.
 * thread  one opens; constant afterwards, any thread may run it (engine/run.h)
 * source  release-format.md section 13 */
#ifndef GARRISON_ENGINE_MODEL_H
#define GARRISON_ENGINE_MODEL_H

#include "engine/ort.h"
#include "tensor/signature.h"

#define MODEL_NAME_MAX 256u /* bytes of a tensor's name or a label */

struct model;

/* One file of the model, mapped. */
struct model_file_bytes {
    str name;
    const void *at;
    uint64_t bytes;
};

struct model_opts {
    const struct ort *ort;
    struct model_file_bytes main;             /* the .onnx file */
    const struct model_file_bytes *externals; /* the files that it names */
    uint32_t external_count;
};

/* Opens the model. The bytes may go once this has returned.
 * out     ret_model  yours: model_free
 * errors  ERR_INPUT: the bytes, a location outside its file, or a tensor that is not served, with
 *         the fix; ERR_ENGINE: the runtime refuses it, in its own words; ERR_UNAVAILABLE: memory */
MUST_USE err model_open(const struct model_opts *opts, struct model **ret_model, struct fault *f);
void model_free(struct model *m); /* NULL is a no-op; after the last run */

/* As long as the model. Inputs that the model has a default for come last, as optional. */
const struct signature *model_signature(const struct model *m);

/* States that rows may be stacked, up to rows_max (0: not at all), before it serves.
 * errors  ERR_INPUT: an input's or output's dim 0 is not free */
MUST_USE err model_batch(struct model *m, uint32_t rows_max, struct fault *f);

/* The runtime does not tell a scalar from a tensor of unknown rank, so an output that says rank 0
 * and comes out otherwise in the first runs, before the signature is told, gets that rank. */
void model_settle(struct model *m, uint32_t output, uint32_t rank);

#endif
