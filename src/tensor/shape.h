/* Shapes and the sizes that follow from them, checked against overflow before anything is
 * allocated. thread  any; never blocks, never allocates source  Open Inference Protocol v2, tensor
 * shape */
#ifndef GARRISON_TENSOR_SHAPE_H
#define GARRISON_TENSOR_SHAPE_H

#include <stdint.h>

#include "base/fault.h"
#include "tensor/dtype.h"

#define SHAPE_RANK_MAX 8u

struct shape {
    int64_t dim[SHAPE_RANK_MAX]; /* in a model's signature -1 is free; in a tensor all are >= 0 */
    uint32_t rank;               /* 0 is a scalar */
};

/* Counts the elements of a tensor's shape.
 * out     ret_count  elements, 0..count_max; untouched on error
 * errors  ERR_INPUT: rank over 8 or a dim < 0; ERR_TOO_BIG: more than count_max elements */
MUST_USE err shape_count(const struct shape *s, uint64_t count_max, uint64_t *ret_count,
                         struct fault *f);

/* Bytes of a dense tensor of a fixed-size datatype.
 * errors  as shape_count; ERR_TOO_BIG: more than bytes_max; ERR_INPUT: BYTES has no such size */
MUST_USE err shape_bytes(const struct shape *s, enum dtype dtype, uint64_t bytes_max,
                         uint64_t *ret_bytes, struct fault *f);

/* Holds a tensor's shape against a signature's: equal rank, equal fixed dims, free dims >= 0.
 * name is the tensor's, for the text. errors: ERR_INPUT */
MUST_USE err shape_fits(const struct shape *seen, const struct shape *wanted, str name,
                        struct fault *f);

bool shape_eq(const struct shape *a, const struct shape *b);

#endif
