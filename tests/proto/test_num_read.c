/* Decimal text to numbers, against exact fractions (tests/data/num_read.tsv, made by
 * scripts/num_vectors.py) and against glibc on random bit patterns. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/half.h"
#include "proto/num_read.h"
#include "proto/num_whole.h"

static struct num scan(const char *text)
{
    struct num n;
    const char *end = num_read_scan(text, text + strlen(text), &n);

    if (end != text + strlen(text))
        fail_msg("\"%.60s\" is no number", text);
    return n;
}

static uint64_t next_random(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static void num_read__refuses_what_json_does_not_allow(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",    "+1",  "01",   "-01", ".5",
                                      "1.",  "1.e5", "1e",  "1e+",  "1e-", "0x1",
                                      "NaN", "inf",  "- 1", "00.5", "e5",  "--1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct num n;
        const char *end = num_read_scan(bad[i], bad[i] + strlen(bad[i]), &n);
        if (end == bad[i] + strlen(bad[i]))
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void num_read__stops_at_the_end_of_the_slice(void **state)
{
    (void)state;
    const char *text = "123456789012345678";
    struct num n;
    for (size_t len = 1; len <= 18; len++) {
        assert_ptr_equal(num_read_scan(text, text + len, &n), text + len);
        assert_int_equal(n.text.len, len);
    }
    assert_null(num_read_scan(text, text, &n));
}

/* Whole numbers of any length, and what may follow them. */
static void num_read__takes_short_and_long_numbers_apart_alike(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t taken;
        uint64_t digits; /* of those that are appended */
        int64_t exp10;
    } TAILS[] = {{"", 0, 0, 0},    {",", 0, 0, 0},    {"]", 0, 0, 0},  {"/:", 0, 0, 0},
                 {".5", 2, 5, -1}, {"e2", 2, 0, 2},   {"E2", 2, 0, 2}, {".5e-3]", 5, 5, -4},
                 {".", 99, 0, 0},  {".e1", 99, 0, 0}, {"e", 99, 0, 0}, {"E+", 99, 0, 0}};
    char text[40];

    for (int len = 1; len <= 17; len++) {
        for (size_t i = 0; i < sizeof(TAILS) / sizeof(TAILS[0]); i++) {
            uint64_t want = strtoull("12345678901234567", NULL, 10);
            struct num n = {0};
            for (int k = len; k < 17; k++)
                want /= 10;
            if (TAILS[i].digits > 0)
                want = want * 10 + TAILS[i].digits;
            const size_t bytes = (size_t)snprintf(text, sizeof(text), "%.*s%s", len,
                                                  "12345678901234567", TAILS[i].text);
            const char *end = num_read_scan(text, text + bytes, &n);
            if (end != (TAILS[i].taken == 99 ? NULL : text + len + TAILS[i].taken))
                fail_msg("\"%s\" ends elsewhere", text);
            if (end && (n.digits != want || n.exp10 != TAILS[i].exp10 || n.negative || n.cut ||
                        n.text.at != text || n.text.at + n.text.len != end))
                fail_msg("\"%s\" was taken apart wrongly", text);
            text[0] = '0';
            end = num_read_scan(text, text + bytes, &n);
            if (len > 1 && end)
                fail_msg("\"%s\" was taken", text);
        }
    }
}

static void check_bits(const char *text, const char *name, const char *want, uint64_t bits,
                       enum num_state got)
{
    char seen[32];

    (void)snprintf(seen, sizeof(seen), "%" PRIx64, bits);
    if (got != NUM_OK)
        (void)strcpy(seen, "range");
    if (strcmp(seen, want) != 0)
        fail_msg("%.80s as %s: %s, want %s", text, name, seen, want);
}

static void num_read__agrees_with_exact_fractions(void **state)
{
    (void)state;
    char line[4096];
    int rows = 0;
    FILE *file = fopen("tests/data/num_read.tsv", "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *save = NULL, *field[5];
        if (line[0] == '#')
            continue;
        for (int i = 0; i < 5; i++) {
            field[i] = strtok_r(i ? NULL : line, "\t\n", &save);
            assert_non_null(field[i]);
        }
        const struct num n = scan(field[0]);
        double d = 0;
        float s = 0;
        uint16_t h = 0, b = 0;
        uint64_t d_bits;
        uint32_t s_bits;
        const enum num_state d_state = num_read_f64(&n, &d), s_state = num_read_f32(&n, &s);
        memcpy(&d_bits, &d, sizeof(d));
        memcpy(&s_bits, &s, sizeof(s));
        check_bits(field[0], "FP64", field[1], d_bits, d_state);
        check_bits(field[0], "FP32", field[2], s_bits, s_state);
        const enum num_state h_state = num_read_f16(&n, &h), b_state = num_read_bf16(&n, &b);
        check_bits(field[0], "FP16", field[3], h, h_state);
        check_bits(field[0], "BF16", field[4], b, b_state);
        rows++;
    }
    (void)fclose(file);
    assert_true(rows > 800);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* One text, both formats, against glibc. */
static void compare(const char *text)
{
    const struct num n = scan(text);
    const double want = strtod(text, NULL);
    const double want_narrow = (double)strtof(text, NULL);
    double d = 0;
    float s = 0;

    if (num_read_f64(&n, &d) == NUM_OK ? bits_of(d) != bits_of(want) : !isinf(want))
        fail_msg("%s: %.17g, want %.17g", text, d, want);
    if (num_read_f32(&n, &s) == NUM_OK ? bits_of((double)s) != bits_of(want_narrow)
                                       : !isinf(want_narrow))
        fail_msg("%s: %.9g, want %.9g", text, (double)s, want_narrow);
}

static void num_read__agrees_with_strtod_on_random_patterns(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    char text[64];
    for (int i = 0; i < 500000; i++) {
        uint64_t bits = next_random(&seed);
        double d;
        float s;
        if (i % 8 == 0)
            bits &= ~(UINT64_C(2046) << 52); /* subnormals and the smallest */
        memcpy(&d, &bits, sizeof(d));
        if (isfinite(d)) {
            (void)snprintf(text, sizeof(text), "%.*e", (int)(next_random(&seed) % 20), d);
            compare(text);
        }
        uint32_t narrow = (uint32_t)(bits >> 16);
        if (i % 8 == 1)
            narrow &= ~(UINT32_C(254) << 23);
        memcpy(&s, &narrow, sizeof(s));
        if (isfinite(s)) {
            (void)snprintf(text, sizeof(text), "%.*g", (int)(next_random(&seed) % 12 + 1),
                           (double)s);
            compare(text);
        }
    }
}

/* Halfway between two floats is a double: its 17 digits, and its exact ones, are the hardest input.
 */
static void num_read__agrees_with_strtof_between_two_floats(void **state)
{
    (void)state;
    uint64_t seed = 1181783497276652981u;
    char text[256];
    for (int i = 0; i < 200000; i++) {
        uint32_t narrow = (uint32_t)next_random(&seed) & 0x7F7FFFFFu;
        float s;
        memcpy(&s, &narrow, sizeof(s));
        const double middle = ((double)s + (double)nextafterf(s, INFINITY)) / 2;
        if (!isfinite(middle))
            continue;
        (void)snprintf(text, sizeof(text), "%.17g", middle);
        compare(text);
        (void)snprintf(text, sizeof(text), "%.120g", middle);
        compare(text);
    }
}

static void num_read__reads_every_half_back(void **state)
{
    (void)state;
    char text[64];
    for (uint32_t bits = 0; bits < 65536; bits++) {
        uint16_t got = 0;
        if ((bits >> 10 & 31) != 31) {
            (void)snprintf(text, sizeof(text), "%.12g", (double)half_of_f16((uint16_t)bits));
            struct num n = scan(text);
            assert_int_equal(num_read_f16(&n, &got), NUM_OK);
            assert_int_equal(got, bits);
        }
        if ((bits >> 7 & 255) != 255) {
            (void)snprintf(text, sizeof(text), "%.9g", (double)half_of_bf16((uint16_t)bits));
            struct num n = scan(text);
            assert_int_equal(num_read_bf16(&n, &got), NUM_OK);
            assert_int_equal(got, bits);
        }
    }
}

static void check_unsigned(const char *text, uint64_t max, enum num_state want, uint64_t value)
{
    uint64_t got = 7777;
    const struct num n = scan(text);

    if (num_whole_unsigned(&n, max, &got) != want || got != (want == NUM_OK ? value : 7777))
        fail_msg("\"%.60s\" gives %" PRIu64, text, got);
}

static void check_signed(const char *text, int64_t min, int64_t max, enum num_state want,
                         int64_t value)
{
    int64_t got = 7777;
    const struct num n = scan(text);

    if (num_whole_signed(&n, min, max, &got) != want || got != (want == NUM_OK ? value : 7777))
        fail_msg("\"%.60s\" gives %" PRId64, text, got);
}

static void num_read__reads_integers_exactly(void **state)
{
    (void)state;
    check_unsigned("256", 255, NUM_RANGE, 0);
    check_unsigned("-1", 255, NUM_RANGE, 0);
    check_unsigned("1.5", 255, NUM_FRACTION, 0);
    check_unsigned("1e-1", 255, NUM_FRACTION, 0);
    check_unsigned("25.50e0", 255, NUM_FRACTION, 0);
    check_unsigned("18446744073709551616", UINT64_MAX, NUM_RANGE, 0);
    check_unsigned("18446744073709551615.1", UINT64_MAX, NUM_FRACTION, 0);
    check_unsigned("1e20", UINT64_MAX, NUM_RANGE, 0);
    check_unsigned("1e999999999999999999999999", UINT64_MAX, NUM_RANGE, 0);
    check_unsigned("1e-999999999999999999999999", UINT64_MAX, NUM_FRACTION, 0);
    check_unsigned("0.00000000000000000000000000000000001", UINT64_MAX, NUM_FRACTION, 0);
    check_unsigned("255", 255, NUM_OK, 255);
    check_unsigned("-0", 255, NUM_OK, 0);
    check_unsigned("-0.0e7", 255, NUM_OK, 0);
    check_unsigned("0e99999999999", 255, NUM_OK, 0);
    check_unsigned("3.0", 255, NUM_OK, 3);
    check_unsigned("1e2", 255, NUM_OK, 100);
    check_unsigned("2.55E+2", 255, NUM_OK, 255);
    check_unsigned("25500e-2", 255, NUM_OK, 255);
    check_unsigned("18446744073709551615", UINT64_MAX, NUM_OK, UINT64_MAX);
    check_unsigned("18446744073709551615.000", UINT64_MAX, NUM_OK, UINT64_MAX);
    check_unsigned("1844674407370955161500000000e-8", UINT64_MAX, NUM_OK, UINT64_MAX);
    check_unsigned("0.000000000000000000000018446744073709551615e42", UINT64_MAX, NUM_OK,
                   UINT64_MAX);
    check_unsigned("9007199254740993", UINT64_MAX, NUM_OK, UINT64_C(9007199254740993));
    check_unsigned("12345678901234567890", UINT64_MAX, NUM_OK, UINT64_C(12345678901234567890));
    check_signed("-129", -128, 127, NUM_RANGE, 0);
    check_signed("128", -128, 127, NUM_RANGE, 0);
    check_signed("-9223372036854775809", INT64_MIN, INT64_MAX, NUM_RANGE, 0);
    check_signed("9223372036854775808", INT64_MIN, INT64_MAX, NUM_RANGE, 0);
    check_signed("-128", -128, 127, NUM_OK, -128);
    check_signed("-1.28e2", -128, 127, NUM_OK, -128);
    check_signed("-9223372036854775808", INT64_MIN, INT64_MAX, NUM_OK, INT64_MIN);
    check_signed("9223372036854775807", INT64_MIN, INT64_MAX, NUM_OK, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(num_read__refuses_what_json_does_not_allow),
        cmocka_unit_test(num_read__stops_at_the_end_of_the_slice),
        cmocka_unit_test(num_read__takes_short_and_long_numbers_apart_alike),
        cmocka_unit_test(num_read__agrees_with_exact_fractions),
        cmocka_unit_test(num_read__agrees_with_strtod_on_random_patterns),
        cmocka_unit_test(num_read__agrees_with_strtof_between_two_floats),
        cmocka_unit_test(num_read__reads_every_half_back),
        cmocka_unit_test(num_read__reads_integers_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
