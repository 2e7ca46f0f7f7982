/* Strict decimal reading and plain writing of integers. */
#include "base/num.h"

#include <inttypes.h>

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

unsigned num_put_u64(char *out, uint64_t v)
{
    char back[20];
    unsigned n = 0;
    do {
        back[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (unsigned i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    return n;
}

void num_put_hex(char *out, const void *bytes, unsigned n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
}
