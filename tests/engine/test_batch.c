/* Stacking and cutting back, and the trial that allows it. */
#include "check.h"

#include "engine/trial.h"
#include "models.h"

static const struct ort *ort;
static const char *dir;

static struct model *open_named(const char *name, uint32_t rows_max)
{
    uint64_t len = 0;
    struct fault f = {0};
    struct model *m = NULL;
    uint8_t *bytes = models_read(dir, name, ".onnx", &len);
    const struct model_opts opts = {.ort = ort, .main = {STR(""), bytes, len}};
    if (model_open(&opts, &m, &f) != OK || model_batch(m, rows_max, &f) != OK)
        fail_msg("%s: %s", name, f.text);
    free(bytes);
    return m;
}

static void model_batch__refuses_a_fixed_first_dim(void **state)
{
    (void)state;
    struct fault f = {0};
    struct model *m = open_named("scalar", 0);
    assert_int_equal(model_batch(m, 4, &f), ERR_INPUT);
    assert_non_null(strstr(f.text, "take max_batch_size out"));
    assert_int_equal(model_signature(m)->max_batch_size, 0);
    model_free(m);
}

static void trial_run__refuses_rows_that_know_each_other(void **state)
{
    static const char *const names[] = {"lstm", "mean_rows"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fault f = {0};
        struct trial t;
        struct batch *b = NULL;
        struct model *m = open_named(names[i], 8);
        assert_int_equal(batch_new(m, &b, &f), OK);
        assert_int_equal(trial_run(m, b, 8, &t, &f), ERR_INPUT);
        assert_non_null(strstr(f.text, "differs when rows are stacked"));
        batch_free(b);
        model_free(m);
    }
}

static void trial_run__allows_rows_that_do_not(void **state)
{
    static const char *const names[] = {"identity",      "simple",        "simple_string",
                                        "matmul_fp16",   "zipmap_string", "boost_int64",
                                        "identity_bytes"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fault f = {0};
        struct trial t;
        struct batch *b = NULL;
        struct model *m = open_named(names[i], 16);
        assert_int_equal(batch_new(m, &b, &f), OK);
        if (trial_run(m, b, 16, &t, &f) != OK)
            fail_msg("%s: %s", names[i], f.text);
        if (!t.stacks)
            fail_msg("%s: %s", names[i], t.note);
        assert_true(t.run_ns[0] > 0 && t.run_ns[4] > 0 && t.run_ns[5] == 0);
        batch_free(b);
        model_free(m);
    }
}

static void trial_agrees__holds_each_type_to_its_measure(void **state)
{
    (void)state;
    const float a[] = {1.0f, 1000.0f, 0.0f}, b[] = {1.000019f, 1000.009f, 0.0000099f};
    const float c[] = {1.00003f, 1000.0f, 0.0f};
    assert_true(trial_agrees(DTYPE_FP32, (const void *)b, (const void *)a, sizeof a));
    assert_false(trial_agrees(DTYPE_FP32, (const void *)c, (const void *)a, sizeof a));
    const uint16_t x[] = {0x3c00, 0x0001, 0x7e00}, y[] = {0x3c02, 0x8001, 0x7e01};
    const uint16_t z[] = {0x3c03, 0x0001, 0x7e00}, w[] = {0x3c00, 0x0001, 0x7c00};
    assert_true(trial_agrees(DTYPE_FP16, (const void *)y, (const void *)x, sizeof x));
    assert_false(trial_agrees(DTYPE_FP16, (const void *)z, (const void *)x, sizeof x));
    assert_false(trial_agrees(DTYPE_FP16, (const void *)w, (const void *)x, sizeof x));
    const double nan[] = {0.0 / 0.0}, one[] = {1};
    assert_true(trial_agrees(DTYPE_FP64, (const void *)nan, (const void *)nan, 8));
    assert_false(trial_agrees(DTYPE_FP64, (const void *)nan, (const void *)one, 8));
    const int32_t i[] = {5}, k[] = {6};
    assert_false(trial_agrees(DTYPE_INT32, (const void *)i, (const void *)k, 4));
}

static void batch_fits__refuses_other_dims(void **state)
{
    (void)state;
    struct model *m = open_named("identity_fp32", 8);
    const struct signature *sig = model_signature(m);
    const float x[6] = {0};
    const struct view a = {DTYPE_FP32, {{1, 3}, 2}, (const void *)x, 12};
    const struct view b = {DTYPE_FP32, {{2, 3}, 2}, (const void *)x, 24};
    const struct view c = {DTYPE_FP32, {{1, 2}, 2}, (const void *)x, 8};
    const struct view none = {DTYPE_FP32, {{0, 3}, 2}, (const void *)x, 0};
    assert_true(batch_fits(sig, &a, &b));
    assert_false(batch_fits(sig, &a, &c));
    assert_int_equal(batch_rows(sig, &b), 2);
    assert_int_equal(batch_rows(sig, &none), 0);
    model_free(m);
}

static void batch_go__hands_back_each_ones_strings(void **state)
{
    (void)state;
    static const uint8_t one[] = {1, 0, 0, 0, 'a', 0, 0, 0, 0};
    static const uint8_t two[] = {2, 0, 0, 0, 'b', 0, 1, 0, 0,   0,   'c',
                                  0, 0, 0, 0, 3,   0, 0, 0, 'd', 'e', 'f'};
    const struct view a = {DTYPE_BYTES, {{1, 2}, 2}, one, sizeof one};
    const struct view b = {DTYPE_BYTES, {{2, 2}, 2}, two, sizeof two};
    const struct view *const both[] = {&a, &b, &a};
    struct fault f = {0};
    struct batch *batch = NULL;
    struct model *m = open_named("identity_bytes", 8);
    assert_int_equal(batch_new(m, &batch, &f), OK);
    assert_int_equal(batch_go(batch, both, 3, 1, &f), OK);
    for (uint32_t i = 0; i < 3; i++) {
        const struct view got = batch_output(batch, i, 0);
        assert_true(shape_eq(&got.shape, &both[i]->shape));
        assert_int_equal(got.len, both[i]->len);
        assert_memory_equal(got.at, both[i]->at, got.len);
    }
    batch_free(batch);
    model_free(m);
}

static int set_up(void **state)
{
    (void)state;
    struct fault f = {0};
    const struct ort_opts opts = {.path = MODELS_RUNTIME, .threads = 1};
    dir = models_dir();
    (void)setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    if (!dir)
        return -1;
    if (ort_open(&opts, &ort, &f) == OK)
        return 0;
    print_error("%s\n", f.text);
    return -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_batch__refuses_a_fixed_first_dim),
        cmocka_unit_test(trial_run__refuses_rows_that_know_each_other),
        cmocka_unit_test(batch_fits__refuses_other_dims),
        cmocka_unit_test(trial_agrees__holds_each_type_to_its_measure),
        cmocka_unit_test(trial_run__allows_rows_that_do_not),
        cmocka_unit_test(batch_go__hands_back_each_ones_strings),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
