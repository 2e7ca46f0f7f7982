/* The JSON reader: what RFC 8259 forbids, the limits, then what it gives. */
#include <string.h>

#include "check.h"
#include "proto/json.h"

static const struct json_limits LIMITS = {.depth = 64, .number = 1024, .nonfinite = true};

/* Reads a whole text; returns the first error. */
static err read_all(str text, const struct json_limits *limits, struct fault *f)
{
    struct json j = json_over(text, limits);
    struct json_token t;
    err e;

    do
        e = json_next(&j, &t, f);
    while (e == OK && t.kind != JSON_END);
    return e;
}

static const str FORBIDDEN[] = {
    {NULL, 0},
    STR_LIT(""),
    STR_LIT("   "),
    STR_LIT("["),
    STR_LIT("]"),
    STR_LIT("{"),
    STR_LIT("}"),
    STR_LIT("[1,]"),
    STR_LIT("[,1]"),
    STR_LIT("[1 2]"),
    STR_LIT("[1,,2]"),
    STR_LIT("[1}"),
    STR_LIT("{\"a\"}"),
    STR_LIT("{\"a\":}"),
    STR_LIT("{\"a\":1,}"),
    STR_LIT("{a:1}"),
    STR_LIT("{1:1}"),
    STR_LIT("{\"a\":1]"),
    STR_LIT("{\"a\" 1}"),
    STR_LIT("{,}"),
    STR_LIT("{\"a\":1 \"b\":2}"),
    STR_LIT("{\"a\":1,,\"b\":2}"),
    STR_LIT("[] []"),
    STR_LIT("1 2"),
    STR_LIT("[]x"),
    STR_LIT("tru"),
    STR_LIT("True"),
    STR_LIT("nul"),
    STR_LIT("nan"),
    STR_LIT("-NaN"),
    STR_LIT("+Infinity"),
    STR_LIT("Inf"),
    STR_LIT("[01]"),
    STR_LIT("[+1]"),
    STR_LIT("[.5]"),
    STR_LIT("[1.]"),
    STR_LIT("[1e]"),
    STR_LIT("[0x10]"),
    STR_LIT("[-]"),
    STR_LIT("[1.5.2]"),
    STR_LIT("[1_000]"),
    STR_LIT("'a'"),
    STR_LIT("\"a"),
    STR_LIT("\"a\nb\""),
    STR_LIT("\"\t\""),
    STR_LIT("\"\\x41\""),
    STR_LIT("\"\\u12\""),
    STR_LIT("\"\\u12G4\""),
    STR_LIT("\"\\"),
    STR_LIT("\"\\\""),
    STR_LIT("\"\\uD800\""),
    STR_LIT("\"\\uDC00\""),
    STR_LIT("\"\\uD800\\u0041\""),
    STR_LIT("\"\\uD800x\""),
    STR_LIT("\"\\uDC00\\uD800\""),
    STR_LIT("\"\xFF\""),
    STR_LIT("\"\xC0\x80\""),
    STR_LIT("\"\xED\xA0\x80\""),
    STR_LIT("\"\xF4\x90\x80\x80\""),
    STR_LIT("\"\xC3\""),
    STR_LIT("\"\xE2\x82\""),
    STR_LIT("\"abcdefgh\x01\""),
    STR_LIT("\"abcdefg\xFFh\""),
    STR_LIT("\xEF\xBB\xBF[]"),
    STR_LIT("/**/[]"),
    STR_LIT("[1]//"),
    STR_LIT("\v[]"),
    STR_LIT("\xC2\xA0[]"),
    STR_LIT("[1,\f2]"),
    STR_LIT("\"\0\""),
    STR_LIT("[1\0]"),
};

static void json__refuses_what_rfc_8259_forbids(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(FORBIDDEN) / sizeof(FORBIDDEN[0]); i++) {
        struct fault f = {0};
        if (read_all(FORBIDDEN[i], &LIMITS, &f) != ERR_INPUT)
            fail_msg("case %zu was taken: %.*s", i, STR_ARG(FORBIDDEN[i]));
        assert_non_null(strstr(f.text, "JSON at byte "));
    }
}

static void json__says_where_the_error_is(void **state)
{
    (void)state;
    struct fault f = {0};
    assert_int_equal(read_all(STR("{\"ab\": [1, x]}"), &LIMITS, &f), ERR_INPUT);
    assert_string_equal(f.text, "JSON at byte 11: want a value");
}

static void json__holds_its_limits(void **state)
{
    (void)state;
    struct json_limits limits = {.depth = 3, .number = 5};
    struct fault f = {0};
    assert_int_equal(read_all(STR("[[[[]]]]"), &limits, &f), ERR_INPUT);
    assert_int_equal(read_all(STR("[[{\"a\":[]}]]"), &limits, NULL), ERR_INPUT);
    assert_int_equal(read_all(STR("123456"), &limits, NULL), ERR_INPUT);
    assert_int_equal(read_all(STR("NaN"), &limits, NULL), ERR_INPUT);
    assert_int_equal(read_all(STR("[[[]],[[1]]]"), &limits, NULL), OK);
    assert_int_equal(read_all(STR("12345"), &limits, NULL), OK);

    char deep[130];
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    assert_int_equal(read_all((str){deep, 130}, &LIMITS, NULL), ERR_INPUT);
    assert_int_equal(read_all((str){deep + 1, 128}, &LIMITS, NULL), OK);
}

static void json__gives_tokens_in_order(void **state)
{
    (void)state;
    static const enum json_kind want[] = {
        JSON_OBJECT, JSON_KEY,       JSON_ARRAY,      JSON_NUMBER,     JSON_STRING,
        JSON_TRUE,   JSON_FALSE,     JSON_NULL,       JSON_NONFINITE,  JSON_NONFINITE,
        JSON_ARRAY,  JSON_ARRAY_END, JSON_OBJECT,     JSON_OBJECT_END, JSON_ARRAY_END,
        JSON_KEY,    JSON_NUMBER,    JSON_OBJECT_END, JSON_END,        JSON_END,
    };
    const str text = STR(" {\"a\" : [ -1.5e3 ,\"x\\n\", true,false,null,NaN,-Infinity,[],{}],\r\n"
                         "\t\"\\u00e9\":0}  ");
    struct json j = json_over(text, &LIMITS);
    struct json_token t;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(json_next(&j, &t, NULL), OK);
        assert_int_equal(t.kind, want[i]);
        if (i == 3)
            assert_true(str_eq(t.text, STR("-1.5e3")));
        if (i == 4)
            assert_true(t.escaped && str_eq(t.text, STR("x\\n")));
        if (i == 1)
            assert_true(!t.escaped && str_eq(t.text, STR("a")));
    }
}

static void json__resolves_escapes(void **state)
{
    (void)state;
    const str text =
        STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83D\\uDE00\\u0000z\"");
    const str want = STR("\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0z");
    struct json j = json_over(text, &LIMITS);
    struct json_token t;
    struct arena arena;
    str got;
    arena_init(&arena, 4096);
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_int_equal(json_text(&t, 10, &arena, &got, NULL), ERR_INPUT);
    assert_int_equal(json_text(&t, 100, &arena, &got, NULL), OK);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.at, want.at, want.len);
    arena_free(&arena);
    arena_init(&arena, 8);
    struct fault f = {0};
    assert_int_equal(json_text(&t, 100, &arena, &got, &f), ERR_TOO_BIG);
    arena_free(&arena);
}

static void json__skips_a_value_and_checks_it(void **state)
{
    (void)state;
    struct json j = json_over(STR("[{\"a\":[1,{\"b\":[]}]},7]"), &LIMITS);
    struct json_token t;
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_int_equal(json_skip(&j, &t, NULL), OK);
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_true(t.kind == JSON_NUMBER && str_eq(t.text, STR("7")));
    j = json_over(STR("[{\"a\":[1,{\"b\":[}]},7]"), &LIMITS);
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_int_equal(json_next(&j, &t, NULL), OK);
    assert_int_equal(json_skip(&j, &t, NULL), ERR_INPUT);
}

/* Passes over the value of the one member of an object. */
static err pass(str text, str *ret)
{
    struct json j = json_over(text, &LIMITS);
    struct json_token t;

    if (json_next(&j, &t, NULL) != OK || json_next(&j, &t, NULL) != OK)
        return ERR_INTERNAL;
    err e = json_pass(&j, ret, NULL);
    if (e == OK)
        e = json_next(&j, &t, NULL);
    if (e == OK && t.kind != JSON_OBJECT_END)
        return ERR_INTERNAL;
    return e;
}

static void json__passes_over_an_array(void **state)
{
    (void)state;
    str got;
    assert_int_equal(pass(STR("{\"a\":[[1,2],[3]"), &got), ERR_INPUT);
    assert_int_equal(pass(STR("{\"a\":[\"]}"), &got), ERR_INPUT);
    assert_int_equal(pass(STR("{\"a\":[1]]}"), &got), ERR_INPUT);
    assert_int_equal(pass(STR("{\"a\":x}"), &got), ERR_INPUT);
    assert_int_equal(pass(STR("{\"a\": [ 1.25, 2,3,4,5,6,7,8,9,10] }"), &got), OK);
    assert_true(str_eq(got, STR("[ 1.25, 2,3,4,5,6,7,8,9,10]")));
    assert_int_equal(pass(STR("{\"a\":[[1,2,3,4,5],[\"]\\\"]\\\\\",\"Y_y\"]]}"), &got), OK);
    assert_true(str_eq(got, STR("[[1,2,3,4,5],[\"]\\\"]\\\\\",\"Y_y\"]]")));
    assert_int_equal(pass(STR("{\"a\":null}"), &got), OK);
    assert_true(str_eq(got, STR("null")));
    assert_int_equal(pass(STR("{\"a\":{\"b\":[1]}}"), &got), OK);
    assert_true(str_eq(got, STR("{\"b\":[1]}")));
    char deep[300] = "{\"a\":";
    memset(deep + 5, '[', 100);
    memset(deep + 105, ']', 100);
    deep[205] = '}';
    assert_int_equal(pass((str){deep, 206}, &got), ERR_INPUT);
}

/* Byte by byte, for strings without a valid sequence of bytes above 0x7F: the closing quote or
 * NULL.
 */
static const char *slow_end(const char *p, const char *end)
{
    while (p < end && *p != '"') {
        const unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c >= 0x80)
            return NULL;
        if (c == '\\' && (end - p < 2 || !memchr("\"\\/bfnrt", p[1], 8)))
            return NULL;
        p += c == '\\' ? 2 : 1;
    }
    return p < end ? p : NULL;
}

static void json__ends_a_string_where_a_slow_reader_does(void **state)
{
    (void)state;
    static const char SECOND[] = "\"\\ !#[]_aZn\x01\x1F\x7F";
    char text[32];

    for (size_t at = 0; at < 18; at++) {
        for (int first = 0; first < 256; first++) {
            for (size_t i = 0; i < sizeof(SECOND); i++) {
                bool escaped = false;
                const char *why = NULL;
                memset(text, 'a', sizeof(text));
                text[at] = (char)first;
                text[at + 1] = SECOND[i];
                text[20] = '"';
                const char *want = slow_end(text, text + sizeof(text));
                if (json_string_end(text, text + sizeof(text), &escaped, &why) != want)
                    fail_msg("bytes %02x %02x at %zu", (unsigned)first,
                             (unsigned)(unsigned char)SECOND[i], at);
                if (want && escaped != (memchr(text, '\\', (size_t)(want - text)) != NULL))
                    fail_msg("escapes with bytes %02x %02x at %zu", (unsigned)first,
                             (unsigned)(unsigned char)SECOND[i], at);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json__refuses_what_rfc_8259_forbids),
        cmocka_unit_test(json__says_where_the_error_is),
        cmocka_unit_test(json__holds_its_limits),
        cmocka_unit_test(json__gives_tokens_in_order),
        cmocka_unit_test(json__resolves_escapes),
        cmocka_unit_test(json__skips_a_value_and_checks_it),
        cmocka_unit_test(json__passes_over_an_array),
        cmocka_unit_test(json__ends_a_string_where_a_slow_reader_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
