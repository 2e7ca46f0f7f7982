/* Replies: what cannot be written is refused; then JSON, binary and classification, byte by byte as
 * the protocol's clients read them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/oip.h"

#define HEAD "{\"model_name\":\"m\",\"model_version\":\"1\","

static const str LABELS[] = {STR_LIT("cat"), STR_LIT("dog"), STR_LIT("\"x\"")};

/* One reply with up to two outputs "p" and "q". */
struct bench {
    struct spec specs[2];
    struct view views[2];
    struct infer_output asked[2];
    uint32_t count, max_batch_size;
    str id;
    struct reply_opts opts;
    struct chain chain;
    struct reply_form form;
    struct fault f;
    char all[8192];
    size_t len;
};

static void bench_add(struct bench *b, enum dtype dtype, struct shape shape, const void *at,
                      uint64_t len)
{
    const uint32_t i = b->count++;

    b->specs[i] = (struct spec){.name = i ? STR("q") : STR("p"), .dtype = dtype, .shape = shape};
    b->views[i] = (struct view){dtype, shape, at, len};
    b->asked[i] = (struct infer_output){.index = i};
}

static err bench_reply(struct bench *b)
{
    const struct signature sig = {NULL, 0, b->specs, b->count, b->max_batch_size};
    const struct infer_request r = {
        .signature = &sig, .outputs = b->asked, .output_count = b->count, .id = b->id};
    const struct reply_ask ask = {&r, b->views, {STR("m"), STR("1")}, b->opts};

    chain_reset(&b->chain);
    memset(&b->f, 0, sizeof(b->f));
    b->len = 0;
    const err e = oip_reply(&b->chain, &ask, &b->form, &b->f);
    for (uint32_t i = 0; i < b->chain.piece_count; i++) {
        const struct iovec *piece = &b->chain.pieces[i];
        assert_true(b->len + piece->iov_len < sizeof(b->all));
        memcpy(b->all + b->len, piece->iov_base, piece->iov_len);
        b->len += piece->iov_len;
    }
    b->all[b->len] = 0;
    return e;
}

static void bench_end(struct bench *b)
{
    chain_free(&b->chain);
}

#define ROW(n) ((struct shape){.dim = {(n)}, .rank = 1})

static void oip_reply__refuses_bytes_that_are_not_utf8_in_json(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_add(&b, DTYPE_BYTES, ROW(2), "\1\0\0\0a\1\0\0\0\xFF", 10);
    assert_int_equal(bench_reply(&b), ERR_INPUT);
    assert_int_equal(b.f.pair, PAIR_CLIENT_ERROR_UNWRITABLE);
    assert_non_null(strstr(b.f.text, "binary_data"));
    b.asked[0].binary = true;
    assert_int_equal(bench_reply(&b), OK);
    bench_end(&b);
}

static void oip_reply__refuses_a_classification_beyond_its_cap(void **state)
{
    (void)state;
    struct bench b = {.max_batch_size = 4096};
    uint8_t *many = calloc(1001, 1000);
    bench_add(&b, DTYPE_UINT8, (struct shape){.dim = {1001, 1000}, .rank = 2}, many, 1001000);
    b.asked[0].classes = 1000;
    assert_int_equal(bench_reply(&b), ERR_INPUT);
    assert_non_null(strstr(b.f.text, "at most 1000000 elements"));
    free(many);
    bench_end(&b);
}

static void check_reply(struct bench *b, const char *want)
{
    if (bench_reply(b) != OK)
        fail_msg("%s", b->f.text);
    assert_string_equal(b->all, want);
    assert_false(b->form.binary);
    assert_int_equal(b->form.json_len, b->len);
    bench_end(b);
}

static void oip_reply__writes_every_datatype_in_json(void **state)
{
    (void)state;
    static const struct {
        enum dtype dtype;
        const char *bytes;
        size_t len;
        int64_t count;
        const char *name, *data;
    } all[] = {
        {DTYPE_BOOL, "\0\1", 2, 2, "BOOL", "false,true"},
        {DTYPE_UINT8, "\0\xFF", 2, 2, "UINT8", "0,255"},
        {DTYPE_INT8, "\x7F\x80", 2, 2, "INT8", "127,-128"},
        {DTYPE_UINT16, "\1\0\xFF\xFF", 4, 2, "UINT16", "1,65535"},
        {DTYPE_INT16, "\xFE\xFF\0\x80", 4, 2, "INT16", "-2,-32768"},
        {DTYPE_UINT32, "\xFF\xFF\xFF\xFF", 4, 1, "UINT32", "4294967295"},
        {DTYPE_INT32, "\0\0\0\x80", 4, 1, "INT32", "-2147483648"},
        {DTYPE_UINT64, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, 1, "UINT64", "18446744073709551615"},
        {DTYPE_INT64, "\0\0\0\0\0\0\0\x80", 8, 1, "INT64", "-9223372036854775808"},
        {DTYPE_FP16, "\0\x3E\0\xFC\x66\x2E", 6, 3, "FP16", "1.5,-Infinity,0.099975586"},
        {DTYPE_BF16, "\xC0\x3F\xC0\x7F", 4, 2, "BF16", "1.5,NaN"},
        {DTYPE_FP32, "\xCD\xCC\xCC\x3D\0\0\x80\x3F\0\0\0\x80", 12, 3, "FP32", "0.1,1.0,-0.0"},
        {DTYPE_FP64, "\x9A\x99\x99\x99\x99\x99\xB9\x3F", 8, 1, "FP64", "0.1"},
        {DTYPE_BYTES, "\0\0\0\0\4\0\0\0\"\n\xC3\xA9", 12, 2, "BYTES", "\"\",\"\\\"\\n\xC3\xA9\""},
        {DTYPE_FP32, "", 0, 0, "FP32", ""},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct bench b = {0};
        char want[256];
        bench_add(&b, all[i].dtype, ROW(all[i].count), all[i].bytes, all[i].len);
        (void)snprintf(want, sizeof(want),
                       HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"%s\",\"shape\":[%d],"
                            "\"data\":[%s]}]}",
                       all[i].name, (int)all[i].count, all[i].data);
        check_reply(&b, want);
    }
}

static void oip_reply__writes_nonfinite_values_as_asked(void **state)
{
    (void)state;
    const float values[] = {NAN, INFINITY, -INFINITY, 1};
    struct bench b = {.id = STR("a\"b")};
    bench_add(&b, DTYPE_FP32, (struct shape){.dim = {2, 2}, .rank = 2}, values, sizeof(values));
    check_reply(&b, HEAD "\"id\":\"a\\\"b\",\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\","
                         "\"shape\":[2,2],\"data\":[NaN,Infinity,-Infinity,1.0]}]}");
    b.opts.nonfinite_string = true;
    check_reply(&b, HEAD "\"id\":\"a\\\"b\",\"outputs\":[{\"name\":\"p\",\"datatype\":\"FP32\","
                         "\"shape\":[2,2],\"data\":[\"NaN\",\"Infinity\",\"-Infinity\",1.0]}]}");
}

static void oip_reply__borrows_binary_tensors(void **state)
{
    (void)state;
    const int32_t values[] = {1, 2};
    const char *json = HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"INT32\",\"shape\":[2],"
                            "\"parameters\":{\"binary_data_size\":8}},{\"name\":\"q\",\"datatype\":"
                            "\"INT32\",\"shape\":[],\"data\":[1]}]}";
    struct bench b = {0};
    bench_add(&b, DTYPE_INT32, ROW(2), values, 8);
    bench_add(&b, DTYPE_INT32, (struct shape){.rank = 0}, values, 4);
    b.asked[0].binary = true;
    assert_int_equal(bench_reply(&b), OK);
    assert_true(b.form.binary);
    assert_int_equal(b.form.json_len, strlen(json));
    assert_int_equal(b.len, strlen(json) + 8);
    assert_memory_equal(b.all, json, strlen(json));
    assert_ptr_equal(b.chain.pieces[b.chain.piece_count - 1].iov_base, values);
    b.views[0].len = 0;
    b.views[0].shape = ROW(0);
    assert_int_equal(bench_reply(&b), OK);
    assert_true(b.form.binary); /* also with no byte */
    assert_int_equal(b.form.json_len, b.len);
    bench_end(&b);
}

static void oip_reply__fills_many_blocks(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    int32_t *values = malloc(COUNT * sizeof(*values));
    struct bench b = {0};
    assert_non_null(values);
    for (int32_t i = 0; i < COUNT; i++)
        values[i] = i * 20011;
    bench_add(&b, DTYPE_INT32, ROW(COUNT), values, COUNT * 4);
    const struct signature sig = {NULL, 0, b.specs, 1, 0};
    const struct infer_request r = {.signature = &sig, .outputs = b.asked, .output_count = 1};
    const struct reply_ask ask = {&r, b.views, {STR("m"), STR("1")}, {false}};
    assert_int_equal(oip_reply(&b.chain, &ask, &b.form, &b.f), OK);
    char *all = malloc(b.chain.len + 1), *p = all;
    assert_non_null(all);
    for (uint32_t i = 0; i < b.chain.piece_count; i++) {
        memcpy(p, b.chain.pieces[i].iov_base, b.chain.pieces[i].iov_len);
        p += b.chain.pieces[i].iov_len;
    }
    *p = 0;
    p = strstr(all, "\"data\":[") + 8;
    for (int32_t i = 0; i < COUNT; i++) {
        assert_int_equal(strtol(p, &p, 10), values[i]);
        assert_int_equal(*p++, i + 1 < COUNT ? ',' : ']');
    }
    free(all);
    free(values);
    bench_end(&b);
}

static void oip_reply__classifies(void **state)
{
    (void)state;
    const float values[] = {1, NAN, 3, 3, -INFINITY, 0, -0.0f, NAN, NAN};
    struct bench b = {0};
    bench_add(&b, DTYPE_FP32, (struct shape){.dim = {3, 3}, .rank = 2}, values, sizeof(values));
    b.specs[0].labels = LABELS;
    b.specs[0].label_count = 3;
    b.asked[0].classes = 2;
    b.max_batch_size = 8;
    check_reply(&b, HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"BYTES\",\"shape\":[3,2],"
                         "\"data\":[\"3.0:2:\\\"x\\\"\",\"1.0:0:cat\",\"3.0:0:cat\","
                         "\"0.0:2:\\\"x\\\"\",\"-0.0:0:cat\",\"NaN:1:dog\"]}]}");
    b.max_batch_size = 0; /* no batch is stated: one row of nine, two of which tie */
    b.asked[0].classes = 3;
    check_reply(&b, HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"BYTES\",\"shape\":[3],"
                         "\"data\":[\"3.0:2:\\\"x\\\"\",\"3.0:3:cat\",\"1.0:0:cat\"]}]}");
    b.asked[0].classes = 100;
    b.specs[0].label_count = 0;
    check_reply(&b, HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"BYTES\",\"shape\":[9],"
                         "\"data\":[\"3.0:2\",\"3.0:3\",\"1.0:0\",\"0.0:5\",\"-0.0:6\","
                         "\"-Infinity:4\",\"NaN:1\",\"NaN:7\",\"NaN:8\"]}]}");
}

static void oip_reply__classifies_integers_in_binary(void **state)
{
    (void)state;
    const int8_t values[] = {-1, 127, -128};
    const char *json = HEAD "\"outputs\":[{\"name\":\"p\",\"datatype\":\"BYTES\",\"shape\":[2],"
                            "\"parameters\":{\"binary_data_size\":17}}]}";
    struct bench b = {0};
    bench_add(&b, DTYPE_INT8, ROW(3), values, 3);
    b.asked[0] = (struct infer_output){.index = 0, .binary = true, .classes = 2};
    assert_int_equal(bench_reply(&b), OK);
    assert_memory_equal(b.all, json, strlen(json));
    assert_int_equal(b.form.json_len, strlen(json));
    assert_int_equal(b.len, strlen(json) + 17);
    assert_memory_equal(b.all + strlen(json),
                        "\5\0\0\0"
                        "127:1\4\0\0\0-1:0",
                        17);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oip_reply__refuses_bytes_that_are_not_utf8_in_json),
        cmocka_unit_test(oip_reply__refuses_a_classification_beyond_its_cap),
        cmocka_unit_test(oip_reply__writes_every_datatype_in_json),
        cmocka_unit_test(oip_reply__writes_nonfinite_values_as_asked),
        cmocka_unit_test(oip_reply__borrows_binary_tensors),
        cmocka_unit_test(oip_reply__fills_many_blocks),
        cmocka_unit_test(oip_reply__classifies),
        cmocka_unit_test(oip_reply__classifies_integers_in_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
