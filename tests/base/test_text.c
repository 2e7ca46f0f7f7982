/* The bounded builder: what does not fit, JSON strings, times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "base/text.h"

static void text__drops_what_does_not_fit_and_all_that_follows(void **state)
{
    (void)state;
    char buffer[8];
    struct text t = text_over(buffer, 5);
    text_put(&t, STR("abc"));
    assert_false(t.full);
    text_put(&t, STR("def"));
    assert_true(t.full);
    text_char(&t, 'x');
    assert_true(str_eq(text_str(&t), STR("abc")));
    t = text_over(buffer, 5);
    text_put(&t, STR("abcde"));
    assert_false(t.full);
    text_char(&t, 'f');
    assert_true(t.full);
    assert_int_equal(t.len, 5);
    t = text_over(buffer, 5);
    text_format(&t, "%s", "123456");
    assert_true(t.full && t.len == 0);
}

static void text__never_leaves_half_a_sequence(void **state)
{
    (void)state;
    char buffer[64];
    struct text t = text_over(buffer, sizeof(buffer));
    text_json_part(&t, STR("ab\xE2\x82\xAC"), 4);
    assert_true(str_eq(text_str(&t), STR("ab")));
    t = text_over(buffer, 4);
    text_json_part(&t, STR("ab\xE2\x82\xAC"), 99);
    assert_true(t.full);
    assert_true(str_eq(text_str(&t), STR("ab")));
    t = text_over(buffer, 4);
    text_json_part(&t, STR("\x01"), 99);
    assert_int_equal(t.len, 0);
}

static void text_json__escapes_by_rfc_8259(void **state)
{
    (void)state;
    char buffer[128];
    struct text t = text_over(buffer, sizeof(buffer));
    text_json(&t, STR("\"\\/\b\f\n\r\t\x1F\x7F A\xC3\xA9\xFF\xF0\x9F\x98\x80"));
    const str want = STR("\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u001f\\u007f A\xC3\xA9\xEF\xBF\xBD"
                         "\xF0\x9F\x98\x80\"");
    assert_true(str_eq(text_str(&t), want));
}

static void text__writes_numbers_and_hex(void **state)
{
    (void)state;
    char buffer[128];
    struct text t = text_over(buffer, sizeof(buffer));
    text_u64(&t, UINT64_MAX);
    text_char(&t, ' ');
    text_i64(&t, INT64_MIN);
    text_char(&t, ' ');
    text_i64(&t, 0);
    text_char(&t, ' ');
    text_hex(&t, "\x01\xAB", 2);
    text_format(&t, " %d", 7);
    assert_true(str_eq(text_str(&t), STR("18446744073709551615 -9223372036854775808 0 01ab 7")));
}

/* Every byte at every place of a word, and each length up to two words: as byte by byte. */
static void text_plain__stops_at_the_first_byte_that_needs_care(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const bool plain = c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
        for (unsigned len = 1; len <= 18; len++) {
            char *at = malloc(len); /* so that a read too far is seen */
            assert_non_null(at);
            for (unsigned i = 0; i < len; i++) {
                memset(at, i % 2 ? ' ' : '~', len);
                at[i] = (char)c;
                assert_int_equal(text_plain((str){at, len}), plain ? len : i);
                at[len - 1] = '\xFF'; /* a later one that must not move it */
                assert_int_equal(text_plain((str){at, len}), plain || i == len - 1 ? len - 1 : i);
            }
            free(at);
        }
    }
    assert_int_equal(text_plain((str){NULL, 0}), 0);
}

static void text_time__writes_microseconds_in_utc(void **state)
{
    (void)state;
    char buffer[64];
    struct text t = text_over(buffer, sizeof(buffer));
    text_time(&t, 1789206067250000);
    assert_true(str_eq(text_str(&t), STR("2026-09-12T09:41:07.250000Z")));
    t = text_over(buffer, sizeof(buffer));
    text_time(&t, 1);
    assert_true(str_eq(text_str(&t), STR("1970-01-01T00:00:00.000001Z")));
}

static void text_time__agrees_with_gmtime(void **state)
{
    (void)state;
    static const int64_t fixed[] = {0, 951782399999999, 951782400000000, 1709164800000001,
                                    4107542399999999};
    uint64_t x = 88172645463325252ull;
    for (uint32_t i = 0; i < 20000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        const int64_t us = i < 5 ? fixed[i] : (int64_t)(x % 10413792000000000ull); /* to 2300 */
        const time_t seconds = (time_t)(us / 1000000);
        char day[32], want[64], out[64];
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        assert_true(strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts) > 0);
        (void)snprintf(want, sizeof(want), "%s.%06dZ", day, (int)(us % 1000000));
        struct text t = text_over(out, sizeof(out) - 1);
        text_time(&t, us);
        out[t.len] = '\0';
        assert_string_equal(out, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__drops_what_does_not_fit_and_all_that_follows),
        cmocka_unit_test(text__never_leaves_half_a_sequence),
        cmocka_unit_test(text_json__escapes_by_rfc_8259),
        cmocka_unit_test(text__writes_numbers_and_hex),
        cmocka_unit_test(text_plain__stops_at_the_first_byte_that_needs_care),
        cmocka_unit_test(text_time__writes_microseconds_in_utc),
        cmocka_unit_test(text_time__agrees_with_gmtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
