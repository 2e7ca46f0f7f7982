/* Metadata bodies, held against the texts that the protocol's clients read. */
#include <string.h>

#include "check.h"
#include "proto/oip_meta.h"

static const str LABELS[] = {STR_LIT("a"), STR_LIT("b\"c")};
static const struct spec INPUTS[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {4, 2}, .rank = 2}},
    {.name = STR_LIT("y\n"),
     .dtype = DTYPE_BYTES,
     .shape = {.dim = {-1, -1}, .rank = 2},
     .optional = true},
};
static const struct spec OUTPUTS[] = {
    {.name = STR_LIT("p"),
     .dtype = DTYPE_FP16,
     .shape = {.dim = {-1, 2}, .rank = 2},
     .labels = LABELS,
     .label_count = 2},
};
static const struct signature SIG = {INPUTS, 2, OUTPUTS, 1, 0};
static const struct signature BATCHED = {INPUTS, 2, OUTPUTS, 1, 8};

static struct model_facts facts(const struct signature *sig, bool is_unsigned)
{
    return (struct model_facts){STR("m"), STR("1"), sig, STR("sha256:00"), is_unsigned, 2, 100};
}

static void check_chain(struct chain *c, const char *want)
{
    char got[4096];
    size_t len = 0;

    assert_false(c->failed);
    for (uint32_t i = 0; i < c->piece_count; i++) {
        assert_true(len + c->pieces[i].iov_len < sizeof(got));
        memcpy(got + len, c->pieces[i].iov_base, c->pieces[i].iov_len);
        len += c->pieces[i].iov_len;
    }
    got[len] = 0;
    assert_string_equal(got, want);
    chain_free(c);
}

static void oip_meta_index_ask__refuses_what_is_no_question(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",
                                      "{\"ready\":1}",
                                      "{\"ready\":true,\"ready\":true}",
                                      "{\"ready\":true}x",
                                      "{",
                                      "\"ready\"",
                                      "{\"ready\":\"true\"}"};
    bool ready = true;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fault f = {0};
        assert_int_equal(oip_meta_index_ask(str_of(bad[i]), &ready, &f), ERR_INPUT);
        assert_true(ready && f.text[0]);
    }
}

static void oip_meta_index_ask__reads_the_question(void **state)
{
    (void)state;
    static const char *const all[] = {
        "", " \n", "{}", "{\"ready\":false}", "{\"ready\":null}", "{\"x\":[1]}"};
    bool ready;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ready = true;
        assert_int_equal(oip_meta_index_ask(str_of(all[i]), &ready, NULL), OK);
        assert_false(ready);
    }
    assert_int_equal(oip_meta_index_ask(STR("{\"x\":{}, \"ready\":true}"), &ready, NULL), OK);
    assert_true(ready);
}

static void oip_meta__writes_the_server(void **state)
{
    (void)state;
    struct chain c = {0};
    oip_meta_server(&c, STR("garrison"), STR("0.1.0"));
    check_chain(&c,
                "{\"name\":\"garrison\",\"version\":\"0.1.0\",\"extensions\":[\"classification\","
                "\"schedule_policy\",\"model_configuration\",\"binary_tensor_data\","
                "\"parameters\",\"statistics\"]}");
    oip_meta_live(&c);
    check_chain(&c, "{\"live\":true}");
    oip_meta_ready(&c, STR(""));
    check_chain(&c, "{\"ready\":true}");
    oip_meta_ready(&c, STR("draining"));
    check_chain(&c, "{\"ready\":false,\"error\":\"draining\"}");
    oip_meta_error(&c, STR("a \"b\"\x01 \xFF \xC3\xA9"));
    check_chain(&c, "{\"error\":\"a \\\"b\\\"\\u0001 \xEF\xBF\xBD \xC3\xA9\"}");
    oip_meta_models(&c, LABELS, 2);
    check_chain(&c, "{\"models\":[\"a\",\"b\\\"c\"]}");
    oip_meta_model_ready(&c, STR("m"), STR(""));
    check_chain(&c, "{\"name\":\"m\",\"ready\":true}");
    oip_meta_model_ready(&c, STR("m"), STR("loading"));
    check_chain(&c, "{\"name\":\"m\",\"ready\":false,\"error\":\"loading\"}");
}

static void oip_meta__writes_a_model(void **state)
{
    (void)state;
    const str versions[] = {STR("1"), STR("2")};
    struct model_facts m = facts(&SIG, true);
    struct chain c = {0};
    oip_meta_model(&c, &m, versions, 2);
    check_chain(&c, "{\"name\":\"m\",\"versions\":[\"1\",\"2\"],\"platform\":\"onnxruntime_onnx\","
                    "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[4,2]},"
                    "{\"name\":\"y\\n\",\"datatype\":\"BYTES\",\"shape\":[-1,-1]}],\"outputs\":["
                    "{\"name\":\"p\",\"datatype\":\"FP16\",\"shape\":[-1,2]}],\"properties\":{"
                    "\"digest\":\"sha256:00\",\"unsigned\":\"true\","
                    "\"labels.p\":\"[\\\"a\\\",\\\"b\\\\\\\"c\\\"]\"}}");
    m = facts(&BATCHED, false);
    oip_meta_model(&c, &m, versions, 1);
    check_chain(&c, "{\"name\":\"m\",\"versions\":[\"1\"],\"platform\":\"onnxruntime_onnx\","
                    "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]},"
                    "{\"name\":\"y\\n\",\"datatype\":\"BYTES\",\"shape\":[-1,-1]}],\"outputs\":["
                    "{\"name\":\"p\",\"datatype\":\"FP16\",\"shape\":[-1,2]}],\"properties\":{"
                    "\"digest\":\"sha256:00\","
                    "\"labels.p\":\"[\\\"a\\\",\\\"b\\\\\\\"c\\\"]\"}}");
}

static void oip_meta__writes_a_configuration(void **state)
{
    (void)state;
    struct model_facts m = facts(&SIG, true);
    struct chain c = {0};
    oip_meta_config(&c, &m);
    check_chain(&c,
                "{\"name\":\"m\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"onnxruntime\","
                "\"max_batch_size\":0,\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\","
                "\"format\":\"FORMAT_NONE\",\"dims\":[4,2],\"optional\":false},{\"name\":\"y\\n\","
                "\"data_type\":\"TYPE_STRING\",\"format\":\"FORMAT_NONE\",\"dims\":[-1,-1],"
                "\"optional\":true}],\"output\":[{\"name\":\"p\",\"data_type\":\"TYPE_FP16\","
                "\"dims\":[-1,2],\"label_filename\":\"\"}],\"instance_group\":[{\"name\":\"m\","
                "\"count\":2,\"kind\":\"KIND_CPU\"}],"
                "\"model_transaction_policy\":{\"decoupled\":false},"
                "\"response_cache\":{\"enable\":false}}");
    m = facts(&BATCHED, true);
    oip_meta_config(&c, &m);
    check_chain(&c,
                "{\"name\":\"m\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"onnxruntime\","
                "\"max_batch_size\":8,\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\","
                "\"format\":\"FORMAT_NONE\",\"dims\":[2],\"optional\":false},{\"name\":\"y\\n\","
                "\"data_type\":\"TYPE_STRING\",\"format\":\"FORMAT_NONE\",\"dims\":[-1],"
                "\"optional\":true}],\"output\":[{\"name\":\"p\",\"data_type\":\"TYPE_FP16\","
                "\"dims\":[2],\"label_filename\":\"\"}],\"instance_group\":[{\"name\":\"m\","
                "\"count\":2,\"kind\":\"KIND_CPU\"}],\"dynamic_batching\":{"
                "\"preferred_batch_size\":[],\"max_queue_delay_microseconds\":100},"
                "\"model_transaction_policy\":{\"decoupled\":false},"
                "\"response_cache\":{\"enable\":false}}");
}

static void oip_meta__writes_statistics(void **state)
{
    (void)state;
    const struct batch_stats batches[] = {{4, {1, 2}, {1, 3}, {1, 4}}};
    const struct model_stats s = {STR("m"), STR("1"), 1700000000000, 4,       1,       {1, 10},
                                  {0, 0},   {1, 11},  {1, 12},       {1, 13}, {1, 14}, batches,
                                  1};
    struct model_stats idle = {.name = STR("n"), .version = STR("2")};
    struct chain c = {0};
    oip_meta_stats_open(&c);
    oip_meta_stats(&c, &s, true);
    oip_meta_stats(&c, &idle, false);
    oip_meta_stats_close(&c);
    check_chain(
        &c, "{\"model_stats\":[{\"name\":\"m\",\"version\":\"1\",\"last_inference\":1700000000000,"
            "\"inference_count\":4,\"execution_count\":1,\"inference_stats\":{"
            "\"success\":{\"count\":1,\"ns\":10},\"fail\":{\"count\":0,\"ns\":0},"
            "\"queue\":{\"count\":1,\"ns\":11},\"compute_input\":{\"count\":1,\"ns\":12},"
            "\"compute_infer\":{\"count\":1,\"ns\":13},\"compute_output\":{\"count\":1,\"ns\":14},"
            "\"cache_hit\":{\"count\":0,\"ns\":0},\"cache_miss\":{\"count\":0,\"ns\":0}},"
            "\"batch_stats\":[{\"batch_size\":4,\"compute_input\":{\"count\":1,\"ns\":2},"
            "\"compute_infer\":{\"count\":1,\"ns\":3},\"compute_output\":{\"count\":1,\"ns\":4}}]},"
            "{\"name\":\"n\",\"version\":\"2\",\"last_inference\":0,"
            "\"inference_count\":0,\"execution_count\":0,\"inference_stats\":{"
            "\"success\":{\"count\":0,\"ns\":0},\"fail\":{\"count\":0,\"ns\":0},"
            "\"queue\":{\"count\":0,\"ns\":0},\"compute_input\":{\"count\":0,\"ns\":0},"
            "\"compute_infer\":{\"count\":0,\"ns\":0},\"compute_output\":{\"count\":0,\"ns\":0},"
            "\"cache_hit\":{\"count\":0,\"ns\":0},\"cache_miss\":{\"count\":0,\"ns\":0}},"
            "\"batch_stats\":[]}]}");
}

static void oip_meta__writes_the_index(void **state)
{
    (void)state;
    const struct model_entry entries[] = {
        {STR("m"), STR("1"), STR("READY"), STR("")},
        {STR("n"), STR("1"), STR("UNAVAILABLE"), STR("five deaths")},
    };
    struct chain c = {0};
    oip_meta_index(&c, entries, 2);
    check_chain(&c, "[{\"name\":\"m\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"},"
                    "{\"name\":\"n\",\"version\":\"1\",\"state\":\"UNAVAILABLE\","
                    "\"reason\":\"five deaths\"}]");
    oip_meta_index(&c, NULL, 0);
    check_chain(&c, "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oip_meta_index_ask__refuses_what_is_no_question),
        cmocka_unit_test(oip_meta_index_ask__reads_the_question),
        cmocka_unit_test(oip_meta__writes_the_server),
        cmocka_unit_test(oip_meta__writes_a_model),
        cmocka_unit_test(oip_meta__writes_a_configuration),
        cmocka_unit_test(oip_meta__writes_statistics),
        cmocka_unit_test(oip_meta__writes_the_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
