/* The table of units, value by value, and the bounds of every row of config.def. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "control/config.h"
#include "control/config_value.h"
#include "control/quantity.h"

struct unit_case {
    enum config_type type;
    const char *text;
    bool parses;
    uint64_t value;
    uint64_t period_ns;
};

static const struct unit_case cases[] = {
    {CONFIG_BOOL, "yes", false, 0, 0},
    {CONFIG_BOOL, "on", false, 0, 0},
    {CONFIG_BOOL, "True", false, 0, 0},
    {CONFIG_BOOL, "1", false, 0, 0},
    {CONFIG_BOOL, "", false, 0, 0},
    {CONFIG_BOOL, "true", true, 1, 0},
    {CONFIG_BOOL, "false", true, 0, 0},
    {CONFIG_INT, "1_000", false, 0, 0},
    {CONFIG_INT, "1e3", false, 0, 0},
    {CONFIG_INT, "0x10", false, 0, 0},
    {CONFIG_INT, "+1", false, 0, 0},
    {CONFIG_INT, "-1", false, 0, 0},
    {CONFIG_INT, "01", false, 0, 0},
    {CONFIG_INT, "1 ", false, 0, 0},
    {CONFIG_INT, "", false, 0, 0},
    {CONFIG_INT, "18446744073709551616", false, 0, 0},
    {CONFIG_INT, "18446744073709551615", true, UINT64_MAX, 0},
    {CONFIG_INT, "0", true, 0, 0},
    {CONFIG_SIZE, "64MB", false, 0, 0},
    {CONFIG_SIZE, "64M", false, 0, 0},
    {CONFIG_SIZE, "64Mi", false, 0, 0},
    {CONFIG_SIZE, "1.5GiB", false, 0, 0},
    {CONFIG_SIZE, "67108864", false, 0, 0},
    {CONFIG_SIZE, "0", false, 0, 0},
    {CONFIG_SIZE, "64 MiB", false, 0, 0},
    {CONFIG_SIZE, "64mib", false, 0, 0},
    {CONFIG_SIZE, "MiB", false, 0, 0},
    {CONFIG_SIZE, "16777216TiB", false, 0, 0},
    {CONFIG_SIZE, "16777215TiB", true, 18446742974197923840ull, 0},
    {CONFIG_SIZE, "0B", true, 0, 0},
    {CONFIG_SIZE, "3KiB", true, 3072, 0},
    {CONFIG_SIZE, "64MiB", true, 67108864, 0},
    {CONFIG_SIZE, "2GiB", true, 2147483648, 0},
    {CONFIG_BYTE_RATE, "1KiB", false, 0, 0},
    {CONFIG_BYTE_RATE, "/s", false, 0, 0},
    {CONFIG_BYTE_RATE, "1KiB/m", false, 0, 0},
    {CONFIG_BYTE_RATE, "1KiB/s", true, 1024, 0},
    {CONFIG_DURATION, "30", false, 0, 0},
    {CONFIG_DURATION, "30sec", false, 0, 0},
    {CONFIG_DURATION, "0.5s", false, 0, 0},
    {CONFIG_DURATION, "1h30m", false, 0, 0},
    {CONFIG_DURATION, "30S", false, 0, 0},
    {CONFIG_DURATION, "213504d", false, 0, 0},
    {CONFIG_DURATION, "0us", true, 0, 0},
    {CONFIG_DURATION, "7us", true, 7000, 0},
    {CONFIG_DURATION, "15ms", true, 15000000, 0},
    {CONFIG_DURATION, "90m", true, 5400000000000, 0},
    {CONFIG_DURATION, "2h", true, 7200000000000, 0},
    {CONFIG_DURATION, "1d", true, 86400000000000, 0},
    {CONFIG_RATE, "20", false, 0, 0},
    {CONFIG_RATE, "20/min", false, 0, 0},
    {CONFIG_RATE, "20/", false, 0, 0},
    {CONFIG_RATE, "20/0s", false, 0, 0},
    {CONFIG_RATE, "20/u", false, 0, 0},
    {CONFIG_RATE, "/s", false, 0, 0},
    {CONFIG_RATE, "20/m", true, 20, 60000000000},
    {CONFIG_RATE, "5/60s", true, 5, 60000000000},
    {CONFIG_RATE, "0/d", true, 0, 86400000000000},
    {CONFIG_RATIO, ".05", false, 0, 0},
    {CONFIG_RATIO, "5 %", false, 0, 0},
    {CONFIG_RATIO, "5.", false, 0, 0},
    {CONFIG_RATIO, "5e-2", false, 0, 0},
    {CONFIG_RATIO, "0.1234567", false, 0, 0},
    {CONFIG_RATIO, "%", false, 0, 0},
    {CONFIG_RATIO, "0.05", true, 5000000, 0},
    {CONFIG_RATIO, "5%", true, 5000000, 0},
    {CONFIG_RATIO, "0.123456", true, 12345600, 0},
    {CONFIG_RATIO, "0.000001%", true, 1, 0},
    {CONFIG_RATIO, "100%", true, 100000000, 0},
    {CONFIG_RATIO, "1", true, 100000000, 0},
};

static void quantity__reads_what_the_table_of_units_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct quantity q = {.value = 77, .period_ns = 78};
        const bool parses = quantity_read(cases[i].type, str_of(cases[i].text), &q);
        if (parses != cases[i].parses)
            print_message("%s: \"%s\"\n", config_type_name(cases[i].type), cases[i].text);
        assert_int_equal(parses, cases[i].parses);
        assert_int_equal(q.value, parses ? cases[i].value : 77);
        assert_int_equal(q.period_ns, parses ? cases[i].period_ns : 78);
    }
}

static void quantity__compares_rates_as_fractions(void **state)
{
    (void)state;
    struct quantity hour;
    struct quantity day;
    struct quantity more;
    assert_true(quantity_read(CONFIG_RATE, STR("1/h"), &hour));
    assert_true(quantity_read(CONFIG_RATE, STR("24/d"), &day));
    assert_true(quantity_read(CONFIG_RATE, STR("25/d"), &more));
    assert_false(quantity_less(&hour, &day));
    assert_false(quantity_less(&day, &hour));
    assert_true(quantity_less(&hour, &more));
    assert_false(quantity_less(&more, &hour));
}

/* Room for any scope; the fields before and behind a row must stay as they are. */
union base {
    struct config config;
    struct config_model model;
};

static err set(const struct config_row *row, struct yaml_tree *n, union base *base, char *why)
{
    struct arena arena;
    const struct yaml_tree *spot;
    arena_init(&arena, 1 << 20);
    const struct config_taking how = {.arena = &arena};
    const err code = config_value_set(row, n, &how, base, why, &spot);
    arena_free(&arena);
    return code;
}

/* "16" for "15..", or the text after it in its unit: the number in front, one more or less. */
static bool neighbour(str bound, bool above, char out[64])
{
    unsigned long long number = 0;
    size_t digits = 0;
    while (digits < bound.len && bound.at[digits] >= '0' && bound.at[digits] <= '9')
        number = number * 10 + (unsigned)(bound.at[digits++] - '0');
    if (!above && number == 0)
        return false;
    (void)snprintf(out, 64, "%llu%.*s", above ? number + 1 : number - 1,
                   STR_ARG(str_cut(bound, digits, bound.len)));
    return true;
}

static void rows__refuse_beyond_their_bounds_and_take_the_bounds(void **state)
{
    (void)state;
    uint32_t count;
    uint32_t judged = 0;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        const struct config_row *row = &rows[i];
        const char *dots = strstr(row->bounds, "..");
        if (!dots || row->type > CONFIG_RATIO)
            continue;
        const str ends[2] = {{row->bounds, (size_t)(dots - row->bounds)}, str_of(dots + 2)};
        for (unsigned high = 0; high < 2; high++) {
            union base base = {0};
            const union base zero = {0};
            char why[CONFIG_WHY_BYTES];
            char beyond[64];
            struct yaml_tree n = {.kind = YAML_TREE_TEXT, .plain = true};
            if (neighbour(ends[high], high, beyond)) {
                n.text = str_of(beyond);
                assert_int_equal(set(row, &n, &base, why), ERR_INPUT);
                assert_memory_equal(&base, &zero, sizeof(base));
                assert_non_null(strstr(why, row->bounds));
            }
            n.text = ends[high];
            assert_int_equal(set(row, &n, &base, why), OK);
            judged++;
        }
    }
    assert_true(judged > 80);
}

static void rows__refuse_texts_of_another_length(void **state)
{
    (void)state;
    uint32_t count;
    uint32_t judged = 0;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].type != CONFIG_TEXT)
            continue;
        unsigned most = 0;
        assert_int_equal(sscanf(rows[i].bounds, "1..%u", &most), 1);
        char text[1100];
        char why[CONFIG_WHY_BYTES];
        union base base = {0};
        memset(text, 'a', sizeof(text));
        struct yaml_tree n = {.kind = YAML_TREE_TEXT, .text = {text, most + 1}};
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
        n.text.len = 0;
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
        n.text.len = most;
        assert_int_equal(set(&rows[i], &n, &base, why), OK);
        text[1] = '\x7f';
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
        judged++;
    }
    assert_true(judged >= 4);
}

static void rows__refuse_unknown_words_and_take_each_of_theirs(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].type != CONFIG_ENUM)
            continue;
        char why[CONFIG_WHY_BYTES];
        union base base = {0};
        struct yaml_tree n = {.kind = YAML_TREE_TEXT, .text = STR("nothing")};
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
        assert_non_null(strstr(why, rows[i].bounds));
        str rest = str_of(rows[i].bounds);
        for (uint32_t k = 0; rest.len; k++) {
            uint32_t number;
            n.text = config_word_next(&rest);
            assert_int_equal(set(&rows[i], &n, &base, why), OK);
            memcpy(&number, (char *)&base + rows[i].offset, sizeof(number));
            assert_int_equal(number, k);
        }
    }
}

static void rows__refuse_maps_and_lists_where_a_value_is_due(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        char why[CONFIG_WHY_BYTES];
        union base base = {0};
        const bool list = rows[i].type == CONFIG_ADDRESSES || rows[i].type == CONFIG_ENUMS;
        struct yaml_tree n = {.kind = YAML_TREE_MAP};
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
        n = (struct yaml_tree){.kind = list ? YAML_TREE_TEXT : YAML_TREE_LIST, .text = STR("app")};
        assert_int_equal(set(&rows[i], &n, &base, why), ERR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantity__reads_what_the_table_of_units_says),
        cmocka_unit_test(quantity__compares_rates_as_fractions),
        cmocka_unit_test(rows__refuse_beyond_their_bounds_and_take_the_bounds),
        cmocka_unit_test(rows__refuse_texts_of_another_length),
        cmocka_unit_test(rows__refuse_unknown_words_and_take_each_of_theirs),
        cmocka_unit_test(rows__refuse_maps_and_lists_where_a_value_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
