/* Strict decimal reading and plain writing of integers. */
#include "base/num.h"

#include <inttypes.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hex is written a word at a time");

err num_u64(str s, uint64_t max, uint64_t *ret, struct fault *f)
{
    uint64_t v = 0;
    if (s.len == 0 || (s.len > 1 && s.at[0] == '0'))
        return fail(f, ERR_INPUT, "\"%.*s\" is not a whole number", STR_ARG(str_cut(s, 0, 64)));
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return fail(f, ERR_INPUT, "\"%.*s\" is not a whole number", STR_ARG(str_cut(s, 0, 64)));
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.at[i] - '0'), &v))
            return fail(f, ERR_TOO_BIG, "%.*s is too big, want at most %" PRIu64,
                        STR_ARG(str_cut(s, 0, 64)), max);
    }
    if (v > max)
        return fail(f, ERR_TOO_BIG, "%" PRIu64 " is too big, want at most %" PRIu64, v, max);
    *ret = v;
    return OK;
}

const char num_pairs[200] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static unsigned put_below_100(char *out, unsigned v)
{
    if (v < 10) {
        out[0] = (char)('0' + v);
        return 1;
    }
    num_put_two(out, v);
    return 2;
}

unsigned num_put_u64(char *out, uint64_t v)
{
    if (v < 10000) { /* most: sizes, ports, statuses */
        const unsigned hundreds = (unsigned)v / 100;
        if (hundreds == 0)
            return put_below_100(out, (unsigned)v);
        const unsigned n = put_below_100(out, hundreds);
        num_put_two(out + n, (unsigned)v % 100);
        return n + 2;
    }
    const unsigned n = num_digits(v);
    num_put_digits(out, v, n);
    return n;
}

unsigned num_digits(uint64_t v)
{
    unsigned n = 1;
    for (; v >= 10000; v /= 10000)
        n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

void num_put_digits(char *out, uint64_t v, unsigned n)
{
    for (; n >= 2; n -= 2) {
        num_put_two(out + n - 2, (unsigned)(v % 100));
        v /= 100;
    }
    if (n == 1)
        out[0] = (char)('0' + v);
}

/* Eight digits at once: the halves of four bytes are spread over the eight bytes of a word, and a
 * digit over 9 is moved up to the letters. */
static uint64_t hex_of_four(uint32_t four)
{
    const uint64_t ones = 0x0101010101010101ull;
    uint64_t x = four;
    x = (x | x << 16) & 0x0000FFFF0000FFFFull;
    x = (x | x << 8) & 0x00FF00FF00FF00FFull;
    x = (x >> 4 | x << 8) & 15 * ones;
    return x + '0' * ones + ((x + 6 * ones) >> 4 & ones) * ('a' - '0' - 10);
}

void num_put_hex(char *out, const void *bytes, unsigned n)
{
    const unsigned char *in = bytes;
    unsigned i = 0;
    for (; i + 4 <= n; i += 4) {
        uint32_t four;
        memcpy(&four, in + i, sizeof(four));
        const uint64_t digits = hex_of_four(four);
        memcpy(out + (size_t)2 * i, &digits, sizeof(digits));
    }
    for (; i < n; i++) {
        const uint64_t digits = hex_of_four(in[i]);
        memcpy(out + (size_t)2 * i, &digits, 2);
    }
}
