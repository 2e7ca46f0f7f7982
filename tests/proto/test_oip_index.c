/* The first pass over an inference request: refusals first, each with a part of its text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "proto/oip.h"

#define STAND                                                                                      \
    "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1,2,3,4]}]"

static const struct spec INPUTS[] = {
    {.name = STR_LIT("a"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 2}, .rank = 2}},
    {.name = STR_LIT("s"),
     .dtype = DTYPE_BYTES,
     .shape = {.dim = {-1, 1}, .rank = 2},
     .optional = true},
    {.name = STR_LIT("k"), .dtype = DTYPE_INT64, .shape = {.rank = 0}, .optional = true},
};
static const struct spec OUTPUTS[] = {
    {.name = STR_LIT("p"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 3}, .rank = 2}},
    {.name = STR_LIT("t"), .dtype = DTYPE_BYTES, .shape = {.dim = {-1, 1}, .rank = 2}},
    {.name = STR_LIT("b"), .dtype = DTYPE_BOOL, .shape = {.dim = {-1, 1}, .rank = 2}},
};
static const struct signature SIG = {INPUTS, 3, OUTPUTS, 3, 0};
static const struct signature BATCHED = {INPUTS, 2, OUTPUTS, 3, 4};

struct bench {
    struct arena arena;
    struct infer_request r;
    struct fault f;
};

static err index_of(struct bench *b, const struct signature *sig, str body, int64_t json_len)
{
    const struct oip_body bytes = {body, json_len >= 0, json_len >= 0 ? (uint64_t)json_len : 0};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;

    arena_reset(&b->arena);
    memset(&b->f, 0, sizeof(b->f));
    memset(&b->r, 0, sizeof(b->r));
    return oip_index(&bytes, sig, &limits, &b->arena, &b->r, &b->f);
}

static int setup(void **state)
{
    static struct bench b;

    b = (struct bench){0};
    arena_init(&b.arena, 1 << 20);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    arena_free(&b->arena);
    return 0;
}

struct refusal {
    const char *body, *text;
    err code;
};

static void refuse_all(struct bench *b, const struct refusal *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const err e = index_of(b, &SIG, str_of(all[i].body), -1);
        if (e != (all[i].code ? all[i].code : ERR_INPUT) || !strstr(b->f.text, all[i].text))
            fail_msg("%s\n gives %s: %s\n want \"%s\"", all[i].body, err_name(e), b->f.text,
                     all[i].text);
        assert_null(b->r.inputs);
    }
}

#define IN(rest) "{\"inputs\":[{" rest "}]}"
#define A        "\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1,2]"

static const struct refusal WRONG[] = {
    {"", "JSON at byte 0", 0},
    {"[]", "no JSON object", 0},
    {"{}", "input \"a\" is missing", 0},
    {STAND "}x", "more text after", 0},
    {STAND ",}", "want a key", 0},
    {"{\"inputs\":{}}", "\"inputs\" is no array", 0},
    {"{\"inputs\":[1]}", "inputs[0] is no object", 0},
    {"{\"inputs\":[null]}", "inputs[0] is no object", 0},
    {"{\"inputs\":[]}", "input \"a\" is missing", 0},
    {IN("\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]"), "inputs[0] has no \"name\"", 0},
    {IN("\"name\":\"z\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]"),
     "the model has no input \"z\"; want \"a\", \"s\", \"k\"", 0},
    {IN("\"name\":7"), "\"name\" is no string", 0},
    {IN("\"name\":\"a\",\"shape\":[1,2],\"data\":[1,2]"), "has no \"datatype\"", 0},
    {IN("\"name\":\"a\",\"datatype\":null,\"shape\":[1,2],\"data\":[1,2]"), "has no \"datatype\"",
     0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"data\":[1,2]"), "has no \"shape\"", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP64\",\"shape\":[1,2],\"data\":[1,2]"),
     "datatype \"FP64\", want FP32", 0},
    {IN("\"name\":\"a\",\"datatype\":\"fp32\",\"shape\":[1,2],\"data\":[1,2]"), "want FP32", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]"), "rank", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2,3]"), "want 2", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[-1,2],\"data\":[1,2]"), "want >= 0", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1.5,2],\"data\":[1,2]"),
     "shape[0] is no whole", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[\"1\",2],\"data\":[1,2]"),
     "shape[0] is no whole", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[9223372036854775808,2],\"data\":[]"),
     "shape[0] is no whole", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[9223372036854775807,2],\"data\":[]"),
     "too many elements", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1000000,2],\"data\":[1,2]"),
     "\"data\" has 2 elements, want 2000000", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data\":[1]"),
     "more than 8 dims", 0},
    {IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":2,\"data\":[1,2]"), "is no array", 0},
    {IN(A), "neither \"data\" nor", 0},
    {IN(A ",\"data\":null"), "neither \"data\" nor", 0},
    {IN(A ",\"data\":[1,2],\"parameters\":{\"binary_data_size\":8}"), "both", 0},
    {IN(A ",\"parameters\":{\"binary_data_size\":8}"), "0 are left", 0},
    {IN(A ",\"parameters\":{\"binary_data_size\":7}"), "want 2 elements of 4", 0},
    {IN(A ",\"parameters\":{\"binary_data_size\":\"8\"}"), "no whole number", 0},
    {IN(A ",\"parameters\":{\"binary_data_size\":-8}"), "no whole number", 0},
    {IN(A ",\"parameters\":[]"), "\"parameters\" is no object", 0},
    {IN(A ",\"data\":[1,2],\"data\":[1,2]"), "\"data\" is given twice", 0},
    {IN(A ",\"data\":[1,2],\"\\u0064ata\":[1,2]"), "\"data\" is given twice", 0},
    {IN(A ",\"data\":[1,2],\"x\":[1,}"), "JSON at byte", 0},
    {IN(A ",\"data\":[1,2]},{" A ",\"data\":[1,2]"), "input \"a\" is given twice", 0},
    {STAND ",\"id\":7}", "\"id\" is no string", 0},
    {STAND ",\"id\":\"x\",\"id\":\"x\"}", "\"id\" is given twice", 0},
    {STAND ",\"id\":\"\\ud800\"}", "JSON at byte", 0},
    {STAND ",\"outputs\":{}}", "\"outputs\" is no array", 0},
    {STAND ",\"outputs\":[{}]}", "outputs[0] has no \"name\"", 0},
    {STAND ",\"outputs\":[{\"name\":\"q\"}]}", "no output \"q\"", 0},
    {STAND ",\"outputs\":[{\"name\":\"p\"},{\"name\":\"p\"}]}", "asked for twice", 0},
    {STAND ",\"outputs\":[{\"name\":\"p\",\"parameters\":{\"classification\":0}}]}",
     "no whole number >= 1", 0},
    {STAND ",\"outputs\":[{\"name\":\"t\",\"parameters\":{\"classification\":1}}]}",
     "wants numbers", 0},
    {STAND ",\"outputs\":[{\"name\":\"b\",\"parameters\":{\"classification\":1}}]}",
     "wants numbers", 0},
    {STAND ",\"outputs\":[{\"name\":\"p\",\"parameters\":{\"binary_data\":1}}]}",
     "want true or false", 0},
};

static void oip_index__refuses_wrong_requests(void **state)
{
    refuse_all(*state, WRONG, sizeof(WRONG) / sizeof(WRONG[0]));
}

static void oip_index__refuses_wrong_parameters(void **state)
{
    static const struct refusal all[] = {
        {STAND ",\"parameters\":7}", "\"parameters\" is no object", 0},
        {STAND ",\"parameters\":{\"timeout\":\"5\"}}", "\"timeout\"", 0},
        {STAND ",\"parameters\":{\"timeout\":-1}}", "\"timeout\"", 0},
        {STAND ",\"parameters\":{\"timeout\":1.5}}", "\"timeout\"", 0},
        {STAND ",\"parameters\":{\"timeout\":1,\"timeout\":1}}", "given twice", 0},
        {STAND ",\"parameters\":{\"priority\":true}}", "\"priority\"", 0},
        {STAND ",\"parameters\":{\"binary_data_output\":\"true\"}}", "want true or false", 0},
        {STAND ",\"parameters\":{\"sequence_id\":5}}", "sequences", ERR_UNSUPPORTED},
        {STAND ",\"parameters\":{\"sequence_id\":\"5\"}}", "sequences", ERR_UNSUPPORTED},
        {STAND ",\"parameters\":{\"sequence_id\":[]}}", "wrong type", 0},
        {STAND ",\"parameters\":{\"sequence_start\":true}}", "sequences", ERR_UNSUPPORTED},
        {STAND ",\"parameters\":{\"sequence_end\":true}}", "sequences", ERR_UNSUPPORTED},
        {STAND ",\"parameters\":{\"sequence_end\":1}}", "wrong type", 0},
        {STAND ",\"parameters\":{\"shared_memory_region\":\"x\"}}", "shared memory",
         ERR_UNSUPPORTED},
        {IN(A ",\"parameters\":{\"shared_memory_byte_size\":8}"), "shared memory", ERR_UNSUPPORTED},
        {STAND ",\"outputs\":[{\"name\":\"p\",\"parameters\":{\"shared_memory_offset\":0}}]}",
         "shared memory", ERR_UNSUPPORTED},
        {STAND ",\"parameters\":{\"triton_x\":1}}", "reserved", 0},
    };
    refuse_all(*state, all, sizeof(all) / sizeof(all[0]));
}

static void oip_index__refuses_beyond_its_limits(void **state)
{
    struct bench *b = *state;
    char body[4096];
    int n = snprintf(body, sizeof(body), "%s,\"parameters\":{", STAND);
    for (int i = 0; i < 33; i++)
        n += snprintf(body + n, sizeof(body) - (size_t)n, "%s\"p%d\":1", i ? "," : "", i);
    (void)snprintf(body + n, sizeof(body) - (size_t)n, "}}");
    assert_int_equal(index_of(b, &SIG, str_of(body), -1), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "more than 32 parameters"));
    (void)snprintf(body, sizeof(body), "%s,\"%0257d\":1}", STAND, 0);
    assert_int_equal(index_of(b, &SIG, str_of(body), -1), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "longer than 256"));
    (void)snprintf(body, sizeof(body), "%s,\"id\":\"%01025d\"}", STAND, 0);
    assert_int_equal(index_of(b, &SIG, str_of(body), -1), ERR_INPUT);
    (void)snprintf(body, sizeof(body), "%s,\"id\":\"%01024d\"}", STAND, 0);
    assert_int_equal(index_of(b, &SIG, str_of(body), -1), OK);
    assert_int_equal(b->r.id.len, 1024);
    (void)snprintf(body, sizeof(body), "%s,\"x\":%01025d}", STAND, 7);
    assert_int_equal(index_of(b, &SIG, str_of(body), -1), ERR_INPUT);

    struct arena small;
    const struct oip_body bytes = {.bytes = STR(STAND "}")};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    arena_init(&small, 64);
    assert_int_equal(oip_index(&bytes, &SIG, &limits, &small, &b->r, &b->f), ERR_TOO_BIG);
    arena_free(&small);
}

static void oip_index__says_so_wherever_the_arena_ends(void **state)
{
    struct bench *b = *state;
    const struct oip_body bytes = {
        .bytes = STR(STAND ",\"id\":\"\\u0041\",\"parameters\":{\"\\u0041\":1},\"outputs\":["
                           "{\"n\\u0061me\":\"\\u0070\"}]}")};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    uint64_t cap = 0;
    for (;; cap += 16) {
        struct arena small;
        memset(&b->f, 0, sizeof(b->f));
        memset(&b->r, 0, sizeof(b->r));
        arena_init(&small, cap);
        const err e = oip_index(&bytes, &SIG, &limits, &small, &b->r, &b->f);
        arena_free(&small);
        if (e == OK)
            break;
        assert_int_equal(e, ERR_TOO_BIG);
        assert_null(b->r.inputs);
        assert_true(cap < 4096);
    }
    assert_true(cap > 64);
}

static void oip_index__refuses_sizes_that_do_not_add_up(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *json;
        size_t binary; /* bytes that follow */
        const char *text;
    } all[] = {
        {IN(A ",\"parameters\":{\"binary_data_size\":8}"), 7, "7 are left"},
        {IN(A ",\"parameters\":{\"binary_data_size\":8}"), 9, "1 bytes of binary data are left"},
        {IN(A), 7, "7 are left"},
        {IN(A), 9, "left over"},
        {IN(A ",\"data\":[1,2]"), 1, "left over"},
        {IN("\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[1,1]},{" A), 20,
         "only the last input"},
        {IN(A ",\"parameters\":{\"binary_data_size\":8}},{\"name\":\"s\",\"datatype\":\"BYTES\","
              "\"shape\":[1,1],\"parameters\":{\"binary_data_size\":18446744073709551615}"),
         20, "18446744073709551615"},
    };
    char body[1024];
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const size_t n = strlen(all[i].json);
        memcpy(body, all[i].json, n);
        memset(body + n, 0, all[i].binary);
        if (index_of(b, &SIG, (str){body, n + all[i].binary}, (int64_t)n) != ERR_INPUT ||
            !strstr(b->f.text, all[i].text))
            fail_msg("case %zu: %s", i, b->f.text);
    }
    assert_int_equal(index_of(b, &SIG, STR("{}"), 3), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "Inference-Header-Content-Length is 3"));
}

static void oip_index__takes_members_in_any_order(void **state)
{
    struct bench *b = *state;
    const str body = STR(
        "{\"outputs\":[{\"parameters\":{\"binary_data\":false},\"name\":\"t\",\"x\":{}},"
        "{\"name\":\"p\",\"parameters\":{\"classification\":2,\"y\":[1]}}],\"unknown\":[{}],"
        "\"inputs\":[{\"data\":[\"x\"],\"shape\":[2,1],\"name\":\"s\",\"datatype\":\"BYTES\","
        "\"parameters\":null},{\"data\": [[1,2],[3,4]] ,\"parameters\":{\"z\":{}},"
        "\"n\\u0061me\":\"\\u0061\",\"shape\":[2,2.0],\"datatype\":\"FP32\"}],"
        "\"parameters\":{\"binary_data_output\":true,\"timeout\":1500,\"priority\":2,"
        "\"headers\":{\"a\":1},\"other\":[1,2],\"sequence_id\":0,\"sequence_start\":false,"
        "\"triton_enable_empty_final_response\":true},\"id\":\"\\u00e9\",\"model_name\":\"x\"}");
    assert_int_equal(index_of(b, &SIG, body, -1), OK);
    const struct infer_request *r = &b->r;
    assert_int_equal(r->inputs[0].source, INFER_JSON);
    assert_true(str_eq(r->inputs[0].at, STR("[[1,2],[3,4]]")));
    assert_int_equal(r->inputs[0].bytes, 16);
    assert_int_equal(r->inputs[0].count, 4);
    assert_int_equal(r->inputs[1].source, INFER_JSON);
    assert_true(r->inputs[1].bytes >= 2 * 4 + 1);
    assert_int_equal(r->inputs[2].source, INFER_ABSENT);
    assert_int_equal(r->output_count, 2);
    assert_true(r->outputs[0].index == 1 && !r->outputs[0].binary && r->outputs[0].classes == 0);
    assert_true(r->outputs[1].index == 0 && r->outputs[1].binary && r->outputs[1].classes == 2);
    assert_true(str_eq(r->id, STR("\xC3\xA9")));
    assert_int_equal(r->timeout_us, 1500);
    assert_int_equal(r->priority, 2);
    assert_int_equal(r->rows, 2);
}

static void oip_index__gives_all_outputs_where_none_is_named(void **state)
{
    struct bench *b = *state;
    static const char *const tails[] = {"}", ",\"outputs\":[]}", ",\"outputs\":null}"};
    char body[512];
    for (size_t t = 0; t < 3; t++) {
        (void)snprintf(body, sizeof(body), "%s%s", STAND, tails[t]);
        assert_int_equal(index_of(b, &SIG, str_of(body), -1), OK);
        assert_int_equal(b->r.output_count, 3);
        for (uint32_t i = 0; i < 3; i++)
            assert_true(b->r.outputs[i].index == i && !b->r.outputs[i].binary);
        assert_int_equal(b->r.id.len, 0);
        assert_int_equal(b->r.timeout_us, 0);
    }
}

static void oip_index__cuts_the_binary_part_in_the_order_sent(void **state)
{
    struct bench *b = *state;
    static const char json[] = IN(
        "\"name\":\"k\",\"datatype\":\"INT64\",\"shape\":[],\"parameters\":"
        "{\"binary_data_size\":8}},{" A "},{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[1,1]");
    char body[512];
    const size_t n = sizeof(json) - 1;
    memcpy(body, json, n);
    memset(body + n, 7, 64);
    assert_int_equal(index_of(b, &SIG, (str){body, n + 8 + 8 + 9}, (int64_t)n), OK);
    assert_ptr_equal(b->r.inputs[2].at.at, body + n);
    assert_int_equal(b->r.inputs[2].at.len, 8);
    assert_ptr_equal(b->r.inputs[0].at.at, body + n + 8);
    assert_int_equal(b->r.inputs[0].at.len, 8);
    assert_ptr_equal(b->r.inputs[1].at.at, body + n + 16);
    assert_int_equal(b->r.inputs[1].bytes, 9);
    assert_int_equal(b->r.inputs[1].source, INFER_BINARY);
}

static void oip_index__takes_an_empty_tensor_with_null_data(void **state)
{
    struct bench *b = *state;
    const str body = STR(IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[0,2],\"data\":null,"
                            "\"parameters\":{\"binary_data_size\":0}"));
    assert_int_equal(index_of(b, &SIG, body, -1), OK);
    assert_int_equal(b->r.inputs[0].source, INFER_BINARY);
    assert_int_equal(b->r.inputs[0].bytes, 0);
}

static void oip_index__holds_the_batch_where_it_is_stated(void **state)
{
    struct bench *b = *state;
    const str differ = STR(
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1,2,3,4]},"
        "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[1,1],\"data\":[\"x\"]}]}");
    const str many = STR(IN("\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[5,2],"
                            "\"data\":[1,2,3,4,5,6,7,8,9,10]"));
    assert_int_equal(index_of(b, &BATCHED, differ, -1), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "differ in their first dim"));
    assert_int_equal(index_of(b, &BATCHED, many, -1), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "5 rows, the model takes 4"));
    assert_int_equal(index_of(b, &SIG, differ, -1), OK);
    assert_int_equal(b->r.rows, 1);
    assert_int_equal(index_of(b, &SIG, many, -1), OK);
    assert_int_equal(b->r.rows, 5);
    assert_int_equal(index_of(b, &BATCHED, STR(STAND "}"), -1), OK);
    assert_int_equal(b->r.rows, 2);
}

static void oip_index__solves_a_raw_request(void **state)
{
    struct bench *b = *state;
    const char bytes[64] = {0};
    static const struct spec two_free = {
        .name = STR_LIT("x"), .dtype = DTYPE_INT16, .shape = {.dim = {-1, -1}, .rank = 2}};
    static const struct spec text = {
        .name = STR_LIT("x"), .dtype = DTYPE_BYTES, .shape = {.dim = {-1, 1}, .rank = 2}};
    const struct signature free_sig = {&two_free, 1, OUTPUTS, 3, 0};
    const struct signature free_batched = {&two_free, 1, OUTPUTS, 3, 8};
    const struct signature text_sig = {&text, 1, OUTPUTS, 3, 0};
    const struct signature text_batched = {&text, 1, OUTPUTS, 3, 8};

    assert_int_equal(index_of(b, &SIG, (str){bytes, 12}, 0), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "a multiple of 8 bytes, the body has 12"));
    assert_int_equal(index_of(b, &BATCHED, (str){bytes, 16}, 0), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "takes 8 bytes, the body has 16"));
    assert_int_equal(index_of(b, &free_sig, (str){bytes, 16}, 0), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "more than one free dim"));
    assert_int_equal(index_of(b, &text_sig, (str){bytes, 16}, 0), ERR_INPUT);
    assert_non_null(strstr(b->f.text, "wants the shape [1]"));

    assert_int_equal(index_of(b, &SIG, (str){bytes, 24}, 0), OK);
    assert_int_equal(b->r.inputs[0].shape.dim[0], 3);
    assert_int_equal(b->r.inputs[0].bytes, 24);
    assert_int_equal(b->r.inputs[1].source, INFER_ABSENT);
    assert_true(b->r.output_count == 3 && b->r.outputs[0].binary && b->r.outputs[2].binary);
    assert_int_equal(index_of(b, &free_batched, (str){bytes, 10}, 0), OK);
    assert_true(b->r.inputs[0].shape.dim[0] == 1 && b->r.inputs[0].shape.dim[1] == 5);
    assert_int_equal(index_of(b, &text_batched, (str){bytes, 10}, 0), OK);
    assert_int_equal(b->r.inputs[0].source, INFER_ELEMENT);
    assert_int_equal(b->r.inputs[0].bytes, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oip_index__refuses_wrong_requests),
        cmocka_unit_test(oip_index__refuses_wrong_parameters),
        cmocka_unit_test(oip_index__refuses_beyond_its_limits),
        cmocka_unit_test(oip_index__says_so_wherever_the_arena_ends),
        cmocka_unit_test(oip_index__refuses_sizes_that_do_not_add_up),
        cmocka_unit_test(oip_index__takes_members_in_any_order),
        cmocka_unit_test(oip_index__gives_all_outputs_where_none_is_named),
        cmocka_unit_test(oip_index__cuts_the_binary_part_in_the_order_sent),
        cmocka_unit_test(oip_index__takes_an_empty_tensor_with_null_data),
        cmocka_unit_test(oip_index__holds_the_batch_where_it_is_stated),
        cmocka_unit_test(oip_index__solves_a_raw_request),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
