/* Sets of ASCII characters as bit maps, so that what is not named is refused. Every set here has
 * all letters, and one range of other characters that is usual in its strings: those are passed
 * over eight at a time.
 * thread  any; never blocks */
#ifndef GARRISON_PROTO_CHARSET_H
#define GARRISON_PROTO_CHARSET_H

#include <stdint.h>

#include "base/str.h"

struct charset {
    uint64_t words[4];    /* bit c % 64 of word c / 64: c belongs to the set */
    uint64_t first, last; /* of the range, as charset.c adds them */
};

/* A constant set: the maps of 0..63 and 64..127, and the range, whose characters and all letters
 * must be in them. */
#define CHARSET(low, high, from, to)                                                               \
    {                                                                                              \
        {(low), (high), 0, 0}, EACH_BYTE(0x80u - (from)), EACH_BYTE(0x80u + (to))                  \
    }
#define EACH_BYTE(c) (0x0101010101010101u * (c))

/* Bytes at the front of s that belong to the set. */
size_t charset_run(const struct charset *set, str s);

static inline bool charset_all(const struct charset *set, str s)
{
    return charset_run(set, s) == s.len;
}

#endif
