/* Names in a signature, and output sizes where they follow from it. */
#include "check.h"
#include "tensor/signature.h"

static const struct spec inputs[] = {
    {.name = STR_LIT("a"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 4}, .rank = 2}},
    {.name = STR_LIT("b"), .dtype = DTYPE_FP32, .shape = {.dim = {-1}, .rank = 1}},
    {.name = STR_LIT("c"), .dtype = DTYPE_FP32, .shape = {.dim = {7, 1}, .rank = 2}},
};
static const struct spec outputs[] = {
    {.name = STR_LIT("fixed"), .dtype = DTYPE_FP64, .shape = {.dim = {2, 3}, .rank = 2}},
    {.name = STR_LIT("rows"), .dtype = DTYPE_INT16, .shape = {.dim = {-1, 5}, .rank = 2}},
    {.name = STR_LIT("free"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, -1}, .rank = 2}},
    {.name = STR_LIT("text"), .dtype = DTYPE_BYTES, .shape = {.dim = {-1}, .rank = 1}},
    {.name = STR_LIT("huge"),
     .dtype = DTYPE_FP64,
     .shape = {.dim = {-1, INT64_MAX / 4}, .rank = 2}},
    {.name = STR_LIT("scalar"), .dtype = DTYPE_BOOL, .shape = {.rank = 0}},
};
static const struct signature sig = {
    .inputs = inputs, .input_count = 3, .outputs = outputs, .output_count = 6};

static void signature__refuses_names_it_does_not_have(void **state)
{
    (void)state;
    assert_int_equal(signature_input(&sig, STR("fixed")), -1);
    assert_int_equal(signature_input(&sig, STR("A")), -1);
    assert_int_equal(signature_input(&sig, STR("")), -1);
    assert_int_equal(signature_output(&sig, STR("a")), -1);
    assert_int_equal(signature_input(&sig, STR("c")), 2);
    assert_int_equal(signature_output(&sig, STR("rows")), 1);
}

static void signature_output_bytes__does_not_guess(void **state)
{
    (void)state;
    uint64_t bytes = 77;
    const struct shape equal[] = {
        {.dim = {3, 4}, .rank = 2}, {.dim = {3}, .rank = 1}, {.dim = {7, 1}, .rank = 2}};
    const struct shape different[] = {
        {.dim = {3, 4}, .rank = 2}, {.dim = {2}, .rank = 1}, {.dim = {7, 1}, .rank = 2}};
    assert_false(signature_output_bytes(&sig, 2, equal, &bytes));
    assert_false(signature_output_bytes(&sig, 3, equal, &bytes));
    assert_false(signature_output_bytes(&sig, 4, equal, &bytes));
    assert_false(signature_output_bytes(&sig, 1, different, &bytes));
    const struct signature closed = {
        .inputs = inputs + 2, .input_count = 1, .outputs = outputs, .output_count = 6};
    assert_false(signature_output_bytes(&closed, 1, equal + 2, &bytes));
    assert_int_equal(bytes, 77);
}

static void signature_output_bytes__follows_from_fixed_dims_and_rows(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    const struct shape shapes[] = {
        {.dim = {3, 4}, .rank = 2}, {.dim = {3}, .rank = 1}, {.dim = {7, 1}, .rank = 2}};
    assert_true(signature_output_bytes(&sig, 0, shapes, &bytes));
    assert_int_equal(bytes, 48);
    assert_true(signature_output_bytes(&sig, 1, shapes, &bytes));
    assert_int_equal(bytes, 30);
    assert_true(signature_output_bytes(&sig, 5, shapes, &bytes));
    assert_int_equal(bytes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature__refuses_names_it_does_not_have),
        cmocka_unit_test(signature_output_bytes__does_not_guess),
        cmocka_unit_test(signature_output_bytes__follows_from_fixed_dims_and_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
