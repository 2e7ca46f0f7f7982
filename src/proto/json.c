/* The token reader: a state and a bit a level take the place of recursion. */
#include "proto/json.h"

#include <string.h>

#include "base/must.h"
#include "base/num.h"
#include "base/utf8.h"
#include "proto/num_read.h"

/* What may come next. */
enum {
    WANT_VALUE = 0,
    WANT_VALUE_OR_END, /* just after '[' */
    WANT_KEY_OR_END,   /* just after '{' */
    WANT_COMMA,        /* after a value: a comma, an end, or nothing at depth 0 */
};

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

/* Keeps what is rare, or long, out of the registers of what is short and called for every token. */
#define NOINLINE __attribute__((noinline))

struct json json_over(str text, const struct json_limits *limits)
{
    const char *end = text.len > 0 ? text.at + text.len : text.at; /* which may be NULL */

    must(limits->depth <= JSON_DEPTH_MAX);
    return (struct json){.from = text.at, .at = text.at, .end = end, .limits = *limits};
}

err json_fail(const struct json *j, const char *what, struct fault *f)
{
    return fail(f, ERR_INPUT, "JSON at byte %zu: %s", (size_t)(j->at - j->from), what);
}

/* ---- strings ---- */

/* The first byte that is not plain inside a string: quote, backslash, control, not ASCII. Of a byte
 * of ASCII with bit 1 turned over, 0x21 can be taken unless it is a control or the quote. A byte
 * that is not plain, and up to the first one no other, sets its top bit in one of the three: only
 * such a byte borrows from the next, and what that marks behind it does not matter. */
static inline const char *plain_end(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        const uint64_t control_or_quote = (word ^ ONES * 0x02) - ONES * 0x21;
        const uint64_t backslash = (word ^ ONES * '\\') - ONES;
        const uint64_t hit = (word | control_or_quote | backslash) & TOPS;
        if (hit)
            return p + __builtin_ctzll(hit) / 8;
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

/* Four hex digits, or -1. */
static int32_t unit_at(const char *p, const char *end)
{
    int32_t v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const int digit = num_hex_digit(p[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* The escape whose backslash is at p: bytes it takes, or 0; *ret_point is what it means. */
static size_t escape_at(const char *p, const char *end, uint32_t *ret_point)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";

    if (end - p < 2)
        return 0;
    if (p[1] != 'u') {
        const char *name = memchr(NAMES, p[1], sizeof(NAMES) - 1);
        if (!name)
            return 0;
        *ret_point = (uint32_t)MEANT[name - NAMES];
        return 2;
    }
    const int32_t unit = unit_at(p + 2, end);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    *ret_point = (uint32_t)unit;
    if (unit < 0xD800 || unit > 0xDBFF)
        return 6;
    if (end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return 0;
    const int32_t low = unit_at(p + 8, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *ret_point = 0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    return 12;
}

/* The closing quote at or after p, which is a byte of the string that is not plain, or the end. */
static NOINLINE const char *hard_end(const char *p, const char *end, bool *ret_escaped,
                                     const char **ret_why)
{
    *ret_escaped = false;
    for (; p < end && *p != '"'; p = plain_end(p, end)) {
        size_t n;
        uint32_t point;
        if (*p == '\\') {
            *ret_escaped = true;
            n = escape_at(p, end, &point);
            *ret_why = "a wrong escape, or half of a surrogate pair, in a string";
        } else {
            n = (unsigned char)*p < 0x20 ? 0 : utf8_len((str){p, (size_t)(end - p)});
            *ret_why = "a byte in a string that is a control character or not UTF-8";
        }
        if (n == 0)
            return NULL;
        p += n;
    }
    *ret_why = "a string without its closing quote";
    return p < end ? p : NULL;
}

const char *json_string_end(const char *at, const char *end, bool *ret_escaped,
                            const char **ret_why)
{
    return hard_end(plain_end(at, end), end, ret_escaped, ret_why);
}

size_t json_unescape(char *to, str raw)
{
    const char *p = raw.at, *end = raw.at + raw.len;
    char *out = to;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const size_t n = (size_t)((slash ? slash : end) - p);
        memcpy(out, p, n);
        out += n;
        p += n;
        if (slash) {
            uint32_t point = 0;
            const size_t taken = escape_at(p, end, &point);
            must(taken > 0);
            out += utf8_put(out, point);
            p += taken;
        }
    }
    return (size_t)(out - to);
}

static NOINLINE err text_hard(const struct json_token *t, uint32_t max, struct arena *arena,
                              str *ret, struct fault *f)
{
    str text = t->text;

    if (t->escaped) {
        char *to = text.len / 12 <= max ? arena_alloc(arena, text.len) : NULL;
        if (!to && text.len / 12 <= max)
            return fail(f, ERR_TOO_BIG, "no room left for a text of %zu bytes", text.len);
        if (to)
            text = (str){to, json_unescape(to, text)};
    }
    if (text.len > max)
        return fail(f, ERR_INPUT, "\"%.*s...\" is longer than %u bytes",
                    STR_ARG(str_cut(text, 0, 40)), max);
    *ret = text;
    return OK;
}

err json_text(const struct json_token *t, uint32_t max, struct arena *arena, str *ret,
              struct fault *f)
{
    if (t->escaped || t->text.len > max)
        return text_hard(t, max, arena, ret, f);
    *ret = t->text;
    return OK;
}

/* ---- tokens ---- */

static NOINLINE err read_hard_string(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *at = j->at + 1, *why;
    const char *quote = json_string_end(at, j->end, &ret->escaped, &why);

    if (!quote)
        return json_fail(j, why, f);
    ret->text = (str){at, (size_t)(quote - at)};
    j->at = quote + 1;
    return OK;
}

static inline err read_string(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *at = j->at + 1;
    const char *p = plain_end(at, j->end);

    if (p == j->end || *p != '"')
        return read_hard_string(j, ret, f);
    ret->escaped = false;
    ret->text = (str){at, (size_t)(p - at)};
    j->at = p + 1;
    return OK;
}

static NOINLINE err read_key(struct json *j, struct json_token *ret, struct fault *f)
{
    if (*j->at != '"')
        return json_fail(j, "want a key in quotes", f);
    ret->kind = JSON_KEY;
    const err e = read_string(j, ret, f);
    if (e != OK)
        return e;
    j->at = json_blank(j->at, j->end);
    if (j->at == j->end || *j->at != ':')
        return json_fail(j, "want ':' after a key", f);
    j->at++;
    j->want = WANT_VALUE;
    return OK;
}

static err mark(struct json_token *ret, enum json_kind kind)
{
    ret->kind = kind;
    ret->escaped = false;
    ret->text = (str){NULL, 0};
    return OK;
}

static err open_level(struct json *j, bool object, struct json_token *ret, struct fault *f)
{
    if (j->depth == j->limits.depth)
        return json_fail(j, "arrays and objects nested too deeply", f);
    j->objects = j->objects << 1 | object;
    j->depth++;
    j->want = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    j->at++;
    return mark(ret, object ? JSON_OBJECT : JSON_ARRAY);
}

static err close_level(struct json *j, bool object, struct json_token *ret)
{
    j->objects >>= 1;
    j->depth--;
    j->want = WANT_COMMA;
    j->at++;
    return mark(ret, object ? JSON_OBJECT_END : JSON_ARRAY_END);
}

/* A bare word. */
static NOINLINE err read_word(struct json *j, struct json_token *ret, struct fault *f)
{
    static const struct {
        str word;
        enum json_kind kind;
    } WORDS[] = {
        {STR_LIT("true"), JSON_TRUE},          {STR_LIT("false"), JSON_FALSE},
        {STR_LIT("null"), JSON_NULL},          {STR_LIT("NaN"), JSON_NONFINITE},
        {STR_LIT("Infinity"), JSON_NONFINITE}, {STR_LIT("-Infinity"), JSON_NONFINITE},
    };
    const str rest = {j->at, (size_t)(j->end - j->at)};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (!str_starts(rest, WORDS[i].word))
            continue;
        if (WORDS[i].kind == JSON_NONFINITE && !j->limits.nonfinite)
            break;
        *ret =
            (struct json_token){.kind = WORDS[i].kind, .text = str_cut(rest, 0, WORDS[i].word.len)};
        j->at += WORDS[i].word.len;
        return OK;
    }
    return json_fail(j, "want a value", f);
}

static NOINLINE err read_number(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *stop = num_read_scan(j->at, j->end, &ret->num);

    if (!stop)
        return read_word(j, ret, f);
    if (ret->num.text.len > j->limits.number)
        return json_fail(j, "a number of too many characters", f);
    ret->kind = JSON_NUMBER;
    ret->escaped = false;
    j->at = stop;
    return OK;
}

static NOINLINE err read_text(struct json *j, struct json_token *ret, struct fault *f)
{
    ret->kind = JSON_STRING;
    return read_string(j, ret, f);
}

static NOINLINE err read_value(struct json *j, struct json_token *ret, struct fault *f)
{
    const char first = *j->at;

    if (first == '{' || first == '[')
        return open_level(j, first == '{', ret, f);
    if (first == ']' && j->want == WANT_VALUE_OR_END)
        return close_level(j, false, ret);
    j->want = WANT_COMMA;
    if (first == '"')
        return read_text(j, ret, f);
    return first <= '9' ? read_number(j, ret, f) : read_word(j, ret, f);
}

/* After a value where no comma comes: the end of what it lies in. */
static NOINLINE err read_end(struct json *j, struct json_token *ret, struct fault *f)
{
    const bool object = j->objects & 1;

    if (j->depth == 0)
        return j->at == j->end ? mark(ret, JSON_END) : json_fail(j, "more text after the value", f);
    if (j->at < j->end && *j->at == (object ? '}' : ']'))
        return close_level(j, object, ret);
    return json_fail(j, object ? "want ',' or '}'" : "want ',' or ']'", f);
}

err json_next(struct json *j, struct json_token *ret, struct fault *f)
{
    bool key = j->want == WANT_KEY_OR_END;

    j->at = json_blank(j->at, j->end);
    if (j->want == WANT_COMMA) {
        if (j->at == j->end || *j->at != ',' || j->depth == 0)
            return read_end(j, ret, f);
        j->at = json_blank(j->at + 1, j->end);
        j->want = WANT_VALUE;
        key = j->objects & 1;
    }
    if (j->at == j->end)
        return json_fail(j, "the text ends too early", f);
    if (!key)
        return read_value(j, ret, f);
    if (*j->at == '}' && j->want == WANT_KEY_OR_END)
        return close_level(j, true, ret);
    return read_key(j, ret, f);
}

err json_skip(struct json *j, const struct json_token *t, struct fault *f)
{
    struct json_token next = *t;

    if (t->kind != JSON_OBJECT && t->kind != JSON_ARRAY)
        return OK;
    const uint32_t outside = j->depth - 1;
    while (j->depth > outside) {
        const err e = json_next(j, &next, f);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- passing over arrays ---- */

/* The first bracket, brace or quote at or after p. '[', ']', '{', '}' are the bytes that become
 * 0x7F when the bits 0x26 are set, but for 'Y', '_' and 'y', which are let through here. */
static inline const char *bracket_or_quote(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        const uint64_t bracket = (word | ONES * 0x26) ^ ONES * 0x7F, quote = word ^ ONES * '"';
        const uint64_t hit = (((bracket - ONES) & ~bracket) | ((quote - ONES) & ~quote)) & TOPS;
        if (hit)
            return p + __builtin_ctzll(hit) / 8;
        p += 8;
    }
    while (p < end && (*p | 0x26) != 0x7F && *p != '"')
        p++;
    return p;
}

/* The closing quote of a string that is not checked yet, or end. */
static const char *quote_after(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    return p;
}

static err pass_array(struct json *j, str *ret, struct fault *f)
{
    const char *p = j->at, *end = j->end;
    uint32_t depth = j->depth;

    do {
        p = bracket_or_quote(p, end);
        if (p < end && *p == '"')
            p = quote_after(p + 1, end);
        if (p == end)
            return json_fail(j, "an array without its end", f);
        if (*p == '[' || *p == '{')
            depth++;
        else if (*p == ']' || *p == '}')
            depth--;
        if (depth > j->limits.depth)
            return json_fail(j, "arrays and objects nested too deeply", f);
        p++;
    } while (depth > j->depth);
    *ret = (str){j->at, (size_t)(p - j->at)};
    j->at = p;
    j->want = WANT_COMMA;
    return OK;
}

err json_pass(struct json *j, str *ret, struct fault *f)
{
    struct json_token t;

    must(j->want == WANT_VALUE);
    j->at = json_blank(j->at, j->end);
    if (j->at < j->end && *j->at == '[')
        return pass_array(j, ret, f);
    const char *from = j->at;
    err e = json_next(j, &t, f);
    if (e == OK)
        e = json_skip(j, &t, f);
    if (e == OK)
        *ret = (str){from, (size_t)(j->at - from)};
    return e;
}

uint64_t json_leaves(str text)
{
    const char *const end = text.at + text.len;
    uint64_t count = 0;
    bool inside = false; /* of a number or a word */

    for (const char *p = text.at; p < end; p++) {
        const bool quote = *p == '"';
        const bool between = *p == '[' || *p == ']' || *p == ',' || json_blank(p, p + 1) != p;
        count += !inside && !between;
        inside = !quote && !between;
        bool escaped;
        const char *why;
        const char *last = quote ? json_string_end(p + 1, end, &escaped, &why) : p;
        if (!last)
            break;
        p = last;
    }
    return count;
}
