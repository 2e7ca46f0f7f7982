/* Whole numbers of up to 4,096 bits, only as far as num_read needs them to settle a close call.
 * Every operation holds its result against the size with must(): the callers' bounds are proven
 * there, so an overflow is a bug.
 * thread  any; never blocks, never allocates */
#ifndef GARRISON_PROTO_NUM_BIG_H
#define GARRISON_PROTO_NUM_BIG_H

#include <stdint.h>

#define NUM_BIG_WORDS 64u

/* Little-endian words; the one at len - 1 is not 0, len 0 is zero. */
struct num_big {
    uint32_t len;
    uint64_t word[NUM_BIG_WORDS];
};

void num_big_set(struct num_big *b, uint64_t v);
void num_big_mul_add(struct num_big *b, uint64_t factor, uint64_t addend); /* b * factor + addend */
void num_big_mul_pow5(struct num_big *b, uint32_t exponent);               /* b * 5^exponent */
void num_big_shift(struct num_big *b, uint32_t bits);                      /* b * 2^bits */
int num_big_compare(const struct num_big *a, const struct num_big *b);     /* -1, 0, 1 */

#endif
