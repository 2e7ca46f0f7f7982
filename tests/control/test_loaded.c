/* The word of a worker about its model: every lie refused, the rest gathered over messages. */
#include "check.h"

#include <stdio.h>

#include "control/loaded.h"

static uint8_t tensor_bytes[200000], label_bytes[200000], run_bytes[1000];

struct say {
    struct message_buffer tensors, labels, runs;
};

static struct say nothing(void)
{
    return (struct say){.tensors = {.at = tensor_bytes, .cap = sizeof tensor_bytes},
                        .labels = {.at = label_bytes, .cap = sizeof label_bytes},
                        .runs = {.at = run_bytes, .cap = sizeof run_bytes}};
}

static void add(struct say *s, struct message_tensor t)
{
    assert_int_equal(message_add_tensor(&s->tensors, &t, NULL), OK);
}

static err take(struct loaded *l, const struct say *s, bool last)
{
    const struct message_worker_loaded m = {.tensors = message_list_of(&s->tensors),
                                            .labels = message_list_of(&s->labels),
                                            .runs = message_list_of(&s->runs),
                                            .batches = 1,
                                            .load_ms = 5,
                                            .note = STR("a note")};
    return loaded_take(l, &m, last, NULL);
}

static void loaded__refuses_lies(void **state)
{
    (void)state;
    static const struct message_tensor lies[] = {
        {.io = 2, .type = DTYPE_FP32},
        {.io = 1, .type = DTYPE_NONE},
        {.io = 1, .type = DTYPE_COUNT},
        {.io = 1, .type = DTYPE_FP32, .rank = 9},
        {.io = 1, .type = DTYPE_FP32, .rank = 1, .dim0 = -2},
        {.io = 1, .type = DTYPE_FP32, .rank = 8, .dim7 = INT64_MIN},
        {.io = 0, .type = DTYPE_FP32, .optional = 2},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct loaded *l = NULL;
        struct say s = nothing();
        assert_int_equal(loaded_new(&l, NULL), OK);
        add(&s, (struct message_tensor){.io = 1, .type = DTYPE_FP32});
        add(&s, lies[i]);
        assert_int_equal(take(l, &s, true), ERR_INPUT);
        loaded_free(l);
    }
}

static void loaded__refuses_too_many_outputs_and_none(void **state)
{
    (void)state;
    struct loaded *l = NULL;
    struct say s = nothing();
    assert_int_equal(loaded_new(&l, NULL), OK);
    assert_int_equal(take(l, &s, true), ERR_INPUT); /* no output */
    for (unsigned i = 0; i < SIGNATURE_OUTPUTS_MAX; i++)
        add(&s, (struct message_tensor){.io = 1, .type = DTYPE_FP32});
    assert_int_equal(take(l, &s, false), OK);
    s = nothing();
    add(&s, (struct message_tensor){.io = 1, .type = DTYPE_FP32});
    assert_int_equal(take(l, &s, true), ERR_INPUT);
    loaded_free(l);
}

static void loaded__refuses_labels_and_runs_outside(void **state)
{
    (void)state;
    struct loaded *l = NULL;
    struct say s = nothing();
    const struct message_label label = {.output = 1, .text = STR("x")};
    const struct message_run run = {.exponent = SNAPSHOT_RUN_CLASSES, .ns = 1};
    assert_int_equal(loaded_new(&l, NULL), OK);
    add(&s, (struct message_tensor){.io = 1, .type = DTYPE_FP32});
    assert_int_equal(message_add_label(&s.labels, &label, NULL), OK);
    assert_int_equal(take(l, &s, true), ERR_INPUT);
    s = nothing();
    assert_int_equal(message_add_run(&s.runs, &run, NULL), OK);
    assert_int_equal(take(l, &s, true), ERR_INPUT);
    loaded_free(l);
}

static void loaded__gathers_a_signature_from_many_messages(void **state)
{
    (void)state;
    struct loaded *l = NULL;
    struct say s = nothing();
    char name[32];
    assert_int_equal(loaded_new(&l, NULL), OK);
    add(&s, (struct message_tensor){.io = 0,
                                    .type = DTYPE_FP32,
                                    .rank = 2,
                                    .dim0 = -1,
                                    .dim1 = 4,
                                    .optional = 1,
                                    .name = STR("x")});
    add(&s, (struct message_tensor){.io = 1, .type = DTYPE_FP64, .name = STR("p")});
    const struct message_run run = {.exponent = 16, .ns = 77};
    assert_int_equal(message_add_run(&s.runs, &run, NULL), OK);
    assert_int_equal(take(l, &s, false), OK);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "class %u", i);
        if (i % 100 == 0)
            s = nothing();
        const struct message_label label = {.output = 0, .text = str_of(name)};
        assert_int_equal(message_add_label(&s.labels, &label, NULL), OK);
        if (i % 100 == 99)
            assert_int_equal(take(l, &s, i == 299), OK);
    }
    assert_int_equal(l->sig.input_count, 1);
    assert_true(l->sig.inputs[0].optional && l->sig.inputs[0].shape.dim[1] == 4);
    assert_true(str_eq(l->sig.inputs[0].name, STR("x")));
    assert_int_equal(l->sig.output_count, 1);
    assert_int_equal(l->sig.outputs[0].label_count, 300);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "class %u", i);
        assert_true(str_eq(l->sig.outputs[0].labels[i], str_of(name)));
    }
    assert_true(l->batches && l->run_ns[16] == 77 && l->run_ns[0] == 0);
    assert_string_equal(l->note, "a note");
    loaded_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded__refuses_lies),
        cmocka_unit_test(loaded__refuses_too_many_outputs_and_none),
        cmocka_unit_test(loaded__refuses_labels_and_runs_outside),
        cmocka_unit_test(loaded__gathers_a_signature_from_many_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
