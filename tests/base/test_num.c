/* Whole numbers: strict reading, and writing against printf. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "base/num.h"

static void num_u64__refuses_what_is_no_plain_number(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-1", "+1", " 1", "1 ",  "01",   "00",
                                      "0x", "1a", "a1", "1.", "1e1", "1,000"};
    uint64_t v = 77;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fault f = {0};
        assert_int_equal(num_u64(str_of(bad[i]), 1000, &v, &f), ERR_INPUT);
        assert_int_equal(f.code, ERR_INPUT);
    }
    assert_int_equal(num_u64((str){"1\0", 2}, 1000, &v, NULL), ERR_INPUT);
    assert_int_equal(v, 77);
}

static void num_u64__refuses_more_than_its_maximum(void **state)
{
    (void)state;
    uint64_t v = 77;
    assert_int_equal(num_u64(STR("1001"), 1000, &v, NULL), ERR_TOO_BIG);
    assert_int_equal(num_u64(STR("18446744073709551616"), UINT64_MAX, &v, NULL), ERR_TOO_BIG);
    assert_int_equal(num_u64(STR("18446744073709551620"), UINT64_MAX, &v, NULL), ERR_TOO_BIG);
    assert_int_equal(num_u64(STR("99999999999999999999999"), UINT64_MAX, &v, NULL), ERR_TOO_BIG);
    assert_int_equal(num_u64(STR("1"), 0, &v, NULL), ERR_TOO_BIG);
    assert_int_equal(v, 77);
    assert_int_equal(num_u64(STR("1000"), 1000, &v, NULL), OK);
    assert_int_equal(v, 1000);
    assert_int_equal(num_u64(STR("18446744073709551615"), UINT64_MAX, &v, NULL), OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(num_u64(STR("0"), 0, &v, NULL), OK);
    assert_int_equal(v, 0);
}

static void is_put_as_printf_does(uint64_t n)
{
    char want[32], got[32] = {0};
    const int len = snprintf(want, sizeof(want), "%" PRIu64, n);
    assert_int_equal(num_digits(n), len);
    assert_int_equal(num_put_u64(got, n), len);
    assert_string_equal(got, want);
    (void)snprintf(want, sizeof(want), "%021" PRIu64, n);
    num_put_digits(got, n, 21);
    assert_string_equal(got, want);
}

static void num_put__writes_what_printf_does(void **state)
{
    (void)state;
    uint64_t v = 1;
    for (unsigned i = 0; i < 500; i++) {
        is_put_as_printf_does(i < 64 ? (1ull << i) - (i & 1u) : v >> (i % 64));
        v = v * 6364136223846793005u + 1442695040888963407u;
    }
    for (uint64_t power = 10; power < UINT64_MAX / 10; power *= 10) {
        is_put_as_printf_does(power - 1);
        is_put_as_printf_does(power);
    }
}

static void num_put_hex__writes_every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= 9; n++) {
        for (unsigned v = 0; v < 256; v++) {
            uint8_t bytes[9];
            char want[20] = "", got[20] = {0};
            for (unsigned i = 0; i < n; i++) {
                bytes[i] = (uint8_t)(v + 37 * i);
                (void)snprintf(want + 2 * i, 3, "%02x", bytes[i]);
            }
            num_put_hex(got, bytes, n);
            assert_string_equal(got, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(num_u64__refuses_what_is_no_plain_number),
        cmocka_unit_test(num_u64__refuses_more_than_its_maximum),
        cmocka_unit_test(num_put__writes_what_printf_does),
        cmocka_unit_test(num_put_hex__writes_every_byte_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
