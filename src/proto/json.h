/* A strict JSON reader that yields one token at a time from text that lies in memory as a whole.
 * It checks everything RFC 8259 asks for: grammar, no comma too many, UTF-8, escapes (a surrogate
 * alone is refused), control characters; and the limits. No recursion, no allocation but where
 * said. Errors are ERR_INPUT and begin "JSON at byte N: ". thread  owned by one thread; never
 * blocks source  RFC 8259; NaN, Infinity, -Infinity as Python's json and Triton write them */
#ifndef GARRISON_PROTO_JSON_H
#define GARRISON_PROTO_JSON_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "proto/num_read.h"

#define JSON_DEPTH_MAX 64u /* a bit of a word a level */

enum json_kind {
    JSON_END = 0, /* of the text; only blanks followed */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, /* with its colon */
    JSON_STRING,
    JSON_NUMBER,
    JSON_NONFINITE, /* a bare NaN, Infinity or -Infinity */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_token {
    enum json_kind kind;
    bool escaped; /* a string or key whose text holds escapes */
    union {
        str text;       /* string, key: what is between the quotes; word, number: its characters */
        struct num num; /* number: taken apart; its own text is the same as above */
    };
};

struct json_limits {
    uint32_t depth;  /* at most JSON_DEPTH_MAX */
    uint32_t number; /* bytes of a number */
    bool nonfinite;  /* bare NaN and infinities are values */
};

/* A reader at a place in its text. Made by json_over; the fields are its own. */
struct json {
    const char *from, *at, *end;
    struct json_limits limits;
    uint32_t depth;
    uint64_t objects; /* a bit a level, the innermost in bit 0: an object, else an array */
    unsigned char want;
};

struct json json_over(str text, const struct json_limits *limits);

MUST_USE err json_next(struct json *j, struct json_token *ret, struct fault *f);

/* Reads over the rest of a value of which t is the first token. */
MUST_USE err json_skip(struct json *j, const struct json_token *t, struct fault *f);

/* Where a value is due: passes over it fast and gives its extent. Inside an array only brackets and
 * strings are looked at, so that what lies there must still be read by somebody strict. */
MUST_USE err json_pass(struct json *j, str *ret, struct fault *f);

/* The text of a string or key with its escapes resolved: a slice of the JSON, or of the arena.
 * errors  ERR_INPUT: over max bytes; ERR_TOO_BIG: the arena is spent */
MUST_USE err json_text(const struct json_token *t, uint32_t max, struct arena *arena, str *ret,
                       struct fault *f);

/* The error "JSON at byte N: what" for the reader's place. */
MUST_USE err json_fail(const struct json *j, const char *what, struct fault *f);

/* The two halves of reading a string, for readers of their own: the closing quote of the string
 * whose first byte is at, or NULL with *ret_why; and the text of
 * a string so checked written to `to` (room of raw.len), whose length it returns. */
const char *json_string_end(const char *at, const char *end, bool *ret_escaped,
                            const char **ret_why);
size_t json_unescape(char *to, str raw);

/* Values in a text of arrays, however nested: for errors, so it judges nothing. */
uint64_t json_leaves(str text);

/* The first byte at or after p that is no blank. */
static inline const char *json_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

#endif
