/* A tensor seen, not owned: its datatype, shape and bytes where they lie.
 * Numbers are little-endian, row-major, unpadded; BYTES is a row of records, each a uint32
 * little-endian length and that many bytes (Triton binary tensor data extension).
 * thread  any; never blocks, never allocates */
#ifndef GARRISON_TENSOR_VIEW_H
#define GARRISON_TENSOR_VIEW_H

#include "tensor/shape.h"

struct view {
    enum dtype dtype;
    struct shape shape;
    const uint8_t *at; /* borrowed, may be unaligned */
    uint64_t len;      /* bytes */
};

/* Holds the bytes against datatype and shape: exact size, BYTES records tile exactly and number the
 * elements, BOOL bytes are 0 or 1. name is for the text.
 * errors  ERR_INPUT */
MUST_USE err view_check(const struct view *v, str name, struct fault *f);

/* Steps through the records of BYTES: cuts the next one off *rest; false at the end or where the
 * bytes do not hold a whole record. */
bool view_record(str *rest, str *ret_record);

#endif
