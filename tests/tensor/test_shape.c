/* Sizes of shapes, checked against overflow, and shapes against signatures. */
#include <string.h>

#include "check.h"
#include "tensor/shape.h"

#define SHAPE(...)                                                                                 \
    (&(const struct shape){.dim = {__VA_ARGS__},                                                   \
                           .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)})

static const struct shape scalar = {.rank = 0};

static void shape_count__refuses_negatives_ranks_and_overflow(void **state)
{
    (void)state;
    uint64_t n = 77;
    struct fault f = {0};
    const struct shape nine = {.rank = 9};
    assert_int_equal(shape_count(SHAPE(2, -1), 100, &n, &f), ERR_INPUT);
    assert_non_null(strstr(f.text, "shape[1] is -1"));
    assert_int_equal(shape_count(SHAPE(0, -1), 100, &n, NULL), ERR_INPUT);
    assert_int_equal(shape_count(&nine, 100, &n, NULL), ERR_INPUT);
    assert_int_equal(shape_count(SHAPE(INT64_MAX, 2), INT64_MAX, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(shape_count(SHAPE(1ll << 32, 1ll << 32), UINT64_MAX, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(shape_count(SHAPE(INT64_MAX, INT64_MAX, INT64_MAX), UINT64_MAX, &n, NULL),
                     ERR_TOO_BIG);
    assert_int_equal(shape_count(SHAPE(3, 4), 11, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(shape_count(&scalar, 0, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(n, 77);
}

static void shape_count__multiplies(void **state)
{
    (void)state;
    uint64_t n = 77;
    assert_int_equal(shape_count(SHAPE(3, 4), 12, &n, NULL), OK);
    assert_int_equal(n, 12);
    assert_int_equal(shape_count(&scalar, 1, &n, NULL), OK);
    assert_int_equal(n, 1);
    assert_int_equal(shape_count(SHAPE(INT64_MAX, INT64_MAX, 0), 0, &n, NULL), OK);
    assert_int_equal(n, 0);
    assert_int_equal(shape_count(SHAPE(2, 2, 2, 2, 2, 2, 2, 2), 256, &n, NULL), OK);
    assert_int_equal(n, 256);
}

static void shape_bytes__refuses_bytes_and_sizes_over_the_limit(void **state)
{
    (void)state;
    uint64_t n = 77;
    assert_int_equal(shape_bytes(SHAPE(1), DTYPE_BYTES, 100, &n, NULL), ERR_INPUT);
    assert_int_equal(shape_bytes(SHAPE(1), DTYPE_NONE, 100, &n, NULL), ERR_INPUT);
    assert_int_equal(shape_bytes(SHAPE(13), DTYPE_FP64, 103, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(shape_bytes(SHAPE(1ll << 61), DTYPE_FP64, UINT64_MAX, &n, NULL), ERR_TOO_BIG);
    assert_int_equal(n, 77);
    assert_int_equal(shape_bytes(SHAPE(13), DTYPE_FP64, 104, &n, NULL), OK);
    assert_int_equal(n, 104);
    assert_int_equal(shape_bytes(&scalar, DTYPE_FP16, 2, &n, NULL), OK);
    assert_int_equal(n, 2);
}

static void shape_fits__holds_rank_and_fixed_dims(void **state)
{
    (void)state;
    const str name = STR("x");
    struct fault f = {0};
    assert_int_equal(shape_fits(SHAPE(1, 2), SHAPE(-1, 3), name, &f), ERR_INPUT);
    assert_string_equal(f.text, "input \"x\": shape[1] is 2, want 3");
    assert_int_equal(shape_fits(SHAPE(1, 2, 3), SHAPE(-1, 2), name, NULL), ERR_INPUT);
    assert_int_equal(shape_fits(&scalar, SHAPE(1), name, NULL), ERR_INPUT);
    assert_int_equal(shape_fits(SHAPE(-1, 2), SHAPE(-1, 2), name, NULL), ERR_INPUT);
    assert_int_equal(shape_fits(SHAPE(7, 2), SHAPE(-1, 2), name, NULL), OK);
    assert_int_equal(shape_fits(SHAPE(0, 2), SHAPE(-1, 2), name, NULL), OK);
    assert_int_equal(shape_fits(&scalar, &scalar, name, NULL), OK);
}

static void shape_eq__looks_at_rank_and_its_dims_alone(void **state)
{
    (void)state;
    const struct shape one = {.dim = {1, 2, 9}, .rank = 2};
    const struct shape two = {.dim = {1, 2, 8}, .rank = 2};
    assert_true(shape_eq(&one, &two));
    assert_false(shape_eq(SHAPE(1, 2), SHAPE(1, 2, 1)));
    assert_false(shape_eq(SHAPE(1, 2), SHAPE(1, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_count__refuses_negatives_ranks_and_overflow),
        cmocka_unit_test(shape_count__multiplies),
        cmocka_unit_test(shape_bytes__refuses_bytes_and_sizes_over_the_limit),
        cmocka_unit_test(shape_fits__holds_rank_and_fixed_dims),
        cmocka_unit_test(shape_eq__looks_at_rank_and_its_dims_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
