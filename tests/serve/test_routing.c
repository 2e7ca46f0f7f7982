/* Routing: unknown names in the words that clients match, arms by weight, versions that go on. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "serve/front.h"

static const struct spec one[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1}, .rank = 1}}};

struct rig {
    struct front front;
    struct front_settings settings;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->front.loop_count = 1;
    r->front.settings = &r->settings;
    r->front.loops[0].front = &r->front;
    assert_int_equal(pthread_mutex_init(&r->front.lock, NULL), 0);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    assert_null(r->front.shared); /* every reference came back */
    (void)pthread_mutex_destroy(&r->front.lock);
    free(r);
    return 0;
}

/* Model m with versions 1 and 2; digest of version 2; the arms' weights, arm 0 is version 1. */
static struct routing *view(struct rig *r, struct routing *old, uint8_t digest, uint32_t first)
{
    const struct signature sig = {
        .inputs = one, .input_count = 1, .outputs = one, .output_count = 1};
    const struct snapshot_version versions[2] = {
        {.version = STR_LIT("1"), .digest = {1}, .worker = SNAPSHOT_NO_WORKER, .sig = sig},
        {.version = STR_LIT("2"), .digest = {digest}, .worker = SNAPSHOT_NO_WORKER, .sig = sig}};
    const struct snapshot_arm arms[2] = {{.version = 0, .weight = first},
                                         {.version = 1, .weight = SNAPSHOT_WEIGHT_ONE - first}};
    const struct snapshot_model models[2] = {
        {.name = STR_LIT("idle"), .versions = versions, .version_count = 1},
        {.name = STR_LIT("m"),
         .versions = versions,
         .version_count = 2,
         .arms = arms,
         .arm_count = 2}};
    const struct snapshot s = {.generation = 1, .models = models, .model_count = 2};
    const struct snapshot *copy = NULL;
    struct routing *ret = NULL;
    void *bytes = NULL;
    uint64_t len = 0;
    assert_int_equal(snapshot_encode(&s, &bytes, &len, NULL), OK);
    assert_int_equal(snapshot_decode(bytes, len, &copy, NULL), OK);
    free(bytes);
    assert_int_equal(routing_new(&r->front.loops[0], copy, old, &ret, NULL), OK);
    return ret;
}

static void routing_find__refuses_unknown_names(void **state)
{
    struct routing *r = view(*state, NULL, 2, 5000);
    struct route_target t;
    struct fault f = {0};
    assert_int_equal(routing_find(r, STR("no"), STR(""), 0, &t, &f), ERR_NOT_FOUND);
    assert_string_equal(f.text, "Request for unknown model: 'no' is not found");
    f = (struct fault){0};
    assert_int_equal(routing_find(r, STR("m"), STR("3"), 0, &t, &f), ERR_NOT_FOUND);
    assert_string_equal(f.text, "Request for unknown model: 'm' version '3' is not found");
    f = (struct fault){0};
    assert_int_equal(routing_find(NULL, STR("m"), STR(""), 0, &t, &f), ERR_NOT_FOUND);
    assert_int_equal(routing_find(r, STR("idle"), STR(""), 0, &t, NULL), ERR_UNAVAILABLE);
    assert_int_equal(routing_find(r, STR("idle"), STR("1"), 0, &t, NULL), OK);
    routing_drop(r);
}

static void routing_find__divides_by_weight(void **state)
{
    struct routing *r = view(*state, NULL, 2, 9900);
    struct route_target t;
    uint32_t count[2] = {0};
    for (uint64_t point = 0; point < SNAPSHOT_WEIGHT_ONE; point++) {
        assert_int_equal(routing_find(r, STR("m"), STR(""), point * 10007, &t, NULL), OK);
        assert_ptr_equal(t.version, &t.model->versions[t.arm]);
        count[t.arm]++;
    }
    assert_int_equal(count[0], 9900);
    assert_int_equal(count[1], 100);
    assert_int_equal(routing_find(r, STR("m"), STR("2"), 0, &t, NULL), OK);
    assert_int_equal(t.arm, 0); /* asked for, not chosen */
    assert_ptr_equal(t.backend->version, t.version);
    routing_drop(r);
}

static struct backend *backend_of(struct routing *r, const char *version)
{
    struct route_target t = {0};
    assert_int_equal(routing_find(r, STR("m"), str_of(version), 0, &t, NULL), OK);
    return t.backend;
}

static void routing_new__goes_on_with_the_same_versions(void **state)
{
    struct routing *a = view(*state, NULL, 2, 5000);
    struct backend *first = backend_of(a, "1"), *second = backend_of(a, "2");
    struct routing *b = view(*state, a, 3, 5000); /* version 2 has another digest */
    assert_ptr_equal(backend_of(b, "1"), first);
    assert_ptr_not_equal(backend_of(b, "2"), second);
    assert_int_equal(first->refs, 2);
    routing_apply(b);
    routing_drop(a);
    assert_int_equal(first->refs, 1);
    assert_ptr_equal(backend_of(b, "1"), first);
    (void)routing_take(b);
    routing_drop(b);
    assert_ptr_equal(backend_of(b, "1"), first);
    routing_drop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(routing_find__refuses_unknown_names, setup, teardown),
        cmocka_unit_test_setup_teardown(routing_find__divides_by_weight, setup, teardown),
        cmocka_unit_test_setup_teardown(routing_new__goes_on_with_the_same_versions, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
