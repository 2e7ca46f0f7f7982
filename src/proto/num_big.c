/* Schoolbook arithmetic on words of 64 bits; see num_big.h. */
#include "proto/num_big.h"

#include <string.h>

#include "base/must.h"

#define FIVE_27 7450580596923828125u /* 5^27, the largest that fits a word */

__extension__ typedef unsigned __int128 u128;

void num_big_set(struct num_big *b, uint64_t v)
{
    b->word[0] = v;
    b->len = v != 0;
}

void num_big_mul_add(struct num_big *b, uint64_t factor, uint64_t addend)
{
    uint64_t carry = addend;

    for (uint32_t i = 0; i < b->len; i++) {
        const u128 product = (u128)b->word[i] * factor + carry;

        b->word[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry != 0) {
        must(b->len < NUM_BIG_WORDS);
        b->word[b->len++] = carry;
    }
}

void num_big_mul_pow5(struct num_big *b, uint32_t exponent)
{
    for (; exponent >= 27; exponent -= 27)
        num_big_mul_add(b, FIVE_27, 0);
    uint64_t rest = 1;
    for (; exponent > 0; exponent--)
        rest *= 5;
    num_big_mul_add(b, rest, 0);
}

void num_big_shift(struct num_big *b, uint32_t bits)
{
    const uint32_t words = bits / 64;

    if (b->len == 0)
        return;
    num_big_mul_add(b, (uint64_t)1 << bits % 64, 0);
    must(words <= NUM_BIG_WORDS - b->len);
    memmove(b->word + words, b->word, b->len * sizeof(b->word[0]));
    memset(b->word, 0, words * sizeof(b->word[0]));
    b->len += words;
}

int num_big_compare(const struct num_big *a, const struct num_big *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    for (uint32_t i = a->len; i-- > 0;) {
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    }
    return 0;
}
