/* Numbers to the shortest decimal text, against Python's repr (tests/data/num_write.tsv, made by
 * scripts/num_vectors.py) and against glibc on random bit patterns. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/half.h"
#include "proto/num_write.h"

static uint64_t next_random(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static int digits_of(const char *text) /* significant ones */
{
    int n = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void num_write__agrees_with_repr(void **state)
{
    (void)state;
    char line[256], seen[NUM_WRITE_BYTES + 1];
    int rows = 0;
    FILE *file = fopen("tests/data/num_write.tsv", "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char format[8], want[64];
        char hex[32];
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%7s %31s %63s", format, hex, want), 3);
        const uint64_t bits = strtoull(hex, NULL, 16);
        if (strcmp(format, "f64") == 0) {
            double d;
            memcpy(&d, &bits, sizeof(d));
            seen[num_write_f64(seen, d)] = 0;
        } else {
            const uint32_t narrow = (uint32_t)bits;
            float s;
            memcpy(&s, &narrow, sizeof(s));
            seen[num_write_f32(seen, s)] = 0;
        }
        assert_string_equal(seen, want);
        rows++;
    }
    (void)fclose(file);
    assert_true(rows > 1200);
}

/* It reads back, one digit less would not (nearest text of that length), and none is nearer. */
static void check_double(double d)
{
    char seen[NUM_WRITE_BYTES + 1], shorter[64];

    seen[num_write_f64(seen, d)] = 0;
    const double back = strtod(seen, NULL);
    if (back != d || signbit(back) != signbit(d))
        fail_msg("%.17g is written %s", d, seen);
    const int n = digits_of(seen);
    if (n > 1) {
        (void)snprintf(shorter, sizeof(shorter), "%.*e", n - 2, d);
        if (strtod(shorter, NULL) == d)
            fail_msg("%s would do for %s", shorter, seen);
    }
    (void)snprintf(shorter, sizeof(shorter), "%.*e", n ? n - 1 : 0, d);
    if (strtod(shorter, NULL) == d && fabsl(strtold(shorter, NULL) - (long double)d) <
                                          fabsl(strtold(seen, NULL) - (long double)d))
        fail_msg("%s is nearer than %s", shorter, seen);
}

static void check_float(float s)
{
    char seen[NUM_WRITE_BYTES + 1], shorter[64];

    seen[num_write_f32(seen, s)] = 0;
    const float back = strtof(seen, NULL);
    if (back != s || signbit(back) != signbit(s))
        fail_msg("%.9g is written %s", (double)s, seen);
    const int n = digits_of(seen);
    if (n > 1) {
        (void)snprintf(shorter, sizeof(shorter), "%.*e", n - 2, (double)s);
        if (strtof(shorter, NULL) == s)
            fail_msg("%s would do for %s", shorter, seen);
    }
    (void)snprintf(shorter, sizeof(shorter), "%.*e", n ? n - 1 : 0, (double)s);
    if (strtof(shorter, NULL) == s && fabs(strtod(shorter, NULL) - (double)s) > 0 &&
        fabsl(strtold(shorter, NULL) - (long double)s) <
            fabsl(strtold(seen, NULL) - (long double)s))
        fail_msg("%s is nearer than %s", shorter, seen);
}

static void num_write__is_shortest_on_random_patterns(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 600000; i++) {
        uint64_t bits = next_random(&seed);
        double d;
        float s;
        uint32_t narrow = (uint32_t)(bits >> 20);
        if (i % 8 == 0) { /* subnormals and the smallest; powers of two */
            bits &= ~(UINT64_C(2046) << 52);
            narrow &= ~(UINT32_C(254) << 23);
        } else if (i % 8 == 1) {
            bits &= UINT64_C(4095) << 52;
            narrow &= UINT32_C(511) << 23;
        }
        memcpy(&d, &bits, sizeof(d));
        memcpy(&s, &narrow, sizeof(s));
        if (isfinite(d))
            check_double(d);
        if (isfinite(s))
            check_float(s);
    }
}

static void num_write__shows_a_point_or_an_exponent(void **state)
{
    (void)state;
    char seen[NUM_WRITE_BYTES];
    for (int i = -70000; i < 70000; i += 7) {
        const unsigned n = num_write_f32(seen, (float)i);
        assert_true(memchr(seen, '.', n) || memchr(seen, 'e', n));
    }
    for (uint32_t bits = 0; bits < 65536; bits++) {
        if ((bits >> 10 & 31) != 31)
            check_float(half_of_f16((uint16_t)bits));
    }
}

static void num_write__writes_integers(void **state)
{
    (void)state;
    char seen[NUM_WRITE_BYTES + 1], want[32];
    uint64_t seed = 2463534242u;
    for (int i = 0; i < 20000; i++) {
        const uint64_t v = i == 0 ? 0 : i == 1 ? UINT64_MAX : next_random(&seed) >> i % 64;
        seen[num_write_u64(seen, v)] = 0;
        (void)snprintf(want, sizeof(want), "%" PRIu64, v);
        assert_string_equal(seen, want);
        const int64_t w = i == 2 ? INT64_MIN : (int64_t)v;
        seen[num_write_i64(seen, w)] = 0;
        (void)snprintf(want, sizeof(want), "%" PRId64, w);
        assert_string_equal(seen, want);
    }
    for (uint64_t power = 1; power < 10000000000000000000u; power *= 10) {
        seen[num_write_u64(seen, power)] = 0;
        (void)snprintf(want, sizeof(want), "%" PRIu64, power);
        assert_string_equal(seen, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(num_write__agrees_with_repr),
        cmocka_unit_test(num_write__is_shortest_on_random_patterns),
        cmocka_unit_test(num_write__shows_a_point_or_an_exponent),
        cmocka_unit_test(num_write__writes_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
