/* Decimal text to numbers, rounded once and straight to the type that is wanted.
 * Two steps: num_read_scan takes the number apart while it checks the grammar of JSON, then one of
 * the others makes a value of it. No locale, no rounding mode, no allocation.
 * thread  any; never blocks
 * source  RFC 8259 section 6; D. Lemire, "Number Parsing at a Gigabyte per Second", Software:
 *         Practice and Experience 51 (2021), section 5: the product with a truncated power of five
 */
#ifndef GARRISON_PROTO_NUM_READ_H
#define GARRISON_PROTO_NUM_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A number taken apart: digits x 10^exp10, or a little more where cut. */
struct num {
    str text;        /* as written, a slice of the input */
    uint64_t digits; /* the first 19 significant digits */
    int64_t exp10;
    bool negative;
    bool cut; /* digits other than 0 follow the first 19 */
};

enum num_state {
    NUM_OK = 0,
    NUM_RANGE,    /* does not fit; for a float: a finite number would become infinite */
    NUM_FRACTION, /* an integer is wanted and the value is not whole */
};

/* Takes the JSON number that starts at `at`; returns the byte after it, or NULL (and ret is
 * meaningless) where none starts there. Does not look at what follows. */
const char *num_read_scan(const char *at, const char *end, struct num *ret);

/* The value, rounded to nearest, ties to even; ret is untouched but for NUM_OK. */
MUST_USE enum num_state num_read_f64(const struct num *n, double *ret);
MUST_USE enum num_state num_read_f32(const struct num *n, float *ret);
MUST_USE enum num_state num_read_f16(const struct num *n, uint16_t *ret);  /* IEEE binary16 bits */
MUST_USE enum num_state num_read_bf16(const struct num *n, uint16_t *ret); /* bfloat16 bits */

/* A row of numbers with one comma and any blanks between them. */
struct num_run {
    const char *at; /* the first byte of a number */
    const char *end;
    uint64_t count;      /* at most so many */
    uint32_t length_max; /* bytes of one number */
};

/* Reads the leading numbers of a row that are written plainly and easily rounded, and moves run->at
 * to the first one that is not, or not followed by a comma; that one is for the others above.
 * Writes little-endian values to `to` and returns how many. */
uint64_t num_read_run_f64(struct num_run *run, uint8_t *to);
uint64_t num_read_run_f32(struct num_run *run, uint8_t *to);

#endif
