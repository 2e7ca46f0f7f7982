/* Table-free UTF-8 checks; the fast path steps over ASCII eight bytes at a time. */
#include "base/utf8.h"

static bool is_tail(unsigned char c)
{
    return (c & 0xC0u) == 0x80u;
}

unsigned utf8_len(str s)
{
    if (s.len == 0)
        return 0;
    const unsigned char *c = (const unsigned char *)s.at;
    if (c[0] < 0x80)
        return 1;
    if (c[0] >= 0xC2 && c[0] <= 0xDF)
        return s.len >= 2 && is_tail(c[1]) ? 2 : 0;
    if (c[0] >= 0xE0 && c[0] <= 0xEF) {
        if (s.len < 3 || !is_tail(c[1]) || !is_tail(c[2]))
            return 0;
        if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F))
            return 0;
        return 3;
    }
    if (c[0] >= 0xF0 && c[0] <= 0xF4) {
        if (s.len < 4 || !is_tail(c[1]) || !is_tail(c[2]) || !is_tail(c[3]))
            return 0;
        if ((c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

bool utf8_valid(str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint64_t eight;
        if (s.len - i >= sizeof(eight)) {
            memcpy(&eight, s.at + i, sizeof(eight));
            if ((eight & 0x8080808080808080ull) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        const unsigned n = utf8_len(str_cut(s, i, s.len));
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

unsigned utf8_put(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0u | point >> 6);
        out[1] = (char)(0x80u | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0u | point >> 12);
        out[1] = (char)(0x80u | (point >> 6 & 0x3F));
        out[2] = (char)(0x80u | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0u | point >> 18);
    out[1] = (char)(0x80u | (point >> 12 & 0x3F));
    out[2] = (char)(0x80u | (point >> 6 & 0x3F));
    out[3] = (char)(0x80u | (point & 0x3F));
    return 4;
}
