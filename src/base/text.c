/* Text into a fixed buffer. Once full, everything later is dropped too, so that a cut line has a
 * clean prefix and the caller decides what a cut means. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"
#include "base/utf8.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "text is looked at a word at a time");

void text_put(struct text *t, str s)
{
    if (t->full || t->cap - t->len < s.len) {
        t->full = true;
        return;
    }
    if (s.len)
        memcpy(t->at + t->len, s.at, s.len);
    t->len += s.len;
}

void text_char(struct text *t, char c)
{
    text_put(t, (str){&c, 1});
}

void text_u64(struct text *t, uint64_t v)
{
    char digits[20];
    text_put(t, (str){digits, num_put_u64(digits, v)});
}

void text_i64(struct text *t, int64_t v)
{
    if (v < 0)
        text_char(t, '-');
    text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void text_hex(struct text *t, const void *bytes, unsigned n)
{
    if (t->full || (t->cap - t->len) / 2 < n) {
        t->full = true;
        return;
    }
    num_put_hex(t->at + t->len, bytes, n);
    t->len += 2 * (size_t)n;
}

void text_format(struct text *t, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line))
        t->full = true;
    else
        text_put(t, (str){line, (size_t)n});
}

static void json_escape(struct text *t, unsigned char c)
{
    switch (c) {
    case '"':
        text_put(t, STR("\\\""));
        return;
    case '\\':
        text_put(t, STR("\\\\"));
        return;
    case '\n':
        text_put(t, STR("\\n"));
        return;
    case '\r':
        text_put(t, STR("\\r"));
        return;
    case '\t':
        text_put(t, STR("\\t"));
        return;
    default: {
        char code[6] = {'\\', 'u', '0', '0', 0, 0};
        num_put_hex(code + 4, &c, 1);
        text_put(t, (str){code, sizeof(code)});
    }
    }
}

/* The high bit of the first byte that is not plain, and perhaps of later ones; 0: all eight are.
 * Borrows and carries only ever leave a byte that is marked itself. */
static uint64_t odd_bytes(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101ull;
    const uint64_t low = x - 0x20 * ones; /* control characters */
    const uint64_t quote = (x ^ '"' * ones) - ones;
    const uint64_t slash = (x ^ '\\' * ones) - ones;
    return (x | low | quote | slash | (x + ones)) & 0x80 * ones; /* x: not ASCII; x + 1: DEL */
}

static uint64_t eight_at(const char *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof(x));
    return x;
}

/* Fewer than eight bytes, with blanks behind them. */
static uint64_t less_than_eight(str s)
{
    uint64_t x = 0x2020202020202020ull << 8 * s.len;
    for (size_t i = 0; i < s.len; i++)
        x |= (uint64_t)(unsigned char)s.at[i] << 8 * i;
    return x;
}

static size_t first_odd(uint64_t odd)
{
    return (size_t)__builtin_ctzll(odd) / 8;
}

size_t text_plain(str s)
{
    uint64_t odd;
    if (s.len < 8) {
        odd = odd_bytes(less_than_eight(s));
        return odd ? first_odd(odd) : s.len;
    }
    const size_t last = s.len - 8; /* its word overlaps the one before */
    for (size_t i = 0; i < last; i += 8) {
        odd = odd_bytes(eight_at(s.at + i));
        if (odd)
            return i + first_odd(odd);
    }
    odd = odd_bytes(eight_at(s.at + last));
    return odd ? last + first_odd(odd) : s.len;
}

void text_json_part(struct text *t, str s, size_t max)
{
    const str within = str_cut(s, 0, max);
    size_t i = 0;
    while (i < within.len) {
        const size_t run = text_plain(str_cut(within, i, within.len));
        text_put(t, str_cut(s, i, i + run));
        i += run;
        if (i == within.len)
            return;
        const unsigned char c = (unsigned char)s.at[i];
        if (c < 0x80) {
            json_escape(t, c);
            i++;
            continue;
        }
        const unsigned n = utf8_len(str_cut(s, i, s.len));
        if (n > 1 && i + n > max)
            return;
        if (n)
            text_put(t, str_cut(s, i, i + n));
        else
            text_put(t, STR("\xEF\xBF\xBD"));
        i += n ? n : 1;
    }
}

void text_json(struct text *t, str s)
{
    text_char(t, '"');
    text_json_part(t, s, s.len);
    text_char(t, '"');
}

/* Days to a date by the algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
 * civil_from_days. */
void text_time_put(char out[TEXT_TIME_LEN], int64_t wall_us)
{
    const uint64_t us = wall_us > 0 ? (uint64_t)wall_us : 0;
    const uint64_t seconds = us / 1000000;
    const uint64_t days = seconds / 86400 + 719468;
    const unsigned in_day = (unsigned)(seconds % 86400);
    const unsigned fraction = (unsigned)(us % 1000000);
    const uint64_t era = days / 146097;
    const unsigned doe = (unsigned)(days % 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;
    const unsigned month = mp < 10 ? mp + 3 : mp - 9;
    const unsigned year = (unsigned)(yoe + era * 400 + (month <= 2));
    memcpy(out, "0000-00-00T00:00:00.000000Z", TEXT_TIME_LEN);
    num_put_two(out, year / 100 % 100);
    num_put_two(out + 2, year % 100);
    num_put_two(out + 5, month);
    num_put_two(out + 8, doy - (153 * mp + 2) / 5 + 1);
    num_put_two(out + 11, in_day / 3600);
    num_put_two(out + 14, in_day / 60 % 60);
    num_put_two(out + 17, in_day % 60);
    num_put_two(out + 20, fraction / 10000);
    num_put_two(out + 22, fraction / 100 % 100);
    num_put_two(out + 24, fraction % 100);
}

void text_time(struct text *t, int64_t wall_us)
{
    char out[TEXT_TIME_LEN];
    text_time_put(out, wall_us);
    text_put(t, (str){out, sizeof(out)});
}
