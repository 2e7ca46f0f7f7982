/* The token reader: a state and a bit a level take the place of recursion. */
#include "proto/json.h"

#include <string.h>

#include "base/must.h"
#include "base/utf8.h"
#include "proto/num_read.h"

/* What may come next. */
enum {
    WANT_VALUE = 0,
    WANT_VALUE_OR_END, /* just after '[' */
    WANT_KEY,
    WANT_KEY_OR_END, /* just after '{' */
    WANT_COMMA,      /* after a value: a comma, an end, or nothing at depth 0 */
};

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

struct json json_over(str text, const struct json_limits *limits)
{
    must(limits->depth <= JSON_DEPTH_MAX);
    return (struct json){.text = text, .limits = *limits};
}

err json_fail(const struct json *j, const char *what, struct fault *f)
{
    return fail(f, ERR_INPUT, "JSON at byte %zu: %s", j->at, what);
}

/* ---- strings ---- */

/* Marks (top bits) the bytes of word that are below n, n <= 128; bytes from 128 on are never marked
 * by this but may be carried into: the lowest mark is right, which is all that is needed. */
static inline uint64_t mark_below(uint64_t word, uint8_t n)
{
    return (word - ONES * n) & ~word & TOPS;
}

static inline uint64_t mark_equal(uint64_t word, uint8_t c)
{
    const uint64_t diff = word ^ ONES * c;

    return (diff - ONES) & ~diff & TOPS;
}

/* The first byte that is not plain inside a string: quote, backslash, control, not ASCII. */
static inline const char *plain_end(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        const uint64_t hit =
            mark_below(word, 0x20) | mark_equal(word, '"') | mark_equal(word, '\\') | (word & TOPS);
        if (hit)
            return p + __builtin_ctzll(hit) / 8;
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static int32_t unit_at(const char *p, const char *end)
{
    int32_t v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_of(p[i]);
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

const char *json_string_end(const char *at, const char *end, bool *ret_escaped,
                            const char **ret_why)
{
    bool escaped = false;

    *ret_why = "a string without its closing quote";
    for (const char *p = at;;) {
        p = plain_end(p, end);
        if (p == end)
            return NULL;
        if (*p == '"') {
            *ret_escaped = escaped;
            return p;
        }
        size_t n;
        uint32_t point;
        if (*p == '\\') {
            escaped = true;
            n = escape_at(p, end, &point);
            *ret_why = "a wrong escape, or half of a surrogate pair, in a string";
        } else {
            n = (unsigned char)*p < 0x20 ? 0 : utf8_len((str){p, (size_t)(end - p)});
            *ret_why = "a byte in a string that is a control character or not UTF-8";
        }
        if (n == 0)
            return NULL;
        p += n;
        *ret_why = "a string without its closing quote";
    }
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

err json_text(const struct json_token *t, uint32_t max, struct arena *arena, str *ret,
              struct fault *f)
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

/* ---- tokens ---- */

static err read_string(struct json *j, enum json_kind kind, struct json_token *ret, struct fault *f)
{
    const char *at = j->text.at + j->at + 1, *end = j->text.at + j->text.len;
    const char *why;
    bool escaped = false;
    const char *quote = json_string_end(at, end, &escaped, &why);

    if (!quote)
        return json_fail(j, why, f);
    *ret = (struct json_token){kind, escaped, {at, (size_t)(quote - at)}};
    j->at = (size_t)(quote + 1 - j->text.at);
    return OK;
}

static err read_key(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *end = j->text.at + j->text.len;

    if (j->text.at[j->at] != '"')
        return json_fail(j, "want a key in quotes", f);
    const err e = read_string(j, JSON_KEY, ret, f);
    if (e != OK)
        return e;
    const char *p = json_blank(j->text.at + j->at, end);
    j->at = (size_t)(p - j->text.at);
    if (p == end || *p != ':')
        return json_fail(j, "want ':' after a key", f);
    j->at++;
    j->want = WANT_VALUE;
    return OK;
}

static err open_level(struct json *j, bool object, struct json_token *ret, struct fault *f)
{
    if (j->depth == j->limits.depth)
        return json_fail(j, "arrays and objects nested too deeply", f);
    const uint64_t bit = (uint64_t)1 << j->depth;
    j->objects = object ? j->objects | bit : j->objects & ~bit;
    j->depth++;
    ret->kind = object ? JSON_OBJECT : JSON_ARRAY;
    j->want = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    j->at++;
    return OK;
}

static err close_level(struct json *j, bool object, struct json_token *ret)
{
    j->depth--;
    ret->kind = object ? JSON_OBJECT_END : JSON_ARRAY_END;
    j->want = WANT_COMMA;
    j->at++;
    return OK;
}

static bool in_object(const struct json *j)
{
    return j->depth > 0 && j->objects >> (j->depth - 1) & 1;
}

/* A bare word, or nothing. */
static bool read_word(struct json *j, struct json_token *ret)
{
    static const struct {
        str word;
        enum json_kind kind;
    } WORDS[] = {
        {STR_LIT("true"), JSON_TRUE},          {STR_LIT("false"), JSON_FALSE},
        {STR_LIT("null"), JSON_NULL},          {STR_LIT("NaN"), JSON_NONFINITE},
        {STR_LIT("Infinity"), JSON_NONFINITE}, {STR_LIT("-Infinity"), JSON_NONFINITE},
    };
    const str rest = str_cut(j->text, j->at, j->text.len);

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (!str_starts(rest, WORDS[i].word))
            continue;
        if (WORDS[i].kind == JSON_NONFINITE && !j->limits.nonfinite)
            return false;
        ret->kind = WORDS[i].kind;
        ret->text = str_cut(rest, 0, WORDS[i].word.len);
        j->at += WORDS[i].word.len;
        return true;
    }
    return false;
}

static err read_value(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *at = j->text.at + j->at, *end = j->text.at + j->text.len;
    struct num n;

    if (*at == '{' || *at == '[')
        return open_level(j, *at == '{', ret, f);
    if (*at == ']' && j->want == WANT_VALUE_OR_END)
        return close_level(j, false, ret);
    j->want = WANT_COMMA;
    if (*at == '"')
        return read_string(j, JSON_STRING, ret, f);
    if (read_word(j, ret))
        return OK;
    const char *stop = num_read_scan(at, end, &n);
    if (!stop)
        return json_fail(j, "want a value", f);
    if (n.text.len > j->limits.number)
        return json_fail(j, "a number of too many characters", f);
    *ret = (struct json_token){JSON_NUMBER, false, n.text};
    j->at += n.text.len;
    return OK;
}

err json_next(struct json *j, struct json_token *ret, struct fault *f)
{
    const char *end = j->text.at + j->text.len;
    const char *p = json_blank(j->text.at + j->at, end);

    *ret = (struct json_token){.kind = JSON_END};
    j->at = (size_t)(p - j->text.at);
    if (j->want == WANT_COMMA) {
        if (j->depth == 0)
            return p == end ? OK : json_fail(j, "more text after the value", f);
        if (p < end && *p == (in_object(j) ? '}' : ']'))
            return close_level(j, in_object(j), ret);
        if (p == end || *p != ',')
            return json_fail(j, in_object(j) ? "want ',' or '}'" : "want ',' or ']'", f);
        p = json_blank(p + 1, end);
        j->at = (size_t)(p - j->text.at);
        j->want = in_object(j) ? WANT_KEY : WANT_VALUE;
    }
    if (p == end)
        return json_fail(j, "the text ends too early", f);
    if (j->want == WANT_KEY_OR_END && *p == '}')
        return close_level(j, true, ret);
    if (j->want == WANT_KEY_OR_END || j->want == WANT_KEY)
        return read_key(j, ret, f);
    return read_value(j, ret, f);
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
        const uint64_t hit = mark_equal(word | ONES * 0x26, 0x7F) | mark_equal(word, '"');
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
    const char *from = j->text.at + j->at, *end = j->text.at + j->text.len;
    const char *p = from;
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
    *ret = (str){from, (size_t)(p - from)};
    j->at = (size_t)(p - j->text.at);
    j->want = WANT_COMMA;
    return OK;
}

err json_pass(struct json *j, str *ret, struct fault *f)
{
    const char *end = j->text.at + j->text.len;
    const char *p = json_blank(j->text.at + j->at, end);
    struct json_token t;

    j->at = (size_t)(p - j->text.at);
    must(j->want == WANT_VALUE);
    if (p < end && *p == '[')
        return pass_array(j, ret, f);
    const size_t from = j->at;
    err e = json_next(j, &t, f);
    if (e == OK)
        e = json_skip(j, &t, f);
    if (e == OK)
        *ret = str_cut(j->text, from, j->at);
    return e;
}
