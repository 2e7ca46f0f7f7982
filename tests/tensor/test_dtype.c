/* The datatypes against the numbers of onnx.proto and of Triton's ModelConfig, written out once
 * more. */
#include "check.h"
#include "tensor/dtype.h"

static void dtype__refuses_unknown_names_and_numbers(void **state)
{
    (void)state;
    assert_int_equal(dtype_of_name(STR("fp32")), DTYPE_NONE);
    assert_int_equal(dtype_of_name(STR("FP3")), DTYPE_NONE);
    assert_int_equal(dtype_of_name(STR("NONE")), DTYPE_NONE);
    assert_int_equal(dtype_of_name(STR("")), DTYPE_NONE);
    static const int unknown[] = {-1, 0, 14, 15, 17, 23, 1000};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(dtype_of_onnx(unknown[i]), DTYPE_NONE);
    assert_int_equal(dtype_bytes((enum dtype)99), 0);
    assert_true(str_eq(dtype_name((enum dtype)99), STR("NONE")));
    assert_true(str_eq(dtype_config_name(DTYPE_NONE), STR("TYPE_INVALID")));
}

static void dtype__has_the_rows_of_the_protocol(void **state)
{
    (void)state;
    static const struct {
        str name;
        unsigned bytes;
        int onnx, number;
        str config;
    } rows[] = {
        {STR_LIT("BOOL"), 1, 9, 1, STR_LIT("TYPE_BOOL")},
        {STR_LIT("UINT8"), 1, 2, 2, STR_LIT("TYPE_UINT8")},
        {STR_LIT("UINT16"), 2, 4, 3, STR_LIT("TYPE_UINT16")},
        {STR_LIT("UINT32"), 4, 12, 4, STR_LIT("TYPE_UINT32")},
        {STR_LIT("UINT64"), 8, 13, 5, STR_LIT("TYPE_UINT64")},
        {STR_LIT("INT8"), 1, 3, 6, STR_LIT("TYPE_INT8")},
        {STR_LIT("INT16"), 2, 5, 7, STR_LIT("TYPE_INT16")},
        {STR_LIT("INT32"), 4, 6, 8, STR_LIT("TYPE_INT32")},
        {STR_LIT("INT64"), 8, 7, 9, STR_LIT("TYPE_INT64")},
        {STR_LIT("FP16"), 2, 10, 10, STR_LIT("TYPE_FP16")},
        {STR_LIT("FP32"), 4, 1, 11, STR_LIT("TYPE_FP32")},
        {STR_LIT("FP64"), 8, 11, 12, STR_LIT("TYPE_FP64")},
        {STR_LIT("BYTES"), 0, 8, 13, STR_LIT("TYPE_STRING")},
        {STR_LIT("BF16"), 2, 16, 14, STR_LIT("TYPE_BF16")},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    assert_int_equal(count, DTYPE_COUNT - 1);
    for (size_t i = 0; i < count; i++) {
        const enum dtype d = dtype_of_name(rows[i].name);
        assert_int_not_equal(d, DTYPE_NONE);
        assert_true(str_eq(dtype_name(d), rows[i].name));
        assert_int_equal(dtype_bytes(d), rows[i].bytes);
        assert_int_equal(dtype_onnx(d), rows[i].onnx);
        assert_int_equal(dtype_of_onnx(rows[i].onnx), d);
        assert_int_equal(dtype_config_number(d), rows[i].number);
        assert_true(str_eq(dtype_config_name(d), rows[i].config));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype__refuses_unknown_names_and_numbers),
        cmocka_unit_test(dtype__has_the_rows_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
