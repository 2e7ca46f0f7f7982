/* Text into a fixed buffer. Once full, everything later is dropped too, so that a cut line has a
 * clean prefix and the caller decides what a cut means. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "base/utf8.h"

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

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

void text_json_part(struct text *t, str s, size_t max)
{
    size_t i = 0;
    while (i < s.len && i < max) {
        size_t run = i;
        while (run < s.len && run < max && is_plain((unsigned char)s.at[run]))
            run++;
        if (run > i) {
            text_put(t, str_cut(s, i, run));
            i = run;
            continue;
        }
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

void text_time(struct text *t, int64_t wall_us)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    char line[40];
    if (!gmtime_r(&seconds, &parts))
        return;
    const size_t n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &parts);
    text_put(t, (str){line, n});
    text_format(t, ".%06dZ", (int)(wall_us % 1000000));
}
