/* Powers of five for reading and writing decimal numbers, a table made by scripts/num_pow.py.
 * thread  any; constant */
#ifndef GARRISON_PROTO_NUM_POW_H
#define GARRISON_PROTO_NUM_POW_H

#include <stdint.h>

#define NUM_POW_MIN       (-342)
#define NUM_POW_MAX       324
#define NUM_POW_EXACT_64  27 /* 5^0..5^27 lie in hi alone, exactly */
#define NUM_POW_EXACT_128 55 /* 5^0..5^55 are exact */

/* The leading 128 bits of 5^q, rounded down; the top bit is set. */
struct num_pow {
    uint64_t hi, lo;
};

extern const struct num_pow num_pow_five[NUM_POW_MAX - NUM_POW_MIN + 1]; /* [q - NUM_POW_MIN] */

/* floor(log2(10^q)), exact for |q| <= 400: 1741647 / 2^19 is close enough to log2(10). */
static inline int num_pow_log2(int q)
{
    return (q * 1741647) >> 19;
}

#endif
