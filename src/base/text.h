/* A bounded builder of text: log lines, JSON documents, the exposition page.
 * Writes into a buffer of the caller; what does not fit is dropped and remembered (full), never
 * half a sequence of UTF-8 in the JSON calls.
 * thread  owned by one thread; never blocks, never allocates */
#ifndef GARRISON_BASE_TEXT_H
#define GARRISON_BASE_TEXT_H

#include <stdint.h>

#include "base/str.h"

struct text {
    char *at;
    size_t len;
    size_t cap;
    bool full; /* something was dropped */
};

/* A builder over buffer, which outlives it. */
static inline struct text text_over(char *buffer, size_t cap)
{
    return (struct text){.at = buffer, .cap = cap};
}

static inline str text_str(const struct text *t)
{
    return (str){t->at, t->len};
}

void text_put(struct text *t, str s); /* all of s, or nothing and full */
void text_char(struct text *t, char c);
void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
void text_hex(struct text *t, const void *bytes, unsigned n);
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes: '"', '\\' and control characters escaped (RFC 8259 section 7),
 * bytes that are not UTF-8 become U+FFFD. */
void text_json(struct text *t, str s);

/* The same without the quotes, at most max bytes of s (cut at a whole sequence). */
void text_json_part(struct text *t, str s, size_t max);

/* Bytes at the start of s that a JSON string holds as they are: printable ASCII but '"' and '\\'.
 */
size_t text_plain(str s);

/* Wall time in microseconds as "2026-09-12T09:41:07.250000Z" (RFC 3339), no earlier than 1970. */
void text_time(struct text *t, int64_t wall_us);

/* The same into out, without a NUL. */
#define TEXT_TIME_LEN 27u
void text_time_put(char out[TEXT_TIME_LEN], int64_t wall_us);

#endif
