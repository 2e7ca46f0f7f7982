/* Decimal integers from text, exactly: no sign rules, blanks or overflow left to libc.
 * thread  any; never blocks */
#ifndef GARRISON_BASE_NUM_H
#define GARRISON_BASE_NUM_H

#include <stdint.h>

#include "base/fault.h"

/* Reads a decimal number: digits only, no sign, no blank, no leading zero but "0" itself.
 * in      s        at least one byte
 * out     ret      0..max; untouched on error
 * errors  ERR_INPUT: not such a number; ERR_TOO_BIG: over max */
MUST_USE err num_u64(str s, uint64_t max, uint64_t *ret, struct fault *f);

/* The digits of v into out (at least 20 bytes, no NUL); returns their count. */
unsigned num_put_u64(char *out, uint64_t v);

unsigned num_digits(uint64_t v); /* decimal digits of v, 1..20 */

/* Exactly n digits of v, with leading zeros, into out (n bytes); v has no more than n. */
void num_put_digits(char *out, uint64_t v, unsigned n);

/* The two digits of each number below 100, one behind the other. */
extern const char num_pairs[200];

static inline void num_put_two(char *out, unsigned v) /* v < 100 */
{
    memcpy(out, num_pairs + (size_t)2 * v, 2);
}

/* The value of a hex digit of either case, or -1. */
static inline int num_hex_digit(char c)
{
    const char low = (char)(c | 0x20);
    if (c >= '0' && c <= '9')
        return c - '0';
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Lower-case hex of n bytes into out (2 n bytes, no NUL). */
void num_put_hex(char *out, const void *bytes, unsigned n);

#endif
