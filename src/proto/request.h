/* The head of a request, the same whatever protocol brought it. Slices borrow from the parser that
 * made the head and live until its next request begins.
 * thread  the connection's loop
 * source  RFC 9110; RFC 9112 sections 3, 6, 7 */
#ifndef GARRISON_PROTO_REQUEST_H
#define GARRISON_PROTO_REQUEST_H

#include <stdint.h>

#include "base/str.h"

/* METHOD_OTHER is any other token of upper-case letters: no route has it. */
#define METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(PATCH) X(OPTIONS) X(TRACE) X(CONNECT)

enum method {
    METHOD_OTHER = 0,
#define X(name) METHOD_##name,
    METHODS(X)
#undef X
        METHOD_COUNT
};

/* How the body is coded (Content-Encoding). */
enum coding { CODING_IDENTITY = 0, CODING_GZIP, CODING_DEFLATE };

/* One header field: a token, and a value without blanks at its ends. */
struct field {
    str name;
    str value;
};

struct request_head {
    enum method method;
    uint8_t minor;   /* of HTTP/1: 0 or 1 */
    str method_text; /* as sent */
    str target;      /* as sent, with its query */
    str path;        /* as sent, not decoded: begins with '/', or is "*" */
    str query;       /* what follows '?', not decoded; empty also where there is no '?' */
    str host;        /* "name", "name:port" or "[v6]:port"; empty only in HTTP/1.0 without Host */
    const struct field *fields; /* in the order of arrival, Host and framing included */
    uint32_t field_count;
    uint64_t no_name_of; /* bit n: no field's name has n bytes, modulo 64; clear: perhaps one has */
    enum coding coding;  /* identity where no body is announced */
    bool chunked;
    bool has_length; /* Content-Length came: content_length counts; never with chunked */
    uint64_t content_length;
    bool keep_alive;      /* the client allows another request after this one */
    bool expect_continue; /* waits for 100 before it sends the body it announced */
};

/* The method of that exact name, else METHOD_OTHER; and the name, "_OTHER" for METHOD_OTHER. */
enum method method_of(str name);
str method_name(enum method m);

/* Whether a body of at least one byte, or of unknown length, is announced. */
bool request_has_body(const struct request_head *h);

/* Whether a field has that name, in any case; letters, digits and '-' in the name. */
bool field_is(const struct field *f, str name);

/* The value of the first field of that name (any case); *ret_value is untouched when false. */
bool request_field(const struct request_head *h, str name, str *ret_value);
uint32_t request_field_count(const struct request_head *h, str name); /* fields of that name */

#endif
