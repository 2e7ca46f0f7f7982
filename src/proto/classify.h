/* Classification of a numeric output: of each row the n highest values, as texts value:index or
 * value:index:label. Highest first, ties by lower index, NaN last.
 * Made for one output, freed by its maker; it borrows the view and the spec.
 * thread  owned by one thread; never blocks
 * source  Triton's classification extension */
#ifndef GARRISON_PROTO_CLASSIFY_H
#define GARRISON_PROTO_CLASSIFY_H

#include <stdint.h>

#include "base/fault.h"
#include "proto/num_write.h"
#include "tensor/signature.h"
#include "tensor/view.h"

struct classify {
    const struct view *view;
    const struct spec *spec;
    bool batched;
    uint64_t rows;    /* 1 where not batched */
    uint64_t columns; /* elements of a row */
    uint32_t n;       /* texts of a row: what was asked for, at most columns */
    uint32_t *top;    /* the columns of the row that classify_row was called for, best first */
};

/* One text: the part up to the index, and the label where there is one. */
struct class_text {
    char at[2 * NUM_WRITE_BYTES];
    uint32_t len;
    bool has_label;
    str label;
};

/* batched: dim 0 of the view is the batch.
 * errors  ERR_INPUT: more than INFER_CLASS_ELEMENTS_MAX texts; ERR_UNAVAILABLE: out of memory */
MUST_USE err classify_make(struct classify *ret, const struct view *view, const struct spec *spec,
                           bool batched, uint32_t n, struct fault *f);
void classify_free(struct classify *c); /* a zeroed one is fine */

struct shape classify_shape(const struct classify *c); /* [rows, n], or [n] */
void classify_row(struct classify *c, uint64_t row);   /* fills top */
void classify_text(const struct classify *c, uint64_t row, uint32_t rank, struct class_text *ret);

#endif
