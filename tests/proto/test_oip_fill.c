/* The second pass: JSON and binary data to tensors. Refusals name the input and the element. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/oip.h"

struct bench {
    uint8_t *out; /* exactly the promised room, so that ASan sees one byte more */
    uint64_t len;
    struct fault f;
};

static void bench_free(struct bench *b)
{
    free(b->out);
    *b = (struct bench){0};
}

/* Reads one input "x" of that type and shape from a value of "data", or from binary bytes. */
static err fill_input(struct bench *b, enum dtype dtype, const struct shape *shape, str data,
                      enum infer_source source)
{
    const struct spec spec = {.name = STR("x"), .dtype = dtype, .shape = *shape};
    const struct signature sig = {.inputs = &spec, .input_count = 1};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    struct infer_request r = {0};
    struct arena arena;
    char head[512];

    bench_free(b);
    arena_init(&arena, 1 << 20);
    int n = snprintf(head, sizeof(head),
                     "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"%.*s\",\"shape\":[",
                     STR_ARG(dtype_name(dtype)));
    for (uint32_t i = 0; i < shape->rank; i++)
        n +=
            snprintf(head + n, sizeof(head) - (size_t)n, "%s%" PRId64, i ? "," : "", shape->dim[i]);
    n += snprintf(head + n, sizeof(head) - (size_t)n, "]%s",
                  source == INFER_JSON ? ",\"data\":" : "}]}");
    char *body = malloc((size_t)n + data.len + 3);
    assert_non_null(body);
    memcpy(body, head, (size_t)n);
    memcpy(body + n, data.at, data.len);
    memcpy(body + (size_t)n + data.len, "}]}", 3);
    const size_t len = (size_t)n + data.len + (source == INFER_JSON ? 3 : 0);
    const struct oip_body bytes = {{body, len}, source != INFER_JSON, (uint64_t)n};
    err e = oip_index(&bytes, &sig, &limits, &arena, &r, &b->f);
    if (e == OK) {
        b->out = malloc(r.inputs[0].bytes ? r.inputs[0].bytes : 1);
        assert_non_null(b->out);
        e = oip_fill(&r, 0, b->out, r.inputs[0].bytes, &b->len, &b->f);
        if (e == OK && dtype != DTYPE_BYTES)
            assert_int_equal(b->len, r.inputs[0].bytes);
    }
    free(body);
    arena_free(&arena);
    return e;
}

static const struct shape ROW3 = {.dim = {3}, .rank = 1};
static const struct shape TWO_TWO = {.dim = {2, 2}, .rank = 2};
static const struct shape ONE = {.dim = {1}, .rank = 1};
static const struct shape SCALAR = {.rank = 0};
static const struct shape EMPTY = {.dim = {2, 0}, .rank = 2};

static const struct {
    enum dtype dtype;
    const struct shape *shape;
    const char *data, *text;
} WRONG[] = {
    {DTYPE_FP32, &ROW3, " [ 1 ,2]", "element 2 is missing: \"data\" has 2 elements, want 3"},
    {DTYPE_FP32, &ROW3, "[1,2,3,4]", "element 3 is one too many: \"data\" has 4 elements, want 3"},
    {DTYPE_FP32, &ROW3, "[1,2,]", "element 2 is missing"},
    {DTYPE_FP32, &ROW3, "[1,,3]", "element 1 is missing"},
    {DTYPE_FP32, &ROW3, "[1 2,3]", "element 1 does not follow"},
    {DTYPE_FP32, &ROW3, "[1,2,null]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,true]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,\"3\"]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,{}]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,nan]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,\"NaN]", "JSON at byte"},
    {DTYPE_FP32, &ROW3, "[1,2,\"NaN\"\"\"]", "element 3"},
    {DTYPE_FP32, &ROW3, "[1,2,1e39]", "element 2 is out of the range"},
    {DTYPE_FP32, &ROW3, "[1,2,-3.5e38]", "element 2 is out of the range"},
    {DTYPE_FP32, &ROW3, "[1,2,03]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,3.]", "element 2 is no number"},
    {DTYPE_FP32, &ROW3, "[1,2,3x]", "want ']'"},
    {DTYPE_FP32, &ROW3, "[[1,2,3]]", "element 0 is an array"},
    {DTYPE_FP32, &ROW3, "\"abc\"", "want '['"},
    {DTYPE_FP32, &ROW3, "{\"a\":[1,2,3]}", "want '['"},
    {DTYPE_FP32, &ROW3, "[1,2,3}", "want ']'"},
    {DTYPE_FP32, &TWO_TWO, "[[1,2],[3]]", "element 3 is missing"},
    {DTYPE_FP32, &TWO_TWO, "[[1,2],[3,4,5]]", "element 4 is one too many"},
    {DTYPE_FP32, &TWO_TWO, "[[1,2],[3,4],[5,6]]", "\"data\" has 6 elements, want 4"},
    {DTYPE_FP32, &TWO_TWO, "[[1,2],3,4]", "want '['"},
    {DTYPE_FP32, &TWO_TWO, "[[1,2,3,4]]",
     "element 2 is one too many: \"data\" is flat, or nested exactly"},
    {DTYPE_FP32, &TWO_TWO, "[1,2,[3,4]]", "element 2 is an array"},
    {DTYPE_FP32, &TWO_TWO, "[[[1,2],[3,4]]]", "element 0 is an array"},
    {DTYPE_FP32, &TWO_TWO, "[[1],[2],[3],[4]]", "element 1 is missing"},
    {DTYPE_FP32, &EMPTY, "[1]", "want ']'"},
    {DTYPE_FP32, &EMPTY, "[[]]", "want ','"},
    {DTYPE_FP32, &EMPTY, "[[],[],[]]", "one too many"},
    {DTYPE_FP32, &SCALAR, "[]", "element 0 is missing"},
    {DTYPE_FP32, &SCALAR, "[1,2]", "element 1 is one too many"},
    {DTYPE_FP32, &SCALAR, "[[1]]", "element 0 is an array"},
    {DTYPE_BYTES, &ROW3, "[\"a,b\",\"\\\"]\"]", "\"data\" has 2 elements, want 3"},
    {DTYPE_FP64, &ONE, "[1e309]", "out of the range"},
    {DTYPE_FP16, &ONE, "[65520]", "out of the range"},
    {DTYPE_BF16, &ONE, "[3.4e38]", "out of the range"},
    {DTYPE_UINT8, &ONE, "[256]", "out of the range"},
    {DTYPE_UINT8, &ONE, "[-1]", "out of the range"},
    {DTYPE_UINT8, &ONE, "[1.5]", "element 0 is no whole number"},
    {DTYPE_UINT8, &ONE, "[NaN]", "is no number"},
    {DTYPE_UINT8, &ONE, "[true]", "is no number"},
    {DTYPE_INT8, &ONE, "[128]", "out of the range"},
    {DTYPE_INT16, &ONE, "[-32769]", "out of the range"},
    {DTYPE_INT32, &ONE, "[2147483648]", "out of the range"},
    {DTYPE_INT64, &ONE, "[9223372036854775808]", "out of the range"},
    {DTYPE_UINT16, &ONE, "[65536]", "out of the range"},
    {DTYPE_UINT32, &ONE, "[4294967296]", "out of the range"},
    {DTYPE_UINT64, &ONE, "[18446744073709551616]", "out of the range"},
    {DTYPE_BOOL, &ONE, "[2]", "out of the range"},
    {DTYPE_BOOL, &ONE, "[\"true\"]", "none of true, false"},
    {DTYPE_BOOL, &ONE, "[True]", "none of true, false"},
    {DTYPE_BYTES, &ONE, "[1]", "element 0 is no string"},
    {DTYPE_BYTES, &ONE, "[null]", "element 0 is no string"},
    {DTYPE_BYTES, &ONE, "[\"\\ud800\"]", "element 0 is no string of UTF-8"},
    {DTYPE_BYTES, &ONE, "[\"\xFF\"]", "element 0 is no string of UTF-8"},
    {DTYPE_BYTES, &ONE, "[\"a\nb\"]", "element 0 is no string of UTF-8"},
};

static void oip_fill__refuses_wrong_elements(void **state)
{
    (void)state;
    struct bench b = {0};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        const err e =
            fill_input(&b, WRONG[i].dtype, WRONG[i].shape, str_of(WRONG[i].data), INFER_JSON);
        if (e != ERR_INPUT || !strstr(b.f.text, WRONG[i].text))
            fail_msg("%s gives %s: %s, want %s", WRONG[i].data, err_name(e), b.f.text,
                     WRONG[i].text);
        if (!strstr(b.f.text, "JSON") && !strstr(b.f.text, "input \"x\""))
            fail_msg("no input named: %s", b.f.text);
    }
    bench_free(&b);
}

static void oip_fill__refuses_wrong_binary_data(void **state)
{
    (void)state;
    struct bench b = {0};
    const struct shape two = {.dim = {2}, .rank = 1};
    assert_int_equal(fill_input(&b, DTYPE_BOOL, &two, STR("\1\2"), INFER_BINARY), ERR_INPUT);
    assert_non_null(strstr(b.f.text, "BOOL byte 1 is 2"));
    assert_int_equal(fill_input(&b, DTYPE_BYTES, &two, STR("\1\0\0\0a"), INFER_BINARY), ERR_INPUT);
    assert_int_equal(fill_input(&b, DTYPE_BYTES, &two, STR("\1\0\0\0a\2\0\0\0b"), INFER_BINARY),
                     ERR_INPUT);
    assert_int_equal(fill_input(&b, DTYPE_BYTES, &two, STR("\xFF\xFF\xFF\xFF"), INFER_BINARY),
                     ERR_INPUT);
    assert_int_equal(fill_input(&b, DTYPE_BYTES, &two, STR("\1\0\0\0a\0\0\0\0"), INFER_BINARY), OK);
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.out, "\1\0\0\0a\0\0\0\0", 9);
    bench_free(&b);
}

static void expect(enum dtype dtype, const struct shape *shape, const char *data, const void *want,
                   size_t len)
{
    struct bench b = {0};

    if (fill_input(&b, dtype, shape, str_of(data), INFER_JSON) != OK)
        fail_msg("%s: %s", data, b.f.text);
    assert_int_equal(b.len, len);
    if (len > 0)
        assert_memory_equal(b.out, want, len);
    bench_free(&b);
}

#define EXPECT(dtype, shape, data, ...) expect(dtype, shape, data, __VA_ARGS__, sizeof(__VA_ARGS__))

static void oip_fill__converts_every_datatype(void **state)
{
    (void)state;
    EXPECT(DTYPE_BOOL, &TWO_TWO, "[true,false, 1 ,0]", (uint8_t[]){1, 0, 1, 0});
    EXPECT(DTYPE_UINT8, &ROW3, "[0,255,1e2]", (uint8_t[]){0, 255, 100});
    EXPECT(DTYPE_INT8, &ROW3, "[-128,127,-3.0]", (int8_t[]){-128, 127, -3});
    EXPECT(DTYPE_UINT16, &ROW3, "[0,65535,7]", (uint16_t[]){0, 65535, 7});
    EXPECT(DTYPE_INT16, &ROW3, "[-32768,32767,-1]", (int16_t[]){-32768, 32767, -1});
    EXPECT(DTYPE_UINT32, &ROW3, "[0,4294967295,7]", (uint32_t[]){0, UINT32_MAX, 7});
    EXPECT(DTYPE_INT32, &ROW3, "[-2147483648,2147483647,-1]",
           (int32_t[]){INT32_MIN, INT32_MAX, -1});
    EXPECT(DTYPE_UINT64, &ROW3, "[0,18446744073709551615,9007199254740993]",
           (uint64_t[]){0, UINT64_MAX, 9007199254740993u});
    EXPECT(DTYPE_INT64, &ROW3, "[-9223372036854775808,9223372036854775807,-9007199254740993]",
           (int64_t[]){INT64_MIN, INT64_MAX, -9007199254740993});
    EXPECT(DTYPE_FP32, &ROW3, "[0.1,-2.5e-3,16777217]", (float[]){0.1f, -2.5e-3f, 16777216.0f});
    EXPECT(DTYPE_FP64, &ROW3, "[0.1,-2.5e-3,9007199254740993]",
           (double[]){0.1, -2.5e-3, 9007199254740992.0});
    /* Through FP32 the third would tie and go to 0x6800; the digits after the tie say 0x6801. */
    EXPECT(DTYPE_FP16, &ROW3, "[1.5,-65504,2049.00000000000000001]",
           (uint16_t[]){0x3E00, 0xFBFF, 0x6801});
    EXPECT(DTYPE_BF16, &ROW3, "[1.5,-2,257.00000000000000001]",
           (uint16_t[]){0x3FC0, 0xC000, 0x4381});
}

/* Rows of many forms: short, of 17 and of 25 digits, subnormal, zero, with every kind of blank. */
static void long_rows(enum dtype dtype, const struct shape *shape, bool nested, uint64_t seed)
{
    static const char *const commas[] = {",", ", ", " ,", ",\n\t ", " , "};
    const int64_t rows = shape->dim[0], columns = shape->dim[1];
    char *data = malloc((size_t)(rows * columns) * 48 + 64), *p = data;
    double *wide = malloc((size_t)(rows * columns) * sizeof(*wide));
    float *narrow = malloc((size_t)(rows * columns) * sizeof(*narrow));
    struct bench b = {0};

    assert_true(data && wide && narrow);
    *p++ = '[';
    for (int64_t i = 0; i < rows * columns; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const unsigned form = (unsigned)(seed >> 33) % 16;
        double v = (double)((int64_t)seed >> 20) * (form < 3 ? 0x1p-170 : 0x1p-40);
        if (form == 4)
            v = 0;
        p += sprintf(p, "%s%s", i ? commas[form % 5] : "", nested && i % columns == 0 ? "[" : "");
        char *number = p;
        p += sprintf(p, "%.*g", form < 8 ? 7 : form < 14 ? 17 : 25, v);
        wide[i] = strtod(number, NULL);
        narrow[i] = strtof(number, NULL);
        if (nested && (i + 1) % columns == 0)
            *p++ = ']';
    }
    *p++ = ']';
    if (fill_input(&b, dtype, shape, (str){data, (size_t)(p - data)}, INFER_JSON) != OK)
        fail_msg("%s", b.f.text);
    assert_memory_equal(b.out, dtype == DTYPE_FP32 ? (const void *)narrow : (const void *)wide,
                        b.len);
    bench_free(&b);
    free(data);
    free(wide);
    free(narrow);
}

static void oip_fill__agrees_with_glibc_on_long_rows(void **state)
{
    (void)state;
    const struct shape long_row = {.dim = {1, 20000}, .rank = 2};
    const struct shape short_rows = {.dim = {5000, 4}, .rank = 2};
    for (uint64_t seed = 1; seed < 4; seed++) {
        long_rows(DTYPE_FP32, &long_row, false, seed);
        long_rows(DTYPE_FP32, &short_rows, true, seed);
        long_rows(DTYPE_FP64, &long_row, true, seed);
        long_rows(DTYPE_FP64, &short_rows, false, seed);
    }
}

static void oip_fill__takes_nan_and_infinities_bare_or_quoted(void **state)
{
    (void)state;
    const struct shape six = {.dim = {2, 3}, .rank = 2};
    const char *data = "[NaN,Infinity,-Infinity,\"NaN\",\"Infinity\",\"-Infinity\"]";
    EXPECT(DTYPE_FP32, &six, data,
           (uint32_t[]){0x7FC00000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800000, 0xFF800000});
    EXPECT(DTYPE_FP64, &six, data,
           (uint64_t[]){0x7FF8000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
                        0x7FF8000000000000, 0x7FF0000000000000, 0xFFF0000000000000});
    EXPECT(DTYPE_FP16, &six, data, (uint16_t[]){0x7E00, 0x7C00, 0xFC00, 0x7E00, 0x7C00, 0xFC00});
    EXPECT(DTYPE_BF16, &six, data, (uint16_t[]){0x7FC0, 0x7F80, 0xFF80, 0x7FC0, 0x7F80, 0xFF80});
}

static void oip_fill__takes_flat_and_nested_data(void **state)
{
    (void)state;
    const struct shape cube = {.dim = {2, 1, 3}, .rank = 3};
    const struct shape none = {.dim = {2, 0, 3}, .rank = 3};
    const struct shape first_none = {.dim = {0, 3}, .rank = 2};
    const int32_t six[] = {1, 2, 3, 4, 5, 6};
    EXPECT(DTYPE_INT32, &cube, "[1,2,3,4,5,6]", six);
    EXPECT(DTYPE_INT32, &cube, " [ [ [1,2 ,3] ] ,\n[[4, 5,6\t]]\r] ", six);
    EXPECT(DTYPE_INT32, &SCALAR, "7", (int32_t[]){7});
    EXPECT(DTYPE_INT32, &SCALAR, "[7]", (int32_t[]){7});
    expect(DTYPE_INT32, &none, "[]", NULL, 0);
    expect(DTYPE_INT32, &none, "[[],[]]", NULL, 0);
    expect(DTYPE_INT32, &first_none, "[]", NULL, 0);
}

static void oip_fill__writes_strings_as_records(void **state)
{
    (void)state;
    const char want[] = "\0\0\0\0"
                        "\5\0\0\0a]\"\0z"
                        "\6\0\0\0\xC3\xA9\xF0\x9F\x98\x80";
    expect(DTYPE_BYTES, &ROW3, "[\"\",\"a]\\\"\\u0000z\",\"\xC3\xA9\\ud83d\\ude00\"]", want,
           sizeof(want) - 1);
    expect(DTYPE_BYTES, &SCALAR, "\"a\"", "\1\0\0\0a", 5);
}

static void oip_fill__prefixes_the_element_of_a_raw_request(void **state)
{
    (void)state;
    const struct spec spec = {.name = STR("x"), .dtype = DTYPE_BYTES, .shape = ONE};
    const struct signature sig = {.inputs = &spec, .input_count = 1};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    const struct oip_body body = {STR("\xFFhi"), true, 0};
    struct infer_request r = {0};
    struct arena arena;
    uint8_t out[7];
    uint64_t len = 0;
    arena_init(&arena, 4096);
    assert_int_equal(oip_index(&body, &sig, &limits, &arena, &r, NULL), OK);
    assert_int_equal(r.inputs[0].bytes, 7);
    assert_int_equal(oip_fill(&r, 0, out, sizeof(out), &len, NULL), OK);
    assert_int_equal(len, 7);
    assert_memory_equal(out, "\3\0\0\0\xFFhi", 7);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oip_fill__refuses_wrong_elements),
        cmocka_unit_test(oip_fill__refuses_wrong_binary_data),
        cmocka_unit_test(oip_fill__converts_every_datatype),
        cmocka_unit_test(oip_fill__agrees_with_glibc_on_long_rows),
        cmocka_unit_test(oip_fill__takes_nan_and_infinities_bare_or_quoted),
        cmocka_unit_test(oip_fill__takes_flat_and_nested_data),
        cmocka_unit_test(oip_fill__writes_strings_as_records),
        cmocka_unit_test(oip_fill__prefixes_the_element_of_a_raw_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
