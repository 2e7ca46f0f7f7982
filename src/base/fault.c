/* Formats the first cause of a failure. The one complication: texts hold foreign bytes, so control
 * characters are replaced before anybody prints them, and a cut never splits a UTF-8 sequence. */
#include "base/fault.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>

static void clean(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7F)
            *c = '?';
    }
}

static void trim_partial(char *text, size_t len)
{
    size_t lead = len;
    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xC0u) == 0x80u)
        lead--;
    if (lead > 0 && ((unsigned char)text[lead - 1] & 0xC0u) == 0xC0u)
        text[lead - 1] = '\0';
}

__attribute__((format(printf, 4, 0))) static void record(struct fault *f, enum pair pair, err code,
                                                         const char *format, va_list args)
{
    must(code != OK);
    if (!f || f->code != OK)
        return;
    f->code = code;
    f->pair = pair;
    const int want = vsnprintf(f->text, sizeof(f->text), format, args);
    if (want >= (int)sizeof(f->text))
        trim_partial(f->text, sizeof(f->text) - 1);
    clean(f->text);
}

#undef fail
#undef fail_pair

err fail(struct fault *f, err code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(f, pair_of_err(code), code, format, args);
    va_end(args);
    return code;
}

err fail_pair(struct fault *f, enum pair pair, const char *format, ...)
{
    const err code = pair_err(pair);
    va_list args;
    va_start(args, format);
    record(f, pair, code, format, args);
    va_end(args);
    return code;
}
