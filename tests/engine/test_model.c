/* Models against ONNX Runtime in Python, bit by bit: every datatype, ZipMap, external data,
 * scalars, empty tensors. Refusals first. */
#include "check.h"

#include "base/clock.h"
#include "engine/trial.h"
#include "models.h"

static const struct ort *ort;
static const char *dir;

static err open_named(const char *name, struct model **m, struct fault *f)
{
    uint64_t len = 0, side_len = 0;
    uint8_t *bytes = models_read(dir, name, ".onnx", &len);
    uint8_t *side = models_read(dir, "external", ".bin", &side_len);
    assert_non_null(bytes);
    const struct model_file_bytes files[] = {{STR("external.bin"), side, side_len}};
    const struct model_opts opts = {
        .ort = ort, .main = {STR(""), bytes, len}, .externals = files, .external_count = 1};
    const err e = model_open(&opts, m, f);
    free(bytes); /* the session stands by itself */
    free(side);
    return e;
}

static void refused(const char *name, err code, const char *text)
{
    struct fault f = {0};
    struct model *m = NULL;
    assert_int_equal(open_named(name, &m, &f), code);
    assert_null(m);
    if (!strstr(f.text, text))
        fail_msg("\"%s\" does not say \"%s\"", f.text, text);
}

static void model_open__refuses_a_sequence_with_the_fix(void **state)
{
    (void)state;
    refused("sequence_output", ERR_INPUT, "export it as one tensor");
}

static void model_open__refuses_a_location_outside(void **state)
{
    (void)state;
    refused("external_escape", ERR_INPUT, "bare name of a file");
}

static void model_open__refuses_a_file_that_is_missing(void **state)
{
    (void)state;
    uint64_t len = 0;
    struct fault f = {0};
    struct model *m = NULL;
    uint8_t *bytes = models_read(dir, "external", ".onnx", &len);
    const struct model_opts opts = {.ort = ort, .main = {STR(""), bytes, len}};
    assert_int_equal(model_open(&opts, &m, &f), ERR_INPUT);
    assert_non_null(strstr(f.text, "external.bin"));
    const uint8_t few[16] = {0};
    const struct model_file_bytes files[] = {{STR("external.bin"), few, sizeof few}};
    const struct model_opts short_file = {
        .ort = ort, .main = {STR(""), bytes, len}, .externals = files, .external_count = 1};
    f = (struct fault){0};
    assert_int_equal(model_open(&short_file, &m, &f), ERR_INPUT);
    assert_non_null(strstr(f.text, "which has 16"));
    free(bytes);
}

static void model_open__refuses_noise(void **state)
{
    (void)state;
    struct fault f = {0};
    struct model *m = NULL;
    const struct model_opts opts = {.ort = ort, .main = {STR(""), "\x0a\x05pickle", 8}};
    assert_int_not_equal(model_open(&opts, &m, &f), OK);
    assert_null(m);
}

/* Runs a model on its stored inputs and compares with the stored outputs. */
static void check(const char *name)
{
    struct models_tensor all[16];
    struct view inputs[16] = {0};
    struct fault f = {0};
    struct model *m = NULL;
    struct run *r = NULL;
    uint64_t outputs = 0;
    const uint32_t count = models_tensors(dir, name, all, 16);
    assert_true(count > 0);
    if (open_named(name, &m, &f) != OK || run_new(m, &r, &f) != OK)
        fail_msg("%s: %s", name, f.text);
    const struct signature *sig = model_signature(m);
    for (uint32_t i = 0; i < count; i++) {
        const int at =
            all[i].output ? signature_output(sig, all[i].name) : signature_input(sig, all[i].name);
        assert_true(at >= 0);
        if (all[i].output)
            outputs |= 1ull << at;
        else
            inputs[at] = all[i].view;
    }
    for (int turn = 0; turn < 3; turn++)
        if (run_go(r, inputs, outputs, &f) != OK)
            fail_msg("%s: %s", name, f.text);
    for (uint32_t i = 0; i < count; i++) {
        if (!all[i].output)
            continue;
        const struct view *got = &run_views(r)[signature_output(sig, all[i].name)];
        assert_int_equal(got->dtype, all[i].view.dtype);
        assert_true(shape_eq(&got->shape, &all[i].view.shape));
        assert_int_equal(got->len, all[i].view.len);
        if (got->len && memcmp(got->at, all[i].view.at, got->len) != 0)
            fail_msg("%s: output \"%.*s\" differs", name, STR_ARG(all[i].name));
    }
    models_free(all, count);
    run_free(r);
    model_free(m);
}

static void run_go__answers_as_the_runtime_in_python(void **state)
{
    static const char *const names[] = {"identity",
                                        "simple",
                                        "simple_string",
                                        "identity_bool",
                                        "identity_uint8",
                                        "identity_uint16",
                                        "identity_uint32",
                                        "identity_uint64",
                                        "identity_int8",
                                        "identity_int16",
                                        "identity_int32",
                                        "identity_int64",
                                        "identity_fp16",
                                        "identity_fp32",
                                        "identity_fp64",
                                        "identity_bf16",
                                        "identity_bytes",
                                        "matmul",
                                        "matmul_fp16",
                                        "zipmap_int64",
                                        "zipmap_string",
                                        "boost_int64",
                                        "boost_string",
                                        "regressor",
                                        "lstm",
                                        "mean_rows",
                                        "spin",
                                        "bomb",
                                        "external",
                                        "scalar",
                                        "nonzero",
                                        "default_input",
                                        "gather",
                                        "chain_8"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check(names[i]);
}

static void model_signature__knows_labels_and_defaults(void **state)
{
    (void)state;
    struct fault f = {0};
    struct model *m = NULL;
    assert_int_equal(open_named("zipmap_int64", &m, &f), OK);
    const struct signature *sig = model_signature(m);
    assert_int_equal(sig->outputs[1].dtype, DTYPE_FP32);
    assert_int_equal(sig->outputs[1].shape.dim[0], -1);
    assert_int_equal(sig->outputs[1].shape.dim[1], 3);
    assert_int_equal(sig->outputs[1].label_count, 3);
    assert_true(str_eq(sig->outputs[1].labels[1], STR("-3")));
    model_free(m);
    assert_int_equal(open_named("default_input", &m, &f), OK);
    sig = model_signature(m);
    assert_int_equal(sig->input_count, 2);
    assert_true(!sig->inputs[0].optional && sig->inputs[1].optional);
    model_free(m);
}

static void run_go__tells_the_runtimes_reason(void **state)
{
    (void)state;
    const int64_t nine = 9;
    const struct view input = {DTYPE_INT64, {{1}, 1}, (const void *)&nine, 8};
    struct fault f = {0};
    struct model *m = NULL;
    struct run *r = NULL;
    assert_int_equal(open_named("gather", &m, &f), OK);
    assert_int_equal(run_new(m, &r, &f), OK);
    assert_int_equal(run_go(r, &input, 1, &f), ERR_ENGINE);
    assert_non_null(strstr(f.text, "indices"));
    run_free(r);
    model_free(m);
}

static void run_go__keeps_nul_bytes_of_strings(void **state)
{
    (void)state;
    static const uint8_t records[] = {3, 0, 0, 0, 'a', 0, 'b', 0, 0, 0, 0, 1, 0, 0, 0, 0xff};
    const struct view input = {DTYPE_BYTES, {{1, 3}, 2}, records, sizeof records};
    struct fault f = {0};
    struct model *m = NULL;
    struct run *r = NULL;
    assert_int_equal(open_named("identity_bytes", &m, &f), OK);
    assert_int_equal(run_new(m, &r, &f), OK);
    assert_int_equal(run_go(r, &input, 1, &f), OK);
    assert_int_equal(run_views(r)[0].len, sizeof records);
    assert_memory_equal(run_views(r)[0].at, records, sizeof records);
    const struct view cut = {DTYPE_BYTES, {{1, 3}, 2}, records, sizeof records - 1};
    assert_int_equal(run_go(r, &cut, 1, &f), ERR_ENGINE);
    run_free(r);
    model_free(m);
}

static void run_stop__ends_a_run(void **state)
{
    (void)state;
    const int64_t turns = 1000000;
    const struct view input = {DTYPE_INT64, {{1}, 1}, (const void *)&turns, 8};
    struct fault f = {0};
    struct model *m = NULL;
    struct run *r = NULL;
    assert_int_equal(open_named("spin", &m, &f), OK);
    assert_int_equal(run_new(m, &r, &f), OK);
    run_stop(r);
    const uint64_t begun = clock_ns();
    assert_int_equal(run_go(r, &input, 1, &f), ERR_ENGINE);
    assert_true(clock_ns() - begun < 5 * NS_PER_S);
    run_unstop(r);
    const int64_t few = 3;
    const struct view again = {DTYPE_INT64, {{1}, 1}, (const void *)&few, 8};
    assert_int_equal(run_go(r, &again, 1, &f), OK);
    run_free(r);
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
    if (ort_open(&opts, &ort, &f) != OK) {
        print_error("%s\n", f.text);
        return -1;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_open__refuses_a_sequence_with_the_fix),
        cmocka_unit_test(model_open__refuses_a_location_outside),
        cmocka_unit_test(model_open__refuses_a_file_that_is_missing),
        cmocka_unit_test(model_open__refuses_noise),
        cmocka_unit_test(run_go__tells_the_runtimes_reason),
        cmocka_unit_test(model_signature__knows_labels_and_defaults),
        cmocka_unit_test(run_go__answers_as_the_runtime_in_python),
        cmocka_unit_test(run_go__keeps_nul_bytes_of_strings),
        cmocka_unit_test(run_stop__ends_a_run),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
