/* From metadata and CSV to the body of a request, and from a reply to cells. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cell.h"
#include "cli/csv.h"
#include "cli/model.h"
#include "cli/reply.h"
#include "cli/rows.h"
#include "cli/table.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int arena_open(void **state)
{
    struct arena *a = calloc(1, sizeof(*a));
    if (!a)
        return -1;
    arena_init(a, 64u << 20);
    *state = a;
    return 0;
}

static int arena_close(void **state)
{
    arena_free(*state);
    free(*state);
    return 0;
}

static char *flat(struct chain *c)
{
    char *all = calloc(1, c->len + 1);
    size_t at = 0;
    assert_non_null(all);
    for (uint32_t i = 0; i < c->piece_count; i++) {
        memcpy(all + at, c->pieces[i].iov_base, c->pieces[i].iov_len);
        at += c->pieces[i].iov_len;
    }
    chain_free(c);
    return all;
}

static const char meta[] =
    "{\"name\":\"m\",\"versions\":[\"1\",\"2\"],\"platform\":\"onnxruntime_onnx\",\"properties\":{"
    "\"digest\":\"sha256:0\",\"labels.p\":\"[\\\"no\\\",\\\"y\\\\u00e9s\\\"]\"},\"inputs\":[{"
    "\"name\":\"age\",\"datatype\":\"INT64\",\"shape\":[-1,1]},{\"name\":\"city\",\"datatype\":"
    "\"BYTES\",\"shape\":[-1]}],\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[-1,2]"
    "}],\"later\":[{}]}";

static struct model one_input(enum dtype dtype, int64_t a, int64_t b)
{
    static struct model_tensor t; /* of this test alone */
    t = (struct model_tensor){
        .name = STR("x"), .dtype = dtype, .shape = {.dim = {a, b}, .rank = 2}};
    return (struct model){.inputs = &t, .input_count = 1};
}

static void model__refuses_other_bodies(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"inputs\":[1]}",
        "{\"inputs\":[{\"name\":\"x\"}]}",
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP33\",\"shape\":[1]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-2]}]}",
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1]}]}",
        "{\"properties\":{\"labels.p\":\"{}\"}}",
        "{\"name\":\"m\"",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct model m = {.input_count = 77};
        struct fault f = {0};
        assert_int_equal(model_read(str_of(bad[i]), *state, &m, &f), ERR_INPUT);
        assert_int_equal(m.input_count, 77);
    }
}

static void model__reads_tensors_and_labels(void **state)
{
    struct model m;
    struct fault f = {0};
    assert_int_equal(model_read(STR(meta), *state, &m, &f), OK);
    assert_true(str_eq(m.version, STR("2")));
    assert_int_equal(m.input_count, 2);
    assert_int_equal(m.inputs[0].dtype, DTYPE_INT64);
    assert_int_equal(m.inputs[1].shape.rank, 1);
    assert_int_equal(m.inputs[1].shape.dim[0], -1);
    assert_int_equal(m.outputs[0].label_count, 2);
    assert_true(str_eq(m.outputs[0].labels[1], STR("y\xc3\xa9s")));
}

static void csv__refuses_quotes_out_of_place(void **state)
{
    static const char *const bad[] = {"\"a", "\"a\"b,c", "a\"b", "\"a\"\""};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct csv c = csv_over(str_of(bad[i]));
        const str *cells = NULL;
        uint32_t count = 0;
        uint64_t line = 0;
        struct fault f = {0};
        assert_int_equal(csv_next(&c, *state, &cells, &count, &line, &f), ERR_INPUT);
    }
}

static void csv__reads_as_rfc_4180_has_it(void **state)
{
    struct csv c = csv_over(STR("\xef\xbb\xbf"
                                "a,b\r\n\r\n\"x \"\"y\"\", z\",\"1\n2\"\n,\n\nlast,"));
    static const char *const want[][2] = {
        {"a", "b"}, {"x \"y\", z", "1\n2"}, {"", ""}, {"last", ""}};
    static const uint64_t lines[] = {1, 3, 5, 7};
    const str *cells = NULL;
    uint32_t count = 0;
    uint64_t line = 0;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(csv_next(&c, *state, &cells, &count, &line, NULL), OK);
        assert_non_null(cells);
        assert_int_equal(count, 2);
        assert_int_equal(line, lines[i]);
        assert_true(str_eq(cells[0], str_of(want[i][0])));
        assert_true(str_eq(cells[1], str_of(want[i][1])));
    }
    assert_int_equal(csv_next(&c, *state, &cells, &count, &line, NULL), OK);
    assert_null(cells);
    char out[64];
    assert_int_equal(csv_put(out, STR("a\"b,")), 7);
    assert_memory_equal(out, "\"a\"\"b,\"", 7);
    assert_int_equal(csv_put(out, STR("plain")), 5);
}

static void cell__refuses_what_is_no_value(void **state)
{
    static const struct {
        enum dtype dtype;
        const char *text;
    } bad[] = {
        {DTYPE_FP32, ""},      {DTYPE_FP32, "1.2.3"},
        {DTYPE_FP32, "0x1"},   {DTYPE_FP32, "+1"},
        {DTYPE_FP32, "1e99"},  {DTYPE_FP16, "70000"},
        {DTYPE_UINT8, "256"},  {DTYPE_UINT8, "-1"},
        {DTYPE_INT8, "-129"},  {DTYPE_INT32, "1.5"},
        {DTYPE_INT64, "nan"},  {DTYPE_BOOL, "yes"},
        {DTYPE_BYTES, "\xff"}, {DTYPE_INT64, "9223372036854775808"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct chain c = {0};
        assert_false(cell_json(bad[i].dtype, str_of(bad[i].text), &c));
        assert_false(cell_binary(bad[i].dtype, str_of(bad[i].text), &c));
        assert_int_equal(c.len, 0);
        chain_free(&c);
    }
}

/* Bytes as Python's struct.pack gives them. */
static void cell__writes_little_endian_bytes(void **state)
{
    static const struct {
        enum dtype dtype;
        const char *text;
        const char *bytes;
        size_t len;
    } good[] = {
        {DTYPE_FP32, "0.1", "\xcd\xcc\xcc\x3d", 4},
        {DTYPE_FP64, "-2.5", "\0\0\0\0\0\0\x04\xc0", 8},
        {DTYPE_FP16, "1.5", "\x00\x3e", 2},
        {DTYPE_BF16, "1.5", "\xc0\x3f", 2},
        {DTYPE_FP32, "-inf", "\0\0\x80\xff", 4},
        {DTYPE_FP32, "NaN", "\0\0\xc0\x7f", 4},
        {DTYPE_INT16, "-2", "\xfe\xff", 2},
        {DTYPE_INT64, "-9223372036854775808", "\0\0\0\0\0\0\0\x80", 8},
        {DTYPE_UINT64, "18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff", 8},
        {DTYPE_UINT32, "3.0", "\x03\0\0\0", 4},
        {DTYPE_BOOL, "True", "\x01", 1},
        {DTYPE_BYTES, "h\xc3\xa9", "\x03\0\0\0h\xc3\xa9", 7},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct chain c = {0};
        assert_true(cell_binary(good[i].dtype, str_of(good[i].text), &c));
        assert_int_equal(c.len, good[i].len);
        char *bytes = flat(&c);
        assert_memory_equal(bytes, good[i].bytes, good[i].len);
        free(bytes);
    }
}

static void plan__refuses_columns_that_do_not_fit(void **state)
{
    struct fault f = {0};
    struct rows_plan plan;
    bool named;
    struct model m = one_input(DTYPE_FP32, -1, 3);
    assert_int_equal(rows_plan(&m, NULL, 2, *state, &plan, &f), ERR_INPUT);
    assert_string_equal(f.text, "2 columns for input \"x\"; want 3, a row of it");
    const str mixed[] = {STR("x"), STR("y")};
    f = (struct fault){0};
    assert_int_equal(rows_named(&m, mixed, 2, &named, &f), ERR_INPUT);
    assert_string_equal(f.text, "column \"y\" is no input; want \"x\"");
    m = one_input(DTYPE_FP32, -1, 0);
    assert_int_equal(rows_plan(&m, NULL, 2, *state, &plan, &f), ERR_INPUT);
    struct model two;
    f = (struct fault){0};
    assert_int_equal(model_read(STR(meta), *state, &two, &f), OK);
    assert_int_equal(rows_plan(&two, NULL, 2, *state, &plan, &f), ERR_INPUT);
    assert_string_equal(
        f.text, "the header names no input; want columns of \"age\", \"city\" in the first line");
    const str half[] = {STR("age")};
    f = (struct fault){0};
    assert_int_equal(rows_plan(&two, half, 1, *state, &plan, &f), ERR_INPUT);
    assert_string_equal(f.text, "no column for input \"city\"; want one in the header");
}

static void body__has_an_input_a_named_column(void **state)
{
    struct model m;
    struct rows_plan plan;
    struct fault f = {0};
    struct chain body = {0};
    uint64_t json_len = 0;
    const str names[] = {STR("city"), STR(" age ")};
    const str first[] = {STR("Bonn"), STR("7")};
    const str second[] = {STR("a\"b"), STR("8")};
    const str *const cells[] = {first, second};
    const uint64_t lines[] = {2, 3};
    assert_int_equal(model_read(STR(meta), *state, &m, &f), OK);
    assert_int_equal(rows_plan(&m, names, 2, *state, &plan, &f), OK);
    assert_true(plan.stacked);
    assert_int_equal(
        rows_body(&plan, &(struct rows_batch){cells, lines, 2, false}, &body, &json_len, &f), OK);
    char *text = flat(&body);
    assert_string_equal(text,
                        "{\"inputs\":[{\"name\":\"age\",\"datatype\":\"INT64\",\"shape\":[2,1],"
                        "\"data\":[7,8]},{\"name\":\"city\",\"datatype\":\"BYTES\",\"shape\":[2],"
                        "\"data\":[\"Bonn\",\"a\\\"b\"]}]}");
    assert_int_equal(json_len, strlen(text));
    free(text);

    const str bad[] = {STR("Bonn"), STR("old")};
    const str *const broken[] = {first, bad};
    body = (struct chain){0};
    assert_int_equal(
        rows_body(&plan, &(struct rows_batch){broken, lines, 2, false}, &body, &json_len, &f),
        ERR_INPUT);
    assert_string_equal(f.text, "line 3, column 2 is \"old\"; want INT64 for input \"age\"");
    chain_free(&body);
}

static void body__solves_a_free_dimension(void **state)
{
    struct model m = one_input(DTYPE_FP32, 2, -1);
    struct rows_plan plan;
    struct fault f = {0};
    struct chain body = {0};
    uint64_t json_len = 0;
    const str cells[] = {STR("1"), STR("nan"), STR("-Inf"), STR("4.5")};
    const str *const rows[] = {cells};
    const uint64_t lines[] = {1};
    assert_int_equal(rows_plan(&m, NULL, 3, *state, &plan, &f), ERR_INPUT);
    assert_int_equal(rows_plan(&m, NULL, 4, *state, &plan, &f), OK);
    assert_false(plan.stacked);
    assert_int_equal(
        rows_body(&plan, &(struct rows_batch){rows, lines, 1, false}, &body, &json_len, &f), OK);
    char *text = flat(&body);
    assert_string_equal(text, "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,2],"
                              "\"data\":[1,NaN,-Infinity,4.5]}]}");
    free(text);
    assert_int_equal(
        rows_body(&plan, &(struct rows_batch){rows, lines, 1, true}, &body, &json_len, &f), OK);
    assert_int_equal(body.len, json_len + 16);
    text = flat(&body);
    assert_non_null(strstr(text, "\"parameters\":{\"binary_data_size\":16}"));
    assert_memory_equal(text + json_len, "\0\0\x80\x3f\0\0\xc0\x7f\0\0\x80\xff\0\0\x90\x40", 16);
    free(text);
}

static void random__rows_fit_and_repeat(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_FP16, DTYPE_FP32,  DTYPE_FP64,  DTYPE_INT8,
                                        DTYPE_BOOL, DTYPE_BYTES, DTYPE_UINT64};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct model m = one_input(dtypes[i], -1, 5);
        struct rows_plan plan;
        struct fault f = {0};
        uint64_t once = 0;
        uint64_t again = 0;
        assert_int_equal(rows_random_columns(&m), 5);
        assert_int_equal(rows_plan(&m, NULL, 5, *state, &plan, &f), OK);
        for (uint32_t c = 0; c < 5; c++) {
            const str a = rows_random(&plan, c, &once, *state);
            assert_true(cell_fits(dtypes[i], a));
            assert_true(str_eq(a, rows_random(&plan, c, &again, *state)));
        }
    }
}

static void reply__refuses_data_that_is_not_the_shapes(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"outputs\":[{\"name\":\"p\"}]}",
        "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1]}]}",
        "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1,2]}]}",
        "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[9999999999],\"data\":[1]}]"
        "}",
        "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{"
        "\"binary_data_size\":8}}]}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct reply r = {.output_count = 77};
        struct fault f = {0};
        assert_int_not_equal(reply_read(str_of(bad[i]), strlen(bad[i]), *state, &r, &f), OK);
        assert_int_equal(r.output_count, 77);
    }
}

static char *printed(const struct model *m, const struct reply *r, bool csv)
{
    char *made = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&made, &len);
    assert_non_null(out);
    if (csv)
        assert_int_equal(table_csv(out, m, r, 0, NULL), OK);
    else
        table_print(out, m, r, 0, false);
    assert_int_equal(fclose(out), 0);
    return made;
}

static void reply__prints_json_and_binary_outputs_alike(void **state)
{
    static const char json[] =
        "{\"model_name\":\"m\",\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[2,2],"
        "\"data\":[0.5,1.0,NaN,-2.25]},{\"name\":\"l\",\"datatype\":\"BYTES\",\"shape\":[2],"
        "\"data\":[\"a,b\",\"\\u001b[1m\"]}]}";
    static const char head[] =
        "{\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[2,2],\"parameters\":{"
        "\"binary_data_size\":16}},{\"name\":\"l\",\"datatype\":\"BYTES\",\"shape\":[2],"
        "\"parameters\":{\"x\":1,\"binary_data_size\":15}}]}";
    static const char tail[] = "\0\0\x00\x3f\0\0\x80\x3f\0\0\xc0\x7f\0\0\x10\xc0"
                               "\x03\0\0\0a,b\x04\0\0\0\x1b[1m";
    char binary[sizeof(head) + sizeof(tail)];
    const size_t head_len = sizeof(head) - 1;
    struct model m;
    struct reply r;
    struct fault f = {0};
    memcpy(binary, head, head_len);
    memcpy(binary + head_len, tail, sizeof(tail) - 1);
    assert_int_equal(model_read(STR(meta), *state, &m, &f), OK);
    for (unsigned k = 0; k < 2; k++) {
        const str body = k ? (str){binary, head_len + sizeof(tail) - 1} : STR(json);
        assert_int_equal(reply_read(body, k ? head_len : body.len, *state, &r, &f), OK);
        char *table = printed(&m, &r, false);
        assert_string_equal(table, "   row  p[no]  p[y\xc3\xa9s]     l\n"
                                   "     1    0.5     1.0   a,b\n"
                                   "     2    NaN   -2.25  ?[1m\n");
        free(table);
        char *csv = printed(&m, &r, true);
        assert_string_equal(csv, "p[no],p[y\xc3\xa9s],l\n0.5,1.0,\"a,b\"\nNaN,-2.25,\x1b[1m\n");
        free(csv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(model__refuses_other_bodies, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(model__reads_tensors_and_labels, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(csv__refuses_quotes_out_of_place, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(csv__reads_as_rfc_4180_has_it, arena_open, arena_close),
        cmocka_unit_test(cell__refuses_what_is_no_value),
        cmocka_unit_test(cell__writes_little_endian_bytes),
        cmocka_unit_test_setup_teardown(plan__refuses_columns_that_do_not_fit, arena_open,
                                        arena_close),
        cmocka_unit_test_setup_teardown(body__has_an_input_a_named_column, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(body__solves_a_free_dimension, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(random__rows_fit_and_repeat, arena_open, arena_close),
        cmocka_unit_test_setup_teardown(reply__refuses_data_that_is_not_the_shapes, arena_open,
                                        arena_close),
        cmocka_unit_test_setup_teardown(reply__prints_json_and_binary_outputs_alike, arena_open,
                                        arena_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
