/* Schubfach: a float is one of very few decimals of a fitting length inside its rounding interval.
 * The one complication is that the three products with a power of ten are only approximate; rounded
 * "to odd" (the last bit set when anything was cut off) they still compare as the exact ones would,
 * which the paper proves for tables of this width. The layout is that of Python's repr. */
#include "proto/num_write.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "proto/num_pow.h"

__extension__ typedef unsigned __int128 u128;

/* digits x 10^exp10 */
struct decimal {
    uint64_t digits;
    int exp10;
};

/* floor(q log10(2)), or floor(log10(3/4 2^q)) where the interval below is the narrow one. */
static inline int log10_of_pow2(int q, bool narrow)
{
    return (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
}

/* The rounding interval of a float, scaled by 4 and the power of ten of the candidates. */
struct interval {
    uint64_t below, value, above;
};

/* Chooses the decimal: one digit less if exactly one such lies in the interval, else the one
 * inside, else the nearer of two. even: the ends belong to the interval. */
static inline struct decimal choose(const struct interval *i, bool even, int k)
{
    const uint64_t low = i->below + !even;
    const uint64_t high = i->above - !even;
    const uint64_t s = i->value / 4;

    if (s >= 10) {
        const uint64_t tens = s / 10;
        const bool down = low <= 40 * tens;
        const bool up = 40 * tens + 40 <= high;
        if (down != up)
            return (struct decimal){tens + up, k + 1};
    }
    const bool down = low <= 4 * s;
    const bool up = 4 * s + 4 <= high;
    if (down != up)
        return (struct decimal){s + up, k};
    const uint64_t middle = 4 * s + 2;
    const bool nearer = i->value > middle || (i->value == middle && s & 1);
    return (struct decimal){s + nearer, k};
}

/* The upper 64 bits of g x v, the last one set if anything but 0 or 1 was cut off below. */
static inline uint64_t odd_product_128(struct num_pow g, uint64_t v)
{
    const u128 low = (u128)g.lo * v;
    const u128 high = (u128)g.hi * v + (uint64_t)(low >> 64);

    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static inline uint64_t odd_product_64(uint64_t g, uint32_t v)
{
    const u128 product = (u128)g * v;

    return (uint64_t)(product >> 64) | ((uint32_t)(product >> 32) > 1);
}

/* c x 2^q, c of at most 53 bits; narrow: the float below is only half as far away. */
static struct decimal shortest_64(uint64_t c, int q, bool narrow)
{
    const int k = log10_of_pow2(q, narrow);
    struct num_pow g = num_pow_five[-k - NUM_POW_MIN];
    const int h = q + num_pow_log2(-k) + 1;

    if (k > 0 || -k > NUM_POW_EXACT_128) { /* rounded up where it is not exact */
        g.lo++;
        g.hi += g.lo == 0;
    }
    const struct interval i = {
        odd_product_128(g, (4 * c - 2 + narrow) << h),
        odd_product_128(g, 4 * c << h),
        odd_product_128(g, (4 * c + 2) << h),
    };
    return choose(&i, c % 2 == 0, k);
}

/* The same for at most 24 bits, with a table of half the width. */
static struct decimal shortest_32(uint32_t c, int q, bool narrow)
{
    const int k = log10_of_pow2(q, narrow);
    const uint64_t g = num_pow_five[-k - NUM_POW_MIN].hi + (k > 0 || -k > NUM_POW_EXACT_64 ? 1 : 0);
    const int h = q + num_pow_log2(-k) + 1;
    const struct interval i = {
        odd_product_64(g, (4 * c - 2 + narrow) << h),
        odd_product_64(g, 4 * c << h),
        odd_product_64(g, (4 * c + 2) << h),
    };
    return choose(&i, c % 2 == 0, k);
}

static char *put_exponent(char *p, int e)
{
    const unsigned size = (unsigned)(e < 0 ? -e : e);

    *p++ = 'e';
    *p++ = e < 0 ? '-' : '+';
    if (size >= 100)
        *p++ = (char)('0' + size / 100);
    num_put_two(p, size % 100);
    return p + 2;
}

/* The decimal in the shortest of the three layouts that Python's repr has. */
static char *put_decimal(char *p, struct decimal d)
{
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exp10++;
    }
    const int n = (int)num_digits(d.digits);
    const int point = n + d.exp10; /* digits before the point */

    if (point > 16 || point < -3) {
        num_put_digits(p + 1, d.digits, (unsigned)n);
        p[0] = p[1];
        p[1] = '.';
        return put_exponent(n == 1 ? p + 1 : p + 1 + n, point - 1);
    }
    if (point <= 0) { /* 0.000ddd */
        memcpy(p, "0.0000", 6);
        num_put_digits(p + 2 - point, d.digits, (unsigned)n);
        return p + 2 - point + n;
    }
    if (d.exp10 >= 0) { /* ddd000.0 */
        num_put_digits(p, d.digits, (unsigned)n);
        memset(p + n, '0', (size_t)d.exp10);
        memcpy(p + point, ".0", 2);
        return p + point + 2;
    }
    num_put_digits(p + 1, d.digits, (unsigned)n); /* ddd.ddd */
    memmove(p, p + 1, (size_t)point);
    p[point] = '.';
    return p + 1 + n;
}

/* A whole number below 2^53: its own digits are the shortest that are needed. */
static bool is_whole(uint64_t c, int q, unsigned bits)
{
    return q <= 0 && q > -(int)bits && (c & (((uint64_t)1 << -q) - 1)) == 0;
}

static unsigned put_zero(char *out, char *p)
{
    memcpy(p, "0.0", 3);
    return (unsigned)(p + 3 - out);
}

unsigned num_write_f64(char *out, double v)
{
    uint64_t bits;
    char *p = out;

    memcpy(&bits, &v, sizeof(bits));
    const uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    const int biased = (int)(bits >> 52 & 2047);
    *p = '-';
    p += bits >> 63;
    if (biased == 0 && fraction == 0)
        return put_zero(out, p);
    const uint64_t c = biased ? fraction | (uint64_t)1 << 52 : fraction;
    const int q = (biased ? biased : 1) - 1075;
    const struct decimal d = is_whole(c, q, 53) ? (struct decimal){c >> -q, 0}
                                                : shortest_64(c, q, fraction == 0 && biased > 1);
    return (unsigned)(put_decimal(p, d) - out);
}

unsigned num_write_f32(char *out, float v)
{
    uint32_t bits;
    char *p = out;

    memcpy(&bits, &v, sizeof(bits));
    const uint32_t fraction = bits & ((1u << 23) - 1);
    const int biased = (int)(bits >> 23 & 255);
    *p = '-';
    p += bits >> 31;
    if (biased == 0 && fraction == 0)
        return put_zero(out, p);
    const uint32_t c = biased ? fraction | 1u << 23 : fraction;
    const int q = (biased ? biased : 1) - 150;
    const struct decimal d = is_whole(c, q, 24) ? (struct decimal){c >> -q, 0}
                                                : shortest_32(c, q, fraction == 0 && biased > 1);
    return (unsigned)(put_decimal(p, d) - out);
}

unsigned num_write_u64(char *out, uint64_t v)
{
    return num_put_u64(out, v);
}

unsigned num_write_i64(char *out, int64_t v)
{
    if (v >= 0)
        return num_write_u64(out, (uint64_t)v);
    out[0] = '-';
    return 1 + num_write_u64(out + 1, -(uint64_t)v);
}
