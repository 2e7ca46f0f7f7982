/* The fields that decide where a request ends may come once each, in one spelling. The one
 * complication: a length beyond what a number holds is remembered as the largest one, so that it is
 * answered like any other body over the limit. */
#include "proto/h1_head.h"

#include "proto/h1_line.h"

/* Digits alone; what 64 bits do not hold becomes the largest number. */
static bool read_length(str s, uint64_t *ret)
{
    uint64_t v = 0;
    bool over = false;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        over = over || __builtin_mul_overflow(v, 10u, &v) ||
               __builtin_add_overflow(v, (uint64_t)(s.at[i] - '0'), &v);
    }
    *ret = over ? UINT64_MAX : v;
    return true;
}

static const char *take_host(struct h1_marks *marks, str value)
{
    if (marks->host.len > 0)
        return "two Host fields";
    if (!h1_line_is_host(value))
        return "Host is not a name or address, perhaps with a port";
    marks->host = value;
    return NULL;
}

static const char *take_length(struct request_head *head, struct h1_marks *marks, str value)
{
    if (marks->length)
        return "two Content-Length fields";
    if (!read_length(value, &head->content_length))
        return "Content-Length is not one whole number";
    marks->length = true;
    head->has_length = true;
    return NULL;
}

static const char *take_transfer(struct request_head *head, struct h1_marks *marks, str value)
{
    if (head->minor == 0)
        return "Transfer-Encoding in HTTP/1.0";
    if (marks->transfer)
        return "two Transfer-Encoding fields";
    if (!str_eq_nocase(value, STR("chunked")))
        return "Transfer-Encoding is not exactly chunked";
    marks->transfer = true;
    head->chunked = true;
    return NULL;
}

static const char *take_expect(struct request_head *head, struct h1_marks *marks, str value)
{
    if (head->minor == 0)
        return NULL;
    if (marks->expect || !str_eq_nocase(value, STR("100-continue")))
        return "Expect is not one 100-continue";
    marks->expect = true;
    head->expect_continue = true;
    return NULL;
}

static const char *take_coding(struct request_head *head, struct h1_marks *marks, str value)
{
    if (marks->coding)
        marks->coding_bad = true;
    marks->coding = true;
    if (str_eq_nocase(value, STR("gzip")) || str_eq_nocase(value, STR("x-gzip")))
        head->coding = CODING_GZIP;
    else if (str_eq_nocase(value, STR("deflate")))
        head->coding = CODING_DEFLATE;
    else if (value.len > 0 && !str_eq_nocase(value, STR("identity")))
        marks->coding_bad = true;
    return NULL;
}

static const char *take_connection(struct h1_marks *marks, str value)
{
    while (value.len > 0) {
        const size_t end = str_find(value, ',');
        const str option = str_trim(str_cut(value, 0, end));
        if (option.len > 0 && !h1_line_is_token(option))
            return "Connection is not a list of tokens";
        if (str_eq_nocase(option, STR("close")))
            marks->close = true;
        value = str_cut(value, end + 1, value.len);
    }
    return NULL;
}

const char *h1_head_field(struct request_head *head, struct h1_marks *marks, const struct field *f)
{
    switch (f->name.len) { /* lengths first: most fields are none of these */
    case sizeof("host") - 1:
        if (field_is(f, STR("host")))
            return take_host(marks, f->value);
        break;
    case sizeof("expect") - 1:
        if (field_is(f, STR("expect")))
            return take_expect(head, marks, f->value);
        break;
    case sizeof("connection") - 1:
        if (field_is(f, STR("connection")))
            return take_connection(marks, f->value);
        break;
    case sizeof("content-length") - 1:
        if (field_is(f, STR("content-length")))
            return take_length(head, marks, f->value);
        break;
    case sizeof("content-encoding") - 1:
        if (field_is(f, STR("content-encoding")))
            return take_coding(head, marks, f->value);
        break;
    case sizeof("transfer-encoding") - 1:
        if (field_is(f, STR("transfer-encoding")))
            return take_transfer(head, marks, f->value);
        break;
    default:
        break;
    }
    return NULL;
}

err h1_head_end(struct request_head *head, const struct h1_marks *marks, uint64_t body_max,
                const char **ret_why)
{
    const char *why = NULL;
    if (marks->host.len == 0 && head->minor > 0)
        why = "no Host field in HTTP/1.1";
    if (!why && head->host.len > 0 && marks->host.len > 0 &&
        !str_eq_nocase(head->host, marks->host))
        why = "Host is not the one of the target";
    if (!why && marks->length && marks->transfer)
        why = "both Content-Length and Transfer-Encoding";
    *ret_why = why;
    if (why)
        return ERR_INPUT;
    if (marks->host.len > 0)
        head->host = marks->host;
    head->keep_alive = head->minor > 0 && !marks->close;
    if (!request_has_body(head)) {
        head->expect_continue = false;
        head->coding = CODING_IDENTITY;
    }
    *ret_why = "the content coding is not gzip, deflate or identity";
    if (marks->coding_bad)
        return ERR_CODING;
    *ret_why = "Content-Length is over the limit of a body";
    if (head->content_length > body_max)
        return ERR_TOO_BIG;
    *ret_why = NULL;
    return OK;
}

bool h1_head_is_framing(str name)
{
    return str_eq_nocase(name, STR("content-length")) ||
           str_eq_nocase(name, STR("transfer-encoding")) || str_eq_nocase(name, STR("host"));
}
