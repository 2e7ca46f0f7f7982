/* Decimal text to integers of any width, exactly. A fraction or an exponent is fine where the value
 * is whole: 3.0, 1e2. thread  any; never blocks */
#ifndef GARRISON_PROTO_NUM_WHOLE_H
#define GARRISON_PROTO_NUM_WHOLE_H

#include "proto/num_read.h"

/* in      n    from num_read_scan; its text still lies there
 * out     ret  min <= value <= max (min 0 where unsigned); untouched but for NUM_OK */
MUST_USE enum num_state num_whole_unsigned(const struct num *n, uint64_t max, uint64_t *ret);
MUST_USE enum num_state num_whole_signed(const struct num *n, int64_t min, int64_t max,
                                         int64_t *ret);

#endif
