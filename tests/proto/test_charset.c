/* Runs of a set's characters against a plain loop over the set as a string. */
#include <string.h>

#include "check.h"
#include "proto/charset.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Letters, "%-./" and digits, of which '-' to '9' is the range. */
static const struct charset set = CHARSET(0x03FFE02000000000u, 0x07FFFFFE07FFFFFEu, '-', '9');
static const char members[] = LETTERS "%-./0123456789";

static size_t run_by_loop(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] == '\0' || !strchr(members, at[i]))
            return i;
    }
    return len;
}

static void charset_run__stops_at_every_byte_that_is_no_member(void **state)
{
    (void)state;
    char text[27];
    for (size_t len = 1; len <= sizeof(text); len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, "a-Z%"[at % 4], sizeof(text));
                text[at] = (char)c;
                assert_int_equal(charset_run(&set, (str){text, len}), run_by_loop(text, len));
            }
        }
    }
}

/* What one byte does to the sums must not reach the next one. */
static void charset_run__judges_every_pair_of_neighbours(void **state)
{
    (void)state;
    char text[] = "zzz..zzz";
    for (int c = 0; c < 65536; c++) {
        text[3] = (char)(c & 0xFF);
        text[4] = (char)(c >> 8);
        assert_int_equal(charset_run(&set, (str){text, 8}), run_by_loop(text, 8));
    }
}

static void charset_run__reads_nothing_of_an_empty_slice(void **state)
{
    (void)state;
    assert_int_equal(charset_run(&set, (str){NULL, 0}), 0);
    assert_true(charset_all(&set, (str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charset_run__stops_at_every_byte_that_is_no_member),
        cmocka_unit_test(charset_run__judges_every_pair_of_neighbours),
        cmocka_unit_test(charset_run__reads_nothing_of_an_empty_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
