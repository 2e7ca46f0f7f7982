/* Widths count characters, one each; wide ones are rare in names of tensors and classes. */
#include "cli/screen.h"

#include "base/utf8.h"

/* Bytes of the first SCREEN_WIDTH_MAX characters of s; *ret_width counts those. */
static size_t measure(str s, size_t *ret_width)
{
    size_t at = 0;
    size_t width = 0;
    while (at < s.len && width < SCREEN_WIDTH_MAX) {
        const unsigned len = utf8_len(str_cut(s, at, s.len));
        at += len ? len : 1;
        width++;
    }
    *ret_width = width;
    return at;
}

void screen_text(FILE *out, str s)
{
    for (size_t at = 0; at < s.len;) {
        const unsigned len = utf8_len(str_cut(s, at, s.len));
        const unsigned char c = (unsigned char)s.at[at];
        if (len == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s.at[at + 1] < 0xa0))
            (void)fputc('?', out);
        else
            (void)fwrite(s.at + at, 1, len, out);
        at += len ? len : 1;
    }
}

static void pad(FILE *out, size_t from, size_t to)
{
    for (; from < to; from++)
        (void)fputc(' ', out);
}

size_t screen_width(str s)
{
    size_t width;
    (void)measure(s, &width);
    return width;
}

void screen_left(FILE *out, str s, size_t width)
{
    size_t own;
    const size_t bytes = measure(s, &own);
    screen_text(out, str_cut(s, 0, bytes));
    pad(out, own, width);
}

void screen_right(FILE *out, str s, size_t width)
{
    size_t own;
    const size_t bytes = measure(s, &own);
    pad(out, own, width);
    screen_text(out, str_cut(s, 0, bytes));
}
