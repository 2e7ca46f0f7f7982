/* Every row of the route table is found by its path, on its listeners, with its method alone. */
#include "check.h"

#include <string.h>

#include "serve/router.h"

static struct request_head head_of(const char *method, const char *path)
{
    return (struct request_head){
        .method = method_of(str_of(method)), .method_text = str_of(method), .path = str_of(path)};
}

static struct fault why; /* of the last */

static err find(const char *method, const char *path, enum route_listeners on,
                struct router_match *ret)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct request_head head = head_of(method, path);
    why = (struct fault){0};
    const err e = router_find(&head, on, &arena, ret, &why);
    arena_free(&arena);
    return e;
}

static void router_find__refuses_unknown_paths_and_other_listeners(void **state)
{
    (void)state;
    static const char *const unknown[] = {"/",
                                          "/v1",
                                          "/v2/model",
                                          "/v2/models/m/versions",
                                          "/v2/models/m/versions/1/infer/x",
                                          "/v2/models/m/versions/-1/infer",
                                          "/v2/models/-m/infer",
                                          "/V2/health/live",
                                          "/metrics",
                                          "/api/v1/status"};
    struct router_match m;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(find("GET", unknown[i], ROUTE_ON_DATA, &m), ERR_NOT_FOUND);
        assert_int_equal(m.route, ROUTE_NONE);
    }
    assert_string_equal(why.text, "no such path here; it is one of listeners.ops");
    assert_int_equal(find("GET", "/v2/health/live", ROUTE_ON_OPS, &m), ERR_NOT_FOUND);
    assert_int_equal(find("POST", "/v2/models/m/infer", ROUTE_ON_OPS, &m), ERR_NOT_FOUND);
    assert_string_equal(why.text, "no such path here; it is one of listeners.data");
    assert_int_equal(find("GET", "/", ROUTE_ON_OPS, &m), ERR_NOT_FOUND);
    assert_string_equal(why.text, "no such path here");
}

static void router_find__refuses_other_methods_and_names_the_lawful(void **state)
{
    (void)state;
    struct router_match m;

    assert_int_equal(find("POST", "/v2/health/live", ROUTE_ON_DATA, &m), ERR_METHOD);
    assert_string_equal(m.allow, "GET, HEAD");
    assert_int_equal(find("GET", "/v2/models/m/infer", ROUTE_ON_DATA, &m), ERR_METHOD);
    assert_string_equal(m.allow, "POST");
    assert_int_equal(m.route, ROUTE_infer);
    assert_int_equal(find("DELETE", "/v2/logging", ROUTE_ON_DATA, &m), ERR_METHOD);
}

static void router_find__finds_names_and_versions(void **state)
{
    (void)state;
    struct router_match m;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct request_head head = head_of("POST", "/v2/models/fraud.v%32/versions/1.4.0/infer/");

    assert_int_equal(router_find(&head, ROUTE_ON_DATA, &arena, &m, NULL), OK);
    assert_int_equal(m.route, ROUTE_infer);
    assert_true(str_eq(m.model, STR("fraud.v2")));
    assert_true(str_eq(m.version, STR("1.4.0")));
    arena_free(&arena);
    assert_int_equal(find("HEAD", "/v2/models/stats", ROUTE_ON_DATA, &m), OK);
    assert_int_equal(m.route, ROUTE_stats_all);
    assert_int_equal(find("POST", "/v2/systemsharedmemory/region/x/register", ROUTE_ON_DATA, &m),
                     OK);
    assert_int_equal(m.route, ROUTE_system_memory);
}

/* Fills a template: {model} m, [/v] once with and once without a version, {rest} a/b. */
static void fill(const char *path, bool version, char *out, size_t room)
{
    out[0] = '\0';
    for (const char *c = path; *c;) {
        const char *with = NULL;
        size_t skip = 1;
        if (strncmp(c, "{model}", 7) == 0) {
            with = "m";
            skip = 7;
        } else if (strncmp(c, "[/v]", 4) == 0) {
            with = version ? "/versions/1" : "";
            skip = 4;
        } else if (strncmp(c, "{rest}", 6) == 0) {
            with = "a/b";
            skip = 6;
        }
        if (with)
            strncat(out, with, room - strlen(out) - 1);
        else
            strncat(out, c, 1);
        c += skip;
    }
}

static void router_find__finds_every_row_of_the_table(void **state)
{
    (void)state;
    for (enum route r = 0; r < ROUTE_COUNT; r++) {
        const struct route_row *row = route_row(r);
        const char *method = strcmp(row->method, "ANY") == 0 ? "POST" : row->method;
        for (int version = 0; version < 2; version++) {
            char path[256];
            struct router_match m;
            fill(row->path, version == 1, path, sizeof(path));
            if (row->listeners & ROUTE_ON_DATA) {
                assert_int_equal(find(method, path, ROUTE_ON_DATA, &m), OK);
                assert_int_equal(m.route, r);
            }
            if (row->listeners & ROUTE_ON_OPS) {
                assert_int_equal(find(method, path, ROUTE_ON_OPS, &m), OK);
                assert_int_equal(m.route, r);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(router_find__refuses_unknown_paths_and_other_listeners),
        cmocka_unit_test(router_find__refuses_other_methods_and_names_the_lawful),
        cmocka_unit_test(router_find__finds_names_and_versions),
        cmocka_unit_test(router_find__finds_every_row_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
