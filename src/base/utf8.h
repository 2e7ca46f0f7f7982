/* UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
 * thread  any; never blocks */
#ifndef GARRISON_BASE_UTF8_H
#define GARRISON_BASE_UTF8_H

#include <stdint.h>

#include "base/str.h"

/* Bytes of the valid sequence at the start of s (1..4), or 0 when there is none. */
unsigned utf8_len(str s);

bool utf8_valid(str s);

/* Encodes a code point (not a surrogate, <= 0x10FFFF) into out (4 bytes); returns the count. */
unsigned utf8_put(char *out, uint32_t point);

#endif
