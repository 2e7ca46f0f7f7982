/* UTF-8 against the ranges of RFC 3629, section 4, as a list of its own. */
#include <string.h>

#include "check.h"
#include "base/utf8.h"

static void utf8__refuses_the_classic_false_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "\xFE",
                                      "\xFF",
                                      "\xF0\x9F\x98",
                                      "\xE2\x28\xA1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[40] = "0123456789abcdef";
        memcpy(text + 16, bad[i], strlen(bad[i]));
        assert_int_equal(utf8_len(str_of(bad[i])), 0);
        assert_false(utf8_valid(str_of(text)));
        assert_false(utf8_valid(str_of(bad[i])));
    }
    assert_int_equal(utf8_len(STR("")), 0);
}

static void utf8__reads_back_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char out[4];
        if (point == 0xD800)
            point = 0xE000;
        const unsigned len = utf8_put(out, point);
        assert_int_equal(len, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_len((str){out, len}), len);
        if (len > 1)
            assert_int_equal(utf8_len((str){out, len - 1}), 0);
    }
    char euro[4];
    assert_int_equal(utf8_put(euro, 0x20AC), 3);
    assert_memory_equal(euro, "\xE2\x82\xAC", 3);
}

/* All pairs of bytes: two are valid when both are ASCII, or C2..DF and 80..BF. */
static void utf8_valid__agrees_on_every_pair_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const bool want =
                (a < 0x80 && b < 0x80) || (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
            const char two[] = {(char)a, (char)b};
            assert_int_equal(utf8_valid((str){two, 2}), want);
            for (size_t at = 0; at < 10; at += 3) {
                char text[12];
                memset(text, 'x', sizeof(text));
                memcpy(text + at, two, 2);
                assert_int_equal(utf8_valid((str){text, sizeof(text)}), want);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8__refuses_the_classic_false_forms),
        cmocka_unit_test(utf8__reads_back_every_code_point),
        cmocka_unit_test(utf8_valid__agrees_on_every_pair_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
