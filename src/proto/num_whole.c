/* Integers digit by digit, with the overflow checks of the compiler: no float is involved, so what
 * is taken is exact. */
#include "proto/num_whole.h"

#define DIGITS_MAX 19 /* that num_read_scan keeps */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Digit by digit, for all but plain integers: at_one counts down to the digit worth 1. */
static enum num_state read_whole(const struct num *n, uint64_t *ret)
{
    const char *p = n->text.at + n->negative;
    const char *end = n->text.at + n->text.len;
    int64_t place = n->exp10; /* of the last digit written, once those left out are taken back */
    uint64_t v = 0;

    if (n->digits == 0) {
        *ret = 0;
        return NUM_OK;
    }
    int64_t written = 0, kept = 0;
    for (const char *d = p; d < end && (is_digit(*d) || *d == '.'); d++) {
        written += *d != '.' && (written > 0 || *d != '0');
    }
    kept = written < DIGITS_MAX ? written : DIGITS_MAX;
    place += kept - 1; /* of the first significant digit */
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.' || (v == 0 && *p == '0'))
            continue;
        if (place < 0 && *p != '0')
            return NUM_FRACTION;
        if (place >= 0 && (__builtin_mul_overflow(v, 10u, &v) ||
                           __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)))
            return NUM_RANGE;
        place--;
    }
    for (; place >= 0; place--) { /* zeros that only the exponent says */
        if (__builtin_mul_overflow(v, 10u, &v))
            return NUM_RANGE;
    }
    *ret = v;
    return NUM_OK;
}

static inline enum num_state read_magnitude(const struct num *n, uint64_t *ret)
{
    if (n->exp10 == 0 && !n->cut) {
        *ret = n->digits;
        return NUM_OK;
    }
    return read_whole(n, ret);
}

enum num_state num_whole_unsigned(const struct num *n, uint64_t max, uint64_t *ret)
{
    uint64_t v;
    const enum num_state state = read_magnitude(n, &v);

    if (state != NUM_OK)
        return state;
    if (v > max || (n->negative && v != 0))
        return NUM_RANGE;
    *ret = v;
    return NUM_OK;
}

enum num_state num_whole_signed(const struct num *n, int64_t min, int64_t max, int64_t *ret)
{
    uint64_t v;
    const enum num_state state = read_magnitude(n, &v);

    if (state != NUM_OK)
        return state;
    if (n->negative ? v > -(uint64_t)min : v > (uint64_t)max)
        return NUM_RANGE;
    *ret = n->negative ? (int64_t)-v : (int64_t)v;
    return NUM_OK;
}
