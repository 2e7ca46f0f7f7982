/* Snapshots: every corruption refused or harmless, there and back, references, look-ups. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/snapshot.h"

static const str labels[2] = {STR_LIT("no"), STR_LIT("yes")};
static const struct spec inputs[2] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 4}, .rank = 2}},
    {.name = STR_LIT("t"), .dtype = DTYPE_BYTES, .shape = {.rank = 0}, .optional = true},
};
static const struct spec outputs[1] = {
    {.name = STR_LIT("p"),
     .dtype = DTYPE_FP64,
     .shape = {.dim = {-1, 2}, .rank = 2},
     .labels = labels,
     .label_count = 2},
};
static const struct snapshot_version versions[2] = {
    {.version = STR_LIT("1"),
     .digest = {1, 2, 3},
     .is_unsigned = true,
     .state = VERSION_READY,
     .worker = 7,
     .cells = 1234,
     .sig = {.inputs = inputs,
             .input_count = 2,
             .outputs = outputs,
             .output_count = 1,
             .max_batch_size = 32},
     .instances = 2,
     .queue = 1000,
     .batches = true,
     .request_timeout_ns = 30000000000,
     .slo_ns = 250000000,
     .lane_bytes = 96 << 20,
     .lane_reply_bytes = 1 << 20,
     .run_ns = {10, 20, [16] = 99},
     .deployed_us = 1700000000000000},
    {.version = STR_LIT("2"),
     .state = VERSION_FAILED,
     .reason = STR_LIT("it looks odd"),
     .worker = SNAPSHOT_NO_WORKER},
};
static const struct snapshot_arm arms[2] = {{.version = 0, .weight = 9900, .salt = 5},
                                            {.version = 1, .weight = 100, .salt = UINT64_MAX}};
static const struct snapshot_model models[3] = {
    {.name = STR_LIT("ab"), .versions = versions, .version_count = 1},
    {.name = STR_LIT("abc"),
     .versions = versions,
     .version_count = 2,
     .arms = arms,
     .arm_count = 2},
    {.name = STR_LIT("b"), .versions = &versions[1], .version_count = 1},
};
static const struct snapshot whole = {.generation = 42, .models = models, .model_count = 3};

static uint8_t *encode(const struct snapshot *s, uint64_t *ret_len)
{
    void *bytes = NULL;
    assert_int_equal(snapshot_encode(s, &bytes, ret_len, NULL), OK);
    return bytes;
}

static err decode(const struct snapshot *from, const struct snapshot **ret)
{
    uint64_t len = 0;
    uint8_t *bytes = encode(from, &len);
    const err e = snapshot_decode(bytes, len, ret, NULL);
    free(bytes);
    return e;
}

static void decode__refuses_every_truncation(void **state)
{
    (void)state;
    uint64_t len = 0;
    uint8_t *bytes = encode(&whole, &len);
    const struct snapshot *s = NULL;
    for (uint64_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        struct fault f = {0};
        assert_int_equal(snapshot_decode(copy, cut, &s, &f), ERR_INPUT);
        free(copy);
    }
    assert_null(s);
    free(bytes);
}

/* Walks everything that a front would, so that a sanitizer sees a pointer that leads elsewhere. */
static uint64_t touch(const struct snapshot *s)
{
    uint64_t sum = s->generation;
    for (uint32_t i = 0; i < s->model_count; i++) {
        const struct snapshot_model *m = &s->models[i];
        assert_ptr_equal(snapshot_model(s, m->name), m);
        for (uint32_t j = 0; j < m->arm_count; j++)
            sum += m->versions[m->arms[j].version].queue;
        for (uint32_t j = 0; j < m->version_count; j++) {
            const struct snapshot_version *v = &m->versions[j];
            assert_true((unsigned)v->state < VERSION_STATE_COUNT);
            sum += v->reason.len ? (uint8_t)v->reason.at[v->reason.len - 1] : 0;
            for (uint32_t k = 0; k < v->sig.input_count; k++)
                sum += v->sig.inputs[k].name.len + v->sig.inputs[k].shape.rank;
            for (uint32_t k = 0; k < v->sig.output_count; k++)
                for (uint32_t l = 0; l < v->sig.outputs[k].label_count; l++)
                    sum += v->sig.outputs[k].labels[l].len;
        }
    }
    return sum;
}

static void decode__survives_every_changed_word(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    uint64_t len = 0, refused = 0;
    uint8_t *bytes = encode(&whole, &len);
    for (uint64_t at = 0; at + 4 <= len; at++) {
        uint32_t before;
        memcpy(&before, bytes + at, 4);
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            const struct snapshot *s = NULL;
            memcpy(bytes + at, &values[i], 4);
            if (snapshot_decode(bytes, len, &s, NULL) == OK) {
                (void)touch(s);
                snapshot_drop(s);
            } else {
                assert_null(s);
                refused++;
            }
        }
        memcpy(bytes + at, &before, 4);
    }
    assert_true(refused > len); /* most words are lengths, counts or texts */
    free(bytes);
}

/* Every count and length of the head is refused when it is off by one. */
static void decode__refuses_a_head_that_counts_wrong(void **state)
{
    (void)state;
    uint64_t len = 0;
    uint8_t *bytes = encode(&whole, &len);
    const struct snapshot *s = NULL;
    for (uint64_t at = 0; at < 44; at += 4) {
        if (at == 16 || at == 20)
            continue; /* the generation is free */
        for (int by = -1; by <= 1; by += 2) {
            uint32_t v;
            memcpy(&v, bytes + at, 4);
            v += (uint32_t)by;
            memcpy(bytes + at, &v, 4);
            assert_int_equal(snapshot_decode(bytes, len, &s, NULL), ERR_INPUT);
            v -= (uint32_t)by;
            memcpy(bytes + at, &v, 4);
        }
    }
    assert_int_equal(snapshot_decode(bytes, len, &s, NULL), OK);
    snapshot_drop(s);
    free(bytes);
}

static void decode__refuses_what_breaks_a_rule(void **state)
{
    (void)state;
    const struct snapshot *s = NULL;
    struct snapshot_version v[2] = {versions[0], versions[1]};
    struct snapshot_arm a[2] = {arms[0], arms[1]};
    struct spec in[2] = {inputs[0], inputs[1]};
    struct snapshot_model m[2] = {
        {.name = STR("a"), .versions = v, .version_count = 2, .arms = a, .arm_count = 2},
        {.name = STR("b"), .versions = v, .version_count = 1}};
    const struct snapshot it = {.models = m, .model_count = 2};
    v[0].sig.inputs = in;
    assert_int_equal(decode(&it, &s), OK);
    snapshot_drop(s);
#define REFUSED(change, back)                                                                      \
    change;                                                                                        \
    assert_int_equal(decode(&it, &s), ERR_INPUT);                                                  \
    back
    REFUSED(m[0].name = STR("c"), m[0].name = STR("a")); /* not in order */
    REFUSED(m[0].name = STR("b"), m[0].name = STR("a")); /* twice */
    REFUSED(m[0].name = STR(""), m[0].name = STR("a"));  /* no name */
    REFUSED(m[0].name = STR("\xc0"), m[0].name = STR("a"));
    REFUSED(a[0].weight = 9901, a[0].weight = 9900);
    REFUSED(a[1].version = 2, a[1].version = 1);
    REFUSED(v[1].version = STR("1"), v[1].version = STR("2")); /* twice */
    REFUSED(v[1].state = VERSION_STATE_COUNT, v[1].state = VERSION_FAILED);
    REFUSED(v[1].state = VERSION_READY, v[1].state = VERSION_FAILED); /* has no worker */
    REFUSED(v[0].instances = 0, v[0].instances = 2);
    REFUSED(in[0].dtype = DTYPE_COUNT, in[0].dtype = DTYPE_FP32);
    REFUSED(in[0].dtype = DTYPE_NONE, in[0].dtype = DTYPE_FP32);
    REFUSED(in[0].shape.dim[1] = -2, in[0].shape.dim[1] = 4);
    assert_int_equal(decode(&it, &s), OK);
    snapshot_drop(s);
}

static void snapshot__goes_there_and_back(void **state)
{
    (void)state;
    const struct snapshot *s = NULL;
    assert_int_equal(decode(&whole, &s), OK);
    assert_true(s->generation == 42);
    assert_int_equal(s->model_count, 3);
    const struct snapshot_model *m = snapshot_model(s, STR("abc"));
    assert_non_null(m);
    assert_int_equal(m->arm_count, 2);
    assert_int_equal(m->arms[0].weight, 9900);
    assert_true(m->arms[1].salt == UINT64_MAX);
    const struct snapshot_version *v = snapshot_version(m, STR("1"));
    assert_non_null(v);
    assert_memory_equal(v->digest, versions[0].digest, 32);
    assert_true(v->is_unsigned && v->batches && v->state == VERSION_READY);
    assert_int_equal(v->worker, 7);
    assert_int_equal(v->cells, 1234);
    assert_int_equal(v->instances, 2);
    assert_int_equal(v->queue, 1000);
    assert_true(v->request_timeout_ns == 30000000000 && v->slo_ns == 250000000);
    assert_true(v->lane_bytes == 96 << 20 && v->lane_reply_bytes == 1 << 20);
    assert_memory_equal(v->run_ns, versions[0].run_ns, sizeof v->run_ns);
    assert_true(v->deployed_us == 1700000000000000);
    assert_int_equal(v->sig.max_batch_size, 32);
    assert_int_equal(v->sig.input_count, 2);
    assert_true(str_eq(v->sig.inputs[0].name, STR("x")));
    assert_true(shape_eq(&v->sig.inputs[0].shape, &inputs[0].shape));
    assert_true(v->sig.inputs[1].optional && v->sig.inputs[1].dtype == DTYPE_BYTES);
    assert_int_equal(v->sig.outputs[0].label_count, 2);
    assert_true(str_eq(v->sig.outputs[0].labels[1], STR("yes")));
    v = snapshot_version(m, STR("2"));
    assert_true(str_eq(v->reason, STR("it looks odd")));
    assert_null(snapshot_version(m, STR("3")));
    snapshot_drop(s);
}

static void snapshot__may_be_empty(void **state)
{
    (void)state;
    const struct snapshot none = {.generation = 1};
    const struct snapshot *s = NULL;
    assert_int_equal(decode(&none, &s), OK);
    assert_null(snapshot_model(s, STR("a")));
    snapshot_drop(s);
}

static void snapshot__finds_each_of_many_models(void **state)
{
    (void)state;
    static char names[100][8];
    static struct snapshot_model many[100];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%02d", i);
        many[i] = (struct snapshot_model){
            .name = str_of(names[i]), .versions = &versions[1], .version_count = 1};
    }
    const struct snapshot it = {.models = many, .model_count = 100};
    const struct snapshot *s = NULL;
    assert_int_equal(decode(&it, &s), OK);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(snapshot_model(s, str_of(names[i])), &s->models[i]);
    assert_null(snapshot_model(s, STR("m")));
    assert_null(snapshot_model(s, STR("m99x")));
    snapshot_drop(s);
}

static void snapshot__lives_until_the_last_reference(void **state)
{
    (void)state;
    const struct snapshot *s = NULL;
    assert_int_equal(decode(&whole, &s), OK);
    assert_ptr_equal(snapshot_take(s), s);
    snapshot_drop(s);
    assert_true(touch(s) > 42); /* still whole: the sanitizer would see it if not */
    snapshot_drop(s);
    snapshot_drop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode__refuses_every_truncation),
        cmocka_unit_test(decode__survives_every_changed_word),
        cmocka_unit_test(decode__refuses_a_head_that_counts_wrong),
        cmocka_unit_test(decode__refuses_what_breaks_a_rule),
        cmocka_unit_test(snapshot__goes_there_and_back),
        cmocka_unit_test(snapshot__may_be_empty),
        cmocka_unit_test(snapshot__finds_each_of_many_models),
        cmocka_unit_test(snapshot__lives_until_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
