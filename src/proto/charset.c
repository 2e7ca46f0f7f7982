/* Eight bytes are judged by sums that reach the top bit of each: of 7 bits, c + (0x80 - first) does
 * from first on, (0x80 + last) - c up to last. Of a byte over 0x7F one of the two does not; what it
 * carries over spoils those behind it, but the run ends before it. What the sums leave is looked up
 * one by one. */
#include "proto/charset.h"

static bool has(const struct charset *set, char c)
{
    const unsigned char at = (unsigned char)c;
    return set->words[at >> 6] >> (at & 63) & 1u;
}

/* Of eight bytes those at the front that belong to the set. */
static inline unsigned run_of_eight(const struct charset *set, const char *at)
{
    uint64_t w;
    memcpy(&w, at, sizeof(w));
    const uint64_t lower = w | EACH_BYTE(0x20);
    const uint64_t letters = (lower + EACH_BYTE(0x80u - 'a')) & (EACH_BYTE(0x80u + 'z') - lower);
    const uint64_t range = (w + set->first) & (set->last - w);
    uint64_t left = ~(letters | range) & EACH_BYTE(0x80);
    for (; left != 0; left &= left - 1) {
        const unsigned stop = (unsigned)__builtin_ctzll(left) / 8;
        if (!has(set, at[stop]))
            return stop;
    }
    return 8;
}

size_t charset_run(const struct charset *set, str s)
{
    size_t i = 0;
    if (s.len < 8) {
        while (i < s.len && has(set, s.at[i]))
            i++;
        return i;
    }
    for (; i <= s.len - 8; i += 8) {
        const unsigned n = run_of_eight(set, s.at + i);
        if (n < 8)
            return i + n;
    }
    if (i == s.len)
        return i;
    i = s.len - 8; /* the last eight, some of them twice */
    return i + run_of_eight(set, s.at + i);
}
