/* One number of a tensor as text and as a key to sort by.
 * thread  any; never blocks */
#ifndef GARRISON_PROTO_ELEMENT_H
#define GARRISON_PROTO_ELEMENT_H

#include <stdint.h>

#include "proto/num_write.h"
#include "tensor/dtype.h"

/* Writes the element at `at` (any alignment, any datatype but BYTES) as JSON has it: digits, the
 * shortest float, true or false, NaN and infinities as bare words. out has NUM_WRITE_BYTES.
 * Returns the bytes written; *ret_finite false for the bare words. */
unsigned element_text(char *out, enum dtype dtype, const uint8_t *at, bool *ret_finite);

/* A key that orders elements of one datatype as their values: -0 equals 0, NaN is below all. */
uint64_t element_key(enum dtype dtype, const uint8_t *at);

#endif
