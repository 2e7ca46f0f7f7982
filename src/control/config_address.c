/* IPv4 in four decimals, IPv6 in groups of hex digits with at most one "::". */
#include "control/config_address.h"

#include "base/num.h"

static bool ip4_read(str s, uint8_t ret[4])
{
    for (unsigned i = 0; i < 4; i++) {
        const size_t end = str_find(s, '.');
        uint64_t value;
        if ((i < 3) != (end < s.len) || num_u64(str_cut(s, 0, end), 255, &value, NULL) != OK)
            return false;
        ret[i] = (uint8_t)value;
        s = str_cut(s, end + 1, s.len);
    }
    return true;
}

static bool group_read(str s, uint8_t ret[2])
{
    unsigned value = 0;
    if (s.len == 0 || s.len > 4)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        const int digit = num_hex_digit(s.at[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    ret[0] = (uint8_t)(value >> 8);
    ret[1] = (uint8_t)value;
    return true;
}

/* Groups between colons, the last of which may be IPv4 where tail; returns bytes, -1: broken. */
static int groups_read(str s, bool tail, uint8_t ret[16])
{
    int used = 0;
    while (s.len) {
        const size_t end = str_find(s, ':');
        const str group = str_cut(s, 0, end);
        if (end == s.len && tail && str_find(group, '.') < group.len) {
            if (used > 12 || !ip4_read(group, ret + used))
                return -1;
            return used + 4;
        }
        if (used > 14 || !group_read(group, ret + used))
            return -1;
        used += 2;
        if (end + 1 == s.len)
            return -1; /* a colon ends it */
        s = str_cut(s, end + 1, s.len);
    }
    return used;
}

static bool ip6_read(str s, uint8_t ret[16])
{
    uint8_t head[16] = {0};
    uint8_t tail[16] = {0};
    size_t gap = s.len;
    for (size_t i = 0; i + 1 < s.len && gap == s.len; i++) {
        if (s.at[i] == ':' && s.at[i + 1] == ':')
            gap = i;
    }
    if (gap == s.len) {
        if (groups_read(s, true, head) != 16)
            return false;
        memcpy(ret, head, 16);
        return true;
    }
    const int before = groups_read(str_cut(s, 0, gap), false, head);
    const int after = groups_read(str_cut(s, gap + 2, s.len), true, tail);
    if (before < 0 || after < 0 || before + after > 14)
        return false;
    memset(ret, 0, 16);
    memcpy(ret, head, (size_t)before);
    memcpy(ret + 16 - after, tail, (size_t)after);
    return true;
}

bool config_address_read(str s, struct config_address *ret)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    struct config_address a = {0};
    if (s.len == 0 || s.len >= sizeof(a.text))
        return false;
    const bool six = s.at[0] == '[';
    const size_t close = str_find(s, ']');
    const size_t colon = six ? close + 1 : str_find(s, ':');
    uint64_t port;
    if (colon >= s.len || s.at[colon] != ':' ||
        num_u64(str_cut(s, colon + 1, s.len), UINT16_MAX, &port, NULL) != OK)
        return false;
    if (six ? !ip6_read(str_cut(s, 1, close), a.ip) : !ip4_read(str_cut(s, 0, colon), a.ip))
        return false;
    a.family = six ? 6 : 4;
    a.port = (uint16_t)port;
    a.loopback = six ? memcmp(a.ip, loopback6, 16) == 0 : a.ip[0] == 127;
    memcpy(a.text, s.at, s.len);
    *ret = a;
    return true;
}
