/* The first cause wins, on one printable line. */
#include <string.h>

#include "check.h"
#include "base/fault.h"

static void fault__keeps_the_first_cause(void **state)
{
    (void)state;
    struct fault f = {0};
    assert_int_equal(fail(&f, ERR_INPUT, "first %d", 1), ERR_INPUT);
    assert_int_equal(fail(&f, ERR_BUSY, "second"), ERR_BUSY);
    assert_int_equal(f.code, ERR_INPUT);
    assert_int_equal(f.pair, PAIR_CLIENT_ERROR_INPUT);
    assert_string_equal(f.text, "first 1");
    assert_int_equal(fail(NULL, ERR_BUSY, "nobody reads"), ERR_BUSY);
}

static void fault__has_no_control_characters_and_no_half_sequence(void **state)
{
    (void)state;
    struct fault f = {0};
    char text[400];
    assert_int_equal(fail(&f, ERR_INPUT, "a\nb\x1B[2J\x7F"), ERR_INPUT);
    assert_string_equal(f.text, "a?b?[2J?");
    memset(text, 'a', sizeof(text));
    memcpy(text + FAULT_TEXT_BYTES - 3, "\xE2\x82\xAC", 3); /* cut behind its second byte */
    f = (struct fault){0};
    assert_int_equal(fail(&f, ERR_INPUT, "%.*s", (int)sizeof(text), text), ERR_INPUT);
    assert_int_equal(strlen(f.text), FAULT_TEXT_BYTES - 3);
}

static void fault__takes_code_from_pair_and_pair_from_code(void **state)
{
    (void)state;
    struct fault f = {0};
    assert_int_equal(fail_pair(&f, PAIR_REJECTED_CANNOT_FINISH, "late"), ERR_BUSY);
    assert_int_equal(f.pair, PAIR_REJECTED_CANNOT_FINISH);
    assert_string_equal(pair_outcome(f.pair), "rejected");
    assert_string_equal(pair_reason(f.pair), "cannot_finish");
    f = (struct fault){0};
    assert_int_equal(fail(&f, ERR_BUSY, "full"), ERR_BUSY);
    assert_int_equal(f.pair, PAIR_REJECTED_QUEUE_FULL);
    for (int p = 0; p < PAIR_COUNT; p++) {
        const err e = pair_err((enum pair)p);
        assert_int_equal(pair_err(pair_of_err(e)), e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fault__keeps_the_first_cause),
        cmocka_unit_test(fault__has_no_control_characters_and_no_half_sequence),
        cmocka_unit_test(fault__takes_code_from_pair_and_pair_from_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
