/* The walk of a model's bytes, on messages put together here: refusals first. */
#include "check.h"

#include <stdio.h>

#include "engine/scan.h"

/* A message under construction; parts are put inside each other by value. */
struct pb {
    size_t len;
    uint8_t at[4000];
};

static void put_varint(struct pb *p, uint64_t v)
{
    for (; v > 127; v >>= 7)
        p->at[p->len++] = (uint8_t)(v | 128);
    p->at[p->len++] = (uint8_t)v;
}

static void put_number(struct pb *p, unsigned field, uint64_t v)
{
    put_varint(p, field << 3);
    put_varint(p, v);
}

static void put_bytes(struct pb *p, unsigned field, const void *at, size_t len)
{
    put_varint(p, field << 3 | 2);
    put_varint(p, len);
    assert_true(p->len + len <= sizeof p->at);
    memcpy(p->at + p->len, at, len);
    p->len += len;
}

static void put_text(struct pb *p, unsigned field, const char *text)
{
    put_bytes(p, field, text, strlen(text));
}

static void put(struct pb *p, unsigned field, const struct pb *inner)
{
    put_bytes(p, field, inner->at, inner->len);
}

static struct pb wrapped(unsigned field, const struct pb *inner)
{
    struct pb p = {0};
    put(&p, field, inner);
    return p;
}

static void put_entry(struct pb *tensor, const char *key, const void *value, size_t len)
{
    struct pb entry = {0};
    put_text(&entry, 1, key);
    put_bytes(&entry, 2, value, len);
    put(tensor, 13, &entry);
}

static struct pb external(const char *location, size_t len)
{
    struct pb t = {0};
    put_number(&t, 1, 4);
    put_number(&t, 1, 2);
    put_number(&t, 2, 1);
    put_text(&t, 8, "w");
    put_number(&t, 14, 1);
    put_entry(&t, "location", location, len);
    put_entry(&t, "offset", "64", 2);
    put_entry(&t, "length", "32", 2);
    return t;
}

static struct pb model_of_initializer(const struct pb *tensor)
{
    const struct pb graph = wrapped(5, tensor);
    return wrapped(7, &graph);
}

static err scan(const struct pb *p, struct arena *a, struct scan *ret, struct fault *f)
{
    return scan_model((str){(const char *)p->at, p->len}, a, ret, f);
}

static void refused(const struct pb *p, const char *text)
{
    struct arena a;
    struct fault f = {0};
    struct scan s = {.external_count = 77};
    arena_init(&a, 1 << 20);
    assert_int_equal(scan(p, &a, &s, &f), ERR_INPUT);
    assert_int_equal(s.external_count, 77);
    if (!strstr(f.text, text))
        fail_msg("\"%s\" does not say \"%s\"", f.text, text);
    arena_free(&a);
}

static void scan_model__refuses_locations_that_leave_the_directory(void **state)
{
    static const str bad[] = {STR_LIT("../w"), STR_LIT("/etc/passwd"), STR_LIT("a/b"),
                              STR_LIT("a\\b"), STR_LIT("*/_ORT_MEM"),  STR_LIT("w\0x"),
                              STR_LIT(".."),   STR_LIT("a..b"),        STR_LIT(""),
                              STR_LIT("."),    STR_LIT("a\nb")};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct pb t = external(bad[i].at, bad[i].len);
        const struct pb m = model_of_initializer(&t);
        refused(&m, "want the bare name of a file");
    }
    char name[300];
    memset(name, 'a', sizeof name);
    const struct pb t = external(name, SCAN_NAME_MAX + 1);
    const struct pb m = model_of_initializer(&t);
    refused(&m, "want the bare name of a file");
}

static void scan_model__refuses_external_data_elsewhere(void **state)
{
    (void)state;
    const struct pb t = external("w.bin", 5);
    const struct pb attribute = wrapped(5, &t);
    const struct pb node = wrapped(5, &attribute);
    const struct pb graph = wrapped(1, &node);
    struct pb m = wrapped(7, &graph); /* Constant */
    refused(&m, "no plain initializer");

    const struct pb inner = wrapped(5, &t);
    const struct pb body = wrapped(6, &inner);
    const struct pb loop = wrapped(5, &body);
    const struct pb outer = wrapped(1, &loop);
    m = wrapped(7, &outer); /* subgraph */
    refused(&m, "no plain initializer");

    const struct pb sparse = wrapped(1, &t);
    const struct pb holder = wrapped(15, &sparse);
    m = wrapped(7, &holder);
    refused(&m, "no plain initializer");

    const struct pb function = wrapped(7, &node);
    m = wrapped(25, &function);
    refused(&m, "no plain initializer");

    const struct pb training = wrapped(1, &inner);
    m = wrapped(20, &training);
    refused(&m, "no plain initializer");
}

static void scan_model__refuses_a_location_without_its_mark_elsewhere(void **state)
{
    (void)state;
    struct pb t = {0};
    put_entry(&t, "location", "w.bin", 5); /* data_location is left out */
    const struct pb attribute = wrapped(5, &t);
    const struct pb node = wrapped(5, &attribute);
    const struct pb graph = wrapped(1, &node);
    const struct pb m = wrapped(7, &graph);
    refused(&m, "no plain initializer");
}

static void scan_model__refuses_two_locations(void **state)
{
    (void)state;
    struct pb t = external("w.bin", 5);
    put_entry(&t, "location", "v.bin", 5);
    const struct pb m = model_of_initializer(&t);
    refused(&m, "2 locations");
}

static void scan_model__refuses_numbers_that_are_none(void **state)
{
    (void)state;
    struct pb t = external("w.bin", 5);
    put_entry(&t, "offset", "-1", 2);
    const struct pb m = model_of_initializer(&t);
    refused(&m, "");
}

static void scan_model__refuses_what_is_no_protobuf(void **state)
{
    (void)state;
    struct pb p = {0};
    refused(&p, "the file is empty");
    p = (struct pb){.len = 1, .at = {0x3a}};
    refused(&p, "cut short");
    p = (struct pb){.len = 3, .at = {0x3a, 9, 1}};
    refused(&p, "cut short");
    p = (struct pb){.len = 2, .at = {0x03, 1}};
    refused(&p, "no number");
    p = (struct pb){.len = 1, .at = {0x3b}};
    refused(&p, "wire type 3");
    p = (struct pb){.len = 2, .at = {0x38, 1}};
    refused(&p, "no message");
    p = (struct pb){.len = 11, .at = {8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}};
    refused(&p, "cut short");
}

static void scan_model__refuses_deep_nests_without_recursion(void **state)
{
    (void)state;
    struct pb p = {0};
    put_text(&p, 2, "x");
    for (int i = 0; i < 30; i++) {
        p = wrapped(6, &p); /* graph of an attribute */
        p = wrapped(5, &p); /* of a node */
        p = wrapped(1, &p); /* of a graph */
    }
    p = wrapped(7, &p);
    refused(&p, "nest deeper");
}

static void scan_model__finds_external_data(void **state)
{
    (void)state;
    struct arena a;
    struct fault f = {0};
    struct scan s = {0};
    const struct pb t = external("w.bin", 5);
    const struct pb m = model_of_initializer(&t);
    arena_init(&a, 1 << 20);
    assert_int_equal(scan(&m, &a, &s, &f), OK);
    assert_int_equal(s.external_count, 1);
    const struct scan_external *x = &s.externals[0];
    assert_string_equal(x->name.at, "w");
    assert_string_equal(x->location.at, "w.bin");
    assert_int_equal(x->offset, 64);
    assert_int_equal(x->bytes, 32);
    assert_false(x->whole);
    assert_int_equal(x->onnx, 1);
    assert_int_equal(x->shape.rank, 2);
    assert_int_equal(x->shape.dim[0], 4);
    assert_int_equal(x->shape.dim[1], 2);
    arena_free(&a);
}

static struct pb zipmap_node(bool numbers)
{
    struct pb node = {0}, attribute = {0}, packed = {0};
    if (numbers) {
        put_varint(&packed, 7);
        put_varint(&packed, (uint64_t)-2);
        put(&attribute, 8, &packed);
        put_number(&attribute, 8, 1);
        put_text(&attribute, 1, "classlabels_int64s");
    } else {
        put_text(&attribute, 1, "classlabels_strings");
        put_text(&attribute, 9, "cat");
        put_text(&attribute, 9, "");
    }
    put(&node, 5, &attribute); /* before the operator is known */
    put_text(&node, 2, "p");
    put_text(&node, 2, "q");
    put_text(&node, 4, "ZipMap");
    return node;
}

static void scan_model__finds_labels_of_zipmap(void **state)
{
    (void)state;
    struct arena a;
    struct fault f = {0};
    struct scan s = {0};
    struct pb graph = {0}, other = {0};
    const struct pb texts = zipmap_node(false), numbers = zipmap_node(true);
    put_text(&other, 4, "Relu");
    put(&graph, 1, &texts);
    put(&graph, 1, &other);
    put(&graph, 1, &numbers);
    const struct pb m = wrapped(7, &graph);
    arena_init(&a, 1 << 20);
    assert_int_equal(scan(&m, &a, &s, &f), OK);
    assert_int_equal(s.zipmap_count, 2);
    assert_true(str_eq(s.zipmaps[0].output, STR("p")));
    assert_int_equal(s.zipmaps[0].label_count, 2);
    assert_null(s.zipmaps[0].numbers);
    assert_true(str_eq(s.zipmaps[0].labels[0], STR("cat")));
    assert_int_equal(s.zipmaps[0].labels[1].len, 0);
    assert_int_equal(s.zipmaps[1].label_count, 3);
    assert_int_equal(s.zipmaps[1].numbers[1], -2);
    assert_true(str_eq(s.zipmaps[1].labels[1], STR("-2")));
    assert_true(str_eq(s.zipmaps[1].labels[2], STR("1")));
    arena_free(&a);
}

static void scan_model__keeps_to_its_memory(void **state)
{
    (void)state;
    struct arena a;
    struct fault f = {0};
    struct scan s = {0};
    const struct pb t = external("w.bin", 5);
    const struct pb m = model_of_initializer(&t);
    arena_init(&a, 256);
    assert_int_equal(scan(&m, &a, &s, &f), ERR_TOO_BIG);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_model__refuses_locations_that_leave_the_directory),
        cmocka_unit_test(scan_model__refuses_external_data_elsewhere),
        cmocka_unit_test(scan_model__refuses_a_location_without_its_mark_elsewhere),
        cmocka_unit_test(scan_model__refuses_two_locations),
        cmocka_unit_test(scan_model__refuses_numbers_that_are_none),
        cmocka_unit_test(scan_model__refuses_what_is_no_protobuf),
        cmocka_unit_test(scan_model__refuses_deep_nests_without_recursion),
        cmocka_unit_test(scan_model__finds_external_data),
        cmocka_unit_test(scan_model__finds_labels_of_zipmap),
        cmocka_unit_test(scan_model__keeps_to_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
