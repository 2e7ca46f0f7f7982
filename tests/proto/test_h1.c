/* The parser's events, limits and memory; who refuses what is in test_desync.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/h1.h"
#include "proto/h1_line.h"

#define HOST "Host: a\r\n"

static const struct h1_limits tiny = {
    .request_line = 20, .header_bytes = 40, .header_count = 3, .body = 4};

/* The last event on text, all of it given at once. */
static enum h1_event last(struct h1 *h, const char *text, struct h1_out *ret)
{
    str input = str_of(text);
    enum h1_event event;
    do {
        event = h1_next(h, &input, ret);
    } while (event != H1_MORE && event != H1_REFUSED);
    return event;
}

static void refused(const struct h1_limits *limits, const char *text, err want)
{
    struct h1 h;
    struct h1_out out = {0};
    h1_init(&h, limits);
    if (last(&h, text, &out) != H1_REFUSED)
        fail_msg("\"%.60s\" is not refused", text);
    if (out.code != want)
        fail_msg("\"%.60s\" is %s", text, err_name(out.code));
    h1_free(&h);
}

static void accepted(const struct h1_limits *limits, const char *text)
{
    struct h1 h;
    struct h1_out out = {0};
    h1_init(&h, limits);
    if (last(&h, text, &out) != H1_MORE)
        fail_msg("\"%.60s\" is refused: %s", text, out.text);
    assert_true(h1_idle(&h));
    h1_free(&h);
}

static void h1__refuses_each_limit_at_one_more(void **state)
{
    (void)state;
    accepted(&tiny, "GET /234567 HTTP/1.1\r\n" HOST "\r\n");
    refused(&tiny, "GET /2345678 HTTP/1.1\r\n" HOST "\r\n", ERR_HEADER);
    refused(&tiny, "GET /2345678 HTTP/1.1", ERR_HEADER);
    /* 9 bytes of Host, then 31: "X: " + 26 + CRLF */
    accepted(&tiny, "GET / HTTP/1.1\r\n" HOST "X: 01234567890123456789012345\r\n\r\n");
    refused(&tiny, "GET / HTTP/1.1\r\n" HOST "X: 012345678901234567890123456\r\n\r\n", ERR_HEADER);
    accepted(&tiny, "GET / HTTP/1.1\r\n" HOST "A:1\r\nB:2\r\n\r\n");
    refused(&tiny, "GET / HTTP/1.1\r\n" HOST "A:1\r\nB:2\r\nC:3\r\n\r\n", ERR_HEADER);
    accepted(&tiny, "GET / HTTP/1.1\r\n" HOST "Content-Length:4\r\n\r\n1234");
    refused(&tiny, "GET / HTTP/1.1\r\n" HOST "Content-Length:5\r\n\r\n12345", ERR_TOO_BIG);
}

static void h1__refuses_chunks_and_trailers_over_the_limits(void **state)
{
    (void)state;
    struct h1_limits limits = tiny;
    limits.header_bytes = 60;
#define CHUNKED "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n" /* 37 bytes */
    accepted(&limits, CHUNKED "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
    refused(&limits, CHUNKED "3\r\nabc\r\n2\r\n", ERR_TOO_BIG);
    refused(&limits, CHUNKED "ffffffffffffffff\r\n", ERR_TOO_BIG);
    refused(&limits, CHUNKED "1\r\na\r\nffffffffffffffff\r\n", ERR_TOO_BIG);
    refused(&limits, CHUNKED "10000000000000000", ERR_INPUT);
    refused(&limits, CHUNKED "\r\n\r\n", ERR_INPUT);
    accepted(&limits, CHUNKED "0\r\nX: 012345678901234567\r\n\r\n"); /* 23 more */
    refused(&limits, CHUNKED "0\r\nX: 0123456789012345678\r\n\r\n", ERR_HEADER);
    accepted(&limits, CHUNKED "0\r\nX:1\r\n\r\n");
    refused(&limits, CHUNKED "0\r\nX:1\r\nY:2\r\n\r\n", ERR_HEADER);
}

/* Two fields of 37 bytes and a body of 4, three times: every limit begins anew. */
static void h1__counts_every_request_by_itself(void **state)
{
    (void)state;
    struct h1_limits limits = tiny;
    limits.header_count = 2;
#define FULL CHUNKED "4\r\nabcd\r\n0\r\n\r\n"
    accepted(&limits, FULL FULL FULL);
    refused(&limits, FULL "POST / HTTP/1.1\r\n" HOST "A:1\r\nB:2\r\n", ERR_HEADER);
    struct h1 h;
    struct h1_out out = {0};
    h1_init(&h, &limits);
    assert_int_equal(last(&h, FULL "GET / HTTP/1.2\r\n", &out), H1_REFUSED);
    assert_null(out.head); /* the refused one has none */
    h1_free(&h);
}

static void h1__says_the_same_refusal_for_ever_and_keeps_a_sound_head(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    str more = STR("GET / HTTP/1.1\r\n" HOST "\r\n");
    h1_init(&h, &tiny);
    assert_int_equal(last(&h, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 99\r\n\r\n", &out),
                     H1_REFUSED);
    assert_int_equal(out.code, ERR_TOO_BIG);
    assert_non_null(out.head);
    assert_int_equal(out.head->method, METHOD_POST);
    assert_int_equal(h1_next(&h, &more, &out), H1_REFUSED);
    assert_int_equal(out.code, ERR_TOO_BIG);
    h1_free(&h);
    h1_init(&h, &tiny);
    assert_int_equal(last(&h, "POST /x HTTP/1.1\r\n\r\n", &out), H1_REFUSED);
    assert_null(out.head);
    h1_free(&h);
}

/* A refusal leaves the request line and the fields that were sound, also when the lines moved. */
static void h1__tells_what_it_read_of_a_refused_head(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    static char text[6000];
    const struct h1_limits limits = {
        .request_line = 4000, .header_bytes = 4000, .header_count = 3, .body = 4};
    const int n = snprintf(text, sizeof(text),
                           "POST /a?b HTTP/1.0\r\nX: 1\r\nY: %3900d\r\nX y: 2\r\n\r\n", 7);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    h1_init(&h, &limits);
    assert_null(h1_begun(&h));
    str input = STR("POST /a?b HTTP/1.0\r");
    assert_int_equal(h1_next(&h, &input, &out), H1_MORE);
    assert_null(h1_begun(&h));
    h1_free(&h);
    h1_init(&h, &limits);
    assert_int_equal(last(&h, text, &out), H1_REFUSED);
    assert_null(out.head);
    const struct request_head *head = h1_begun(&h);
    assert_non_null(head);
    assert_int_equal(head->method, METHOD_POST);
    assert_true(str_eq(head->path, STR("/a")) && str_eq(head->query, STR("b")));
    assert_int_equal(head->field_count, 2);
    assert_true(str_eq(head->fields[0].name, STR("X")));
    assert_true(str_eq(head->fields[0].value, STR("1")));
    assert_true(str_eq(head->fields[1].value, STR("7")));
    h1_free(&h);
    h1_init(&h, &tiny); /* and of one whose request line was refused, nothing of the one before */
    assert_int_equal(last(&h, "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.2\r\n", &out),
                     H1_REFUSED);
    assert_null(h1_begun(&h));
    h1_free(&h);
}

static void h1__gives_head_body_and_end_and_leaves_the_next_request(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    str value = {0};
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    str input = STR("POST /v2/x?a=b HTTP/1.1\r\nHost: me:1\r\nX-A:  b c \r\nContent-Length: 5\r\n"
                    "Content-Encoding: gzip\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n");
    h1_init(&h, &limits);
    assert_true(h1_idle(&h));
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    const struct request_head *head = out.head;
    assert_true(str_eq(head->path, STR("/v2/x")) && str_eq(head->query, STR("a=b")));
    assert_true(str_eq(head->target, STR("/v2/x?a=b")) && str_eq(head->host, STR("me:1")));
    assert_true(request_field(head, STR("x-a"), &value) && str_eq(value, STR("b c")));
    assert_int_equal(head->field_count, 4);
    assert_int_equal(head->coding, CODING_GZIP);
    assert_true(head->keep_alive && head->has_length && !head->chunked);
    assert_int_equal(head->content_length, 5);
    assert_int_equal(h1_next(&h, &input, &out), H1_BODY);
    assert_true(str_eq(out.piece, STR("hello")));
    assert_false(h1_idle(&h));
    assert_int_equal(h1_next(&h, &input, &out), H1_END);
    assert_true(h1_idle(&h));
    assert_int_equal(input.len, sizeof("GET / HTTP/1.0\r\n\r\n") - 1);
    assert_true(str_eq(head->path, STR("/v2/x"))); /* lives until the next call */
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    assert_int_equal(out.head->minor, 0);
    assert_false(out.head->keep_alive);
    assert_int_equal(h1_next(&h, &input, &out), H1_END);
    assert_int_equal(h1_next(&h, &input, &out), H1_MORE);
    h1_free(&h);
}

/* The head's slices move with the buffer: 90 fields of 100 bytes pass several sizes of it. */
static void h1__keeps_a_head_that_comes_byte_by_byte(void **state)
{
    (void)state;
    char text[16384] = "GET /v2 HTTP/1.1\r\n" HOST;
    size_t len = strlen(text);
    for (int i = 0; i < 90; i++) {
        memset(text + len, 'a' + i % 26, 100);
        text[len + 10] = ':';
        memcpy(text + len + 98, "\r\n", 2);
        len += 100;
    }
    memcpy(text + len, "\r\n", 2);
    len += 2;
    struct h1 h;
    struct h1_out out = {0};
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    h1_init(&h, &limits);
    for (size_t i = 0; i < len; i++) {
        str one = {text + i, 1};
        assert_int_equal(h1_next(&h, &one, &out), i + 1 < len ? H1_MORE : H1_HEAD);
        assert_int_equal(one.len, 0);
    }
    assert_int_equal(out.head->field_count, 91);
    assert_true(str_eq(out.head->host, STR("a")) && str_eq(out.head->path, STR("/v2")));
    for (uint32_t i = 0; i < 90; i++) {
        const struct field *f = &out.head->fields[i + 1];
        assert_int_equal(f->name.len, 10);
        assert_int_equal(f->value.len, 87);
        assert_int_equal(f->value.at[86], 'a' + (int)i % 26);
    }
    h1_free(&h);
}

/* A path that the parser supplies lies in no buffer, and a Host does not replace the target's
 * before the two are compared. */
static void h1__keeps_the_parts_of_an_absolute_target_while_the_head_grows(void **state)
{
    (void)state;
    static const char line[] = "GET http://me:1?q=/x HTTP/1.1\r\n";
    static const char host[] = "Host: ME:1\r\n\r\n";
    char fill[7000] = "X: ";
    memset(fill + 3, 'x', sizeof(fill) - 5);
    memcpy(fill + sizeof(fill) - 2, "\r\n", 2);
    const str pieces[] = {STR(line), {fill, sizeof(fill)}, {fill, sizeof(fill)}, STR(host)};
    struct h1 h;
    struct h1_out out = {0};
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    h1_init(&h, &limits);
    for (size_t i = 0; i < 4; i++) {
        str piece = pieces[i];
        assert_int_equal(h1_next(&h, &piece, &out), i < 3 ? H1_MORE : H1_HEAD);
    }
    assert_true(str_eq(out.head->target, STR("http://me:1?q=/x")));
    assert_true(str_eq(out.head->path, STR("/")) && str_eq(out.head->query, STR("q=/x")));
    assert_true(str_eq(out.head->host, STR("ME:1")));
    h1_free(&h);
}

/* Names of 98, 4 and 11 bytes: their lengths modulo 64 are remembered. */
static void h1__finds_the_fields_of_its_head(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    str value = {0};
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    str input = STR("GET / HTTP/1.1\r\n"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\r\n" HOST
                    "TRACEparent: 2\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    h1_init(&h, &limits);
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    assert_true(request_field(out.head, STR("host"), &value));
    assert_true(request_field(out.head, STR("traceparent"), &value) && str_eq(value, STR("2")));
    assert_true(request_field(out.head, out.head->fields[0].name, &value));
    assert_true(str_eq(value, STR("1")));
    assert_false(request_field(out.head, STR("tracepbrent"), &value));
    assert_false(request_field(out.head, STR("origin"), &value));
    assert_int_equal(h1_next(&h, &input, &out), H1_END);
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    assert_false(request_field(out.head, STR("traceparent"), &value));
    assert_true(request_field(out.head, STR("host"), &value));
    h1_free(&h);
}

/* Reads one request from a copy of the text that is gone afterwards; *ret_head is the parser's. */
static void read_one(struct h1 *h, const char *text, const struct request_head **ret_head)
{
    const size_t len = strlen(text);
    char *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    str input = {copy, len};
    struct h1_out out = {0};
    assert_int_equal(h1_next(h, &input, &out), H1_HEAD);
    uint64_t body = 0;
    enum h1_event event;
    while ((event = h1_next(h, &input, &out)) == H1_BODY)
        body += out.piece.len;
    assert_int_equal(event, H1_END);
    assert_int_equal(input.len, 0);
    assert_int_equal(body, out.head->chunked ? 1 : out.head->content_length);
    *ret_head = out.head;
    free(copy);
}

static void assert_same_head(const struct request_head *a, const struct request_head *b)
{
    assert_true(a->method == b->method && a->minor == b->minor && a->coding == b->coding);
    assert_true(str_eq(a->target, b->target) && str_eq(a->path, b->path));
    assert_true(str_eq(a->query, b->query) && str_eq(a->host, b->host));
    assert_true(a->chunked == b->chunked && a->has_length == b->has_length);
    assert_true(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue);
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->field_count, b->field_count);
    for (uint32_t i = 0; i < a->field_count; i++) {
        assert_true(str_eq(a->fields[i].name, b->fields[i].name));
        assert_true(str_eq(a->fields[i].value, b->fields[i].value));
    }
}

/* Heads that are the last one again, but for a byte, shorter, longer, with trailers up to the limit
 * of fields, and behind an empty line: each as a parser reads it that knows no other. */
static void h1__reads_a_head_again_like_a_new_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "POST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 5\r\n\r\nhello",
        "POST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 5\r\n\r\nagain",
        "POST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 4\r\n\r\nless",
        "POST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 4\r\n\r\nless",
        "\r\nPOST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 4\r\n\r\nless",
        "POST /x?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 4\r\n\r\nless",
        "POST /y?q HTTP/1.1\r\n" HOST "A: b\r\nContent-Length: 4\r\n\r\nless",
        "POST /y?q HTTP/1.1\r\n" HOST "A: b\r\n\r\n",
        "POST /y?q HTTP/1.1\r\n" HOST "A: b\r\n\r\n",
        "POST /y?q HTTP/1.1\r\n" HOST "A: b\r\nC: d\r\n\r\n",
        "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n.\r\n0\r\nT: u\r\n\r\n",
        "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n.\r\n0\r\nT: u\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n"};
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    limits.header_count = 3;
    struct h1 h;
    h1_init(&h, &limits);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct h1 fresh;
        const struct request_head *head = NULL, *want = NULL;
        h1_init(&fresh, &limits);
        read_one(&h, texts[i], &head);
        read_one(&fresh, texts[i], &want);
        assert_same_head(head, want);
        assert_true(h1_idle(&h));
        h1_free(&fresh);
    }
    h1_free(&h);
}

static void h1__joins_chunks_without_their_framing(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    char body[64] = {0};
    size_t len = 0;
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    str input = STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\nExpect: "
                    "100-continue\r\n\r\n3\r\nabc\r\n00B\r\nhello world\r\n0\r\nT: x\r\n\r\n");
    h1_init(&h, &limits);
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    assert_true(out.head->chunked && out.head->expect_continue && !out.head->has_length);
    while (h1_next(&h, &input, &out) == H1_BODY) {
        memcpy(body + len, out.piece.at, out.piece.len);
        len += out.piece.len;
    }
    assert_string_equal(body, "abchello world");
    assert_int_equal(out.head->field_count, 3); /* trailers are dropped */
    assert_int_equal(h1_next(&h, &input, &out), H1_MORE);
    h1_free(&h);
}

static void h1__expects_no_body_and_no_coding_where_none_is_announced(void **state)
{
    (void)state;
    struct h1 h;
    struct h1_out out = {0};
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    str input = STR("GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Encoding: gzip\r\n"
                    "Content-Length: 0\r\n\r\n");
    h1_init(&h, &limits);
    assert_int_equal(h1_next(&h, &input, &out), H1_HEAD);
    assert_false(out.head->expect_continue);
    assert_int_equal(out.head->coding, CODING_IDENTITY);
    assert_int_equal(h1_next(&h, &input, &out), H1_END);
    h1_free(&h);
}

static void h1_line__splits_a_target_at_its_first_mark(void **state)
{
    (void)state;
    str authority, path, query;
    assert_null(h1_line_target(STR("http://a:1?x=/y?z"), METHOD_GET, &authority, &path, &query));
    assert_true(str_eq(authority, STR("a:1")) && str_eq(path, STR("/")));
    assert_true(str_eq(query, STR("x=/y?z")));
    assert_null(h1_line_target(STR("http://a"), METHOD_GET, &authority, &path, &query));
    assert_true(str_eq(path, STR("/")) && query.len == 0);
    assert_null(h1_line_target(STR("HTTPS://[::1]/b/?"), METHOD_GET, &authority, &path, &query));
    assert_true(str_eq(authority, STR("[::1]")) && str_eq(path, STR("/b/")) && query.len == 0);
    assert_null(h1_line_target(STR("/a//b?c"), METHOD_GET, &authority, &path, &query));
    assert_true(authority.len == 0 && str_eq(path, STR("/a//b")) && str_eq(query, STR("c")));
}

static void h1_line__refuses_hosts_and_methods_that_are_none(void **state)
{
    (void)state;
    struct request_head head = {0};
    assert_false(h1_line_is_host(STR("a:000080")));
    assert_false(h1_line_is_host(STR("a:65536")));
    assert_true(h1_line_is_host(STR("a:65535")));
    assert_non_null(h1_line_request(STR(" / HTTP/1.1"), &head));
    assert_non_null(h1_line_request(STR(""), &head));
    assert_null(h1_line_request(STR("A / HTTP/1.1"), &head));
    assert_int_equal(head.method, METHOD_OTHER);
}

static bool is_plain(char c)
{
    return c == '\t' || (c >= 0x20 && c <= 0x7E);
}

static void h1_line__counts_plain_bytes_like_a_plain_loop(void **state)
{
    (void)state;
    char text[40];
    for (size_t len = 1; len <= sizeof(text); len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, "~ \t"[at % 3], sizeof(text));
                text[at] = (char)c;
                assert_int_equal(h1_line_run(text, len), is_plain((char)c) ? len : at);
            }
        }
    }
    memset(text, ' ', sizeof(text));
    for (int c = 0; c < 65536; c++) { /* what one byte does must not reach the next one */
        text[3] = (char)(c & 0xFF);
        text[4] = (char)(c >> 8);
        const size_t want = !is_plain(text[3]) ? 3 : !is_plain(text[4]) ? 4 : 8;
        assert_int_equal(h1_line_run(text, 8), want);
    }
}

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool among(const char *set, int c)
{
    return c < 128 && strchr(set, c) != NULL;
}

static void h1_line__knows_the_characters_of_a_token_by_rfc_9110(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char one = (char)c;
        const bool want = among("!#$%&'*+-.^_`|~" ALNUM, c);
        assert_int_equal(h1_line_is_token((str){&one, 1}), want);
    }
}

/* In slices that are long enough to be read eight bytes at a time. */
static void h1_line__knows_the_characters_of_tokens_targets_and_hosts(void **state)
{
    (void)state;
    str authority, path, query;
    for (int c = 1; c < 256; c++) {
        char token[] = "aaaaaaaaaaa", target[] = "/aaaaaaaaaa", host[] = "aaaaaaaaaaa";
        char v6[] = "[aaaaaaa]";
        token[10] = target[10] = host[10] = v6[5] = (char)c;
        const char *why = h1_line_target(str_of(target), METHOD_GET, &authority, &path, &query);
        assert_int_equal(h1_line_is_token(str_of(token)), among("!#$%&'*+-.^_`|~" ALNUM, c));
        assert_int_equal(why == NULL, among("-._~%!$&'()*+,;=:@/?" ALNUM, c));
        assert_int_equal(h1_line_is_host(str_of(host)), among(":.-_" ALNUM, c));
        assert_int_equal(h1_line_is_host(str_of(v6)), among(":.0123456789abcdefABCDEF", c));
    }
    assert_false(h1_line_is_host(STR("[]")) || h1_line_is_host(STR("[::1")));
    assert_false(h1_line_is_host(STR("[::1]1")) || h1_line_is_host(STR(":1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1__refuses_each_limit_at_one_more),
        cmocka_unit_test(h1__refuses_chunks_and_trailers_over_the_limits),
        cmocka_unit_test(h1__counts_every_request_by_itself),
        cmocka_unit_test(h1__says_the_same_refusal_for_ever_and_keeps_a_sound_head),
        cmocka_unit_test(h1__tells_what_it_read_of_a_refused_head),
        cmocka_unit_test(h1__gives_head_body_and_end_and_leaves_the_next_request),
        cmocka_unit_test(h1__keeps_a_head_that_comes_byte_by_byte),
        cmocka_unit_test(h1__keeps_the_parts_of_an_absolute_target_while_the_head_grows),
        cmocka_unit_test(h1__finds_the_fields_of_its_head),
        cmocka_unit_test(h1__reads_a_head_again_like_a_new_one),
        cmocka_unit_test(h1__joins_chunks_without_their_framing),
        cmocka_unit_test(h1__expects_no_body_and_no_coding_where_none_is_announced),
        cmocka_unit_test(h1_line__splits_a_target_at_its_first_mark),
        cmocka_unit_test(h1_line__refuses_hosts_and_methods_that_are_none),
        cmocka_unit_test(h1_line__counts_plain_bytes_like_a_plain_loop),
        cmocka_unit_test(h1_line__knows_the_characters_of_a_token_by_rfc_9110),
        cmocka_unit_test(h1_line__knows_the_characters_of_tokens_targets_and_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
