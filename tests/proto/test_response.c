/* Heads and error replies, byte by byte; dates against libc. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "proto/response.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

/* The chain's bytes with a NUL; the caller frees. */
static char *flat(const struct chain *c)
{
    char *text = malloc(c->len + 1);
    size_t len = 0;
    assert_non_null(text);
    for (uint32_t i = 0; i < c->piece_count; i++) {
        memcpy(text + len, c->pieces[i].iov_base, c->pieces[i].iov_len);
        len += c->pieces[i].iov_len;
    }
    assert_int_equal(len, c->len);
    text[len] = '\0';
    return text;
}

static void check_chain(struct chain *c, const char *want)
{
    char *got = flat(c);
    assert_string_equal(got, want);
    free(got);
    chain_reset(c);
}

static void check_error(const struct response *r, const struct response_reason *why,
                        const char *want)
{
    struct chain c = {0};
    const uint64_t body = response_error(&c, r, why);
    const char *at = strstr(want, "\r\n\r\n");
    if (!r->head)
        assert_int_equal(body, strlen(at + 4));
    check_chain(&c, want);
    chain_free(&c);
}

static void response__lets_no_value_begin_another_field(void **state)
{
    (void)state;
    struct chain c = {0};
    const struct field fields[] = {{STR("x-request-id"), STR("a\r\nSet-Cookie: b\x7F\n")}};
    response_head(&c, &(struct response){.status = 200, .fields = fields, .field_count = 1});
    check_chain(&c,
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-request-id: a??Set-Cookie: b??\r\n\r\n");
    chain_free(&c);
}

static void response__fails_a_chain_whose_head_is_too_long(void **state)
{
    (void)state;
    struct chain c = {0};
    char *value = malloc(CHAIN_BLOCK_BYTES);
    assert_non_null(value);
    memset(value, 'a', CHAIN_BLOCK_BYTES);
    struct field field = {STR("x"), {value, CHAIN_BLOCK_BYTES}};
    const struct response r = {.status = 200, .fields = &field, .field_count = 1};
    response_head(&c, &r);
    assert_true(c.failed);
    chain_reset(&c);
    const uint64_t rest = response_head_bytes(&r) - CHAIN_BLOCK_BYTES;
    field.value.len -= rest;
    response_head(&c, &r);
    assert_false(c.failed);
    assert_int_equal(c.len, CHAIN_BLOCK_BYTES);
    free(value);
    chain_free(&c);
}

static void response__escapes_and_cuts_the_text_of_an_error(void **state)
{
    (void)state;
    char body[RESPONSE_BODY_MAX + 1] = {0};
    char text[2 * RESPONSE_TEXT_MAX];
    assert_int_equal(response_error_body(STR("a \"b\" \\ \n\x01\xFF\xC3\xA9"), body), 36);
    assert_string_equal(body, "{\"error\":\"a \\\"b\\\" \\\\ \\n\\u0001\xEF\xBF\xBD\xC3\xA9\"}");
    memset(text, 1, sizeof(text));
    const uint64_t len = response_error_body((str){text, sizeof(text)}, body);
    assert_int_equal(len, 6 * RESPONSE_TEXT_MAX + 12);
    assert_memory_equal(body + len - 2, "\"}", 2);
}

static void response__writes_a_head(void **state)
{
    (void)state;
    struct chain c = {0};
    const struct field fields[] = {{STR("x-a"), STR("1")}, {STR("x-b"), STR("")}};
    struct response r = {.status = 200,
                         .type = RESPONSE_JSON,
                         .length = 18446744073709551615u,
                         .close = true,
                         .date = DATE,
                         .fields = fields,
                         .field_count = 2};
    response_head(&c, &r);
    check_chain(&c,
                "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: 18446744073709551615\r\n"
                "Content-Type: application/json\r\nConnection: close\r\nx-a: 1\r\nx-b: \r\n\r\n");
    char out[512];
    for (uint64_t length = 1, i = 0; i < 20; i++, length *= 10) {
        r.length = length - (i > 0);
        assert_int_equal(response_head_bytes(&r), response_head_write(&r, out));
    }
    chain_free(&c);
}

static void response__writes_the_errors_that_need_more_fields(void **state)
{
    (void)state;
    const struct response plain = {.date = NULL};
    struct response_reason why = {.code = ERR_INPUT, .text = STR("no")};
#define REST "Content-Type: application/json\r\n"
    check_error(&plain, &why,
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n" REST
                "x-garrison-error: INPUT\r\n\r\n{\"error\":\"no\"}");
    why = (struct response_reason){.code = ERR_METHOD, .text = STR("no"), .allow = "GET, HEAD"};
    check_error(&plain, &why,
                "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 14\r\n" REST
                "x-garrison-error: METHOD\r\nAllow: GET, HEAD\r\n\r\n{\"error\":\"no\"}");
    why = (struct response_reason){.code = ERR_NO_CALLER, .text = STR("no")};
    check_error(
        &plain, &why,
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 14\r\n" REST
        "x-garrison-error: NO_CALLER\r\nWWW-Authenticate: Bearer\r\n\r\n{\"error\":\"no\"}");
    why = (struct response_reason){.code = ERR_BUSY, .text = STR("no"), .retry_s = 31};
    check_error(&plain, &why,
                "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 14\r\n" REST
                "x-garrison-error: BUSY\r\nRetry-After: 30\r\n\r\n{\"error\":\"no\"}");
    const struct response head = {.head = true, .close = true, .status = 200};
    why = (struct response_reason){.code = ERR_UNAVAILABLE, .text = STR("no")};
    check_error(&head, &why,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 14\r\n" REST
                "Connection: close\r\nx-garrison-error: UNAVAILABLE\r\nRetry-After: 1\r\n\r\n");
    why.no_retry = true;
    check_error(&head, &why,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 14\r\n" REST
                "Connection: close\r\nx-garrison-error: UNAVAILABLE\r\n\r\n");
}

static void response__has_a_phrase_for_every_code(void **state)
{
    (void)state;
    for (int e = OK; e < ERR_COUNT; e++)
        assert_true(response_phrase(err_http((err)e)).len > 0);
    assert_int_equal(response_phrase(299).len, 0);
}

static void response_date__agrees_with_libc(void **state)
{
    (void)state;
    char out[RESPONSE_DATE_BYTES];
    response_date(784111777, out); /* RFC 9110 section 5.6.7 */
    assert_memory_equal(out, DATE, RESPONSE_DATE_BYTES);
    for (int64_t t = 0; t < 253402300799; t += 86399 * 7 + 12345) {
        char want[40];
        struct tm parts;
        const time_t at = (time_t)t;
        assert_non_null(gmtime_r(&at, &parts));
        assert_int_equal(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &parts),
                         RESPONSE_DATE_BYTES);
        response_date(t, out);
        assert_memory_equal(out, want, RESPONSE_DATE_BYTES);
    }
    response_date(INT64_MAX, out);
    assert_memory_equal(out, "Fri, 31 Dec 9999 23:59:59 GMT", RESPONSE_DATE_BYTES);
    response_date(-1, out);
    assert_memory_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT", RESPONSE_DATE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response__lets_no_value_begin_another_field),
        cmocka_unit_test(response__fails_a_chain_whose_head_is_too_long),
        cmocka_unit_test(response__escapes_and_cuts_the_text_of_an_error),
        cmocka_unit_test(response__writes_a_head),
        cmocka_unit_test(response__writes_the_errors_that_need_more_fields),
        cmocka_unit_test(response__has_a_phrase_for_every_code),
        cmocka_unit_test(response_date__agrees_with_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
