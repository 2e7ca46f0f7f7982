/* A borrowed slice of bytes, by value: not NUL-terminated, never owned, compared with str_eq.
 * thread  any; no call allocates or blocks */
#ifndef GARRISON_BASE_STR_H
#define GARRISON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef struct str {
    const char *at;
    size_t len;
} str;

/* A literal as a slice, also in constant initialisers: STR_LIT. */
#define STR(literal) ((str){(literal), sizeof(literal) - 1})
#define STR_LIT(literal)                                                                           \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
/* printf: "%.*s" with STR_ARG(s). A slice longer than INT_MAX must not be printed. */
#define STR_ARG(s) (int)(s).len, (s).at

/* The slice over a C string; NULL gives the empty slice. */
static inline str str_of(const char *text)
{
    return (str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equality without regard to ASCII case, for field names (RFC 9110 section 5.1). */
static inline bool str_eq_nocase(str a, str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

static inline bool str_starts(str s, str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

/* Bytes [from, to) of s; both are cut to its length. */
static inline str str_cut(str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return (str){s.len ? s.at + from : s.at, to - from};
}

/* Position of the first byte c, or s.len. */
static inline size_t str_find(str s, char c)
{
    const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.at) : s.len;
}

/* s without spaces and tabs at both ends (RFC 9110 section 5.6.3, OWS). */
static inline str str_trim(str s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

#endif
