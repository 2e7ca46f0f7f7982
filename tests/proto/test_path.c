/* Paths: what is refused, what is decoded, what fits which template. */
#include <string.h>

#include "check.h"
#include "proto/path.h"

static err split(struct arena *a, const char *raw, struct path *ret)
{
    struct fault f = {0};
    arena_init(a, 4096);
    const err e = path_split(str_of(raw), a, ret, &f);
    assert_int_equal(f.code, e);
    return e;
}

static void path_split__refuses_what_moves_or_hides_a_boundary(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "v2",
                                      "//",
                                      "/a//b",
                                      "/a//",
                                      "/.",
                                      "/..",
                                      "/a/./b",
                                      "/a/../b",
                                      "/%2e",
                                      "/%2E%2e",
                                      "/.%2e/a",
                                      "/a%2fb",
                                      "/a%2Fb",
                                      "/a%5cb",
                                      "/a\\b",
                                      "/a%00",
                                      "/a%1f",
                                      "/a%7f",
                                      "/%",
                                      "/%4",
                                      "/%4g",
                                      "/%g4",
                                      "/a%",
                                      "/%%41",
                                      "/%25",
                                      "/%252e",
                                      "/a%25%32%65",
                                      "/% 41",
                                      "/%+1",
                                      "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena a;
        struct path path = {.count = 77};
        if (split(&a, bad[i], &path) != ERR_INPUT)
            fail_msg("\"%s\" is not refused", bad[i]);
        assert_int_equal(path.count, 77);
        arena_free(&a);
    }
}

static void path_split__refuses_a_star_as_a_method_and_a_spent_arena(void **state)
{
    (void)state;
    struct arena a;
    struct path path;
    assert_int_equal(split(&a, "*", &path), ERR_METHOD);
    arena_free(&a);
    arena_init(&a, 16);
    assert_int_equal(path_split(STR("/aaaaaaaaaaaaaaaaaaaaaaaaa%41"), &a, &path, NULL),
                     ERR_TOO_BIG);
    arena_free(&a);
}

static void path_split__decodes_each_segment_once(void **state)
{
    (void)state;
    struct arena a;
    struct path path;
    assert_int_equal(split(&a, "/v%32/%6D%c3%A9/a%20b+c", &path), OK);
    assert_int_equal(path.count, 3);
    assert_true(str_eq(path.segments[0], STR("v2")));
    assert_true(str_eq(path.segments[1], STR("m\xC3\xA9")));
    assert_true(str_eq(path.segments[2], STR("a b+c")));
    arena_free(&a);
    assert_int_equal(split(&a, "/%41/caf\xC3\xA9", &path), OK);
    assert_true(str_eq(path.segments[1], STR("caf\xC3\xA9")));
    arena_free(&a);
    assert_int_equal(split(&a, "/", &path), OK);
    assert_int_equal(path.count, 0);
    assert_int_equal(split(&a, "/v2/...", &path), OK);
    assert_int_equal(path.count, 2);
    assert_int_equal(split(&a, "/v2/", &path), OK);
    assert_int_equal(path.count, 1);
    assert_int_equal(split(&a, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/", &path), OK);
    assert_int_equal(path.count, 16);
}

/* Every byte alone, as first and as later character, against the grammar in words. */
static void path_is__takes_exactly_the_grammar(void **state)
{
    (void)state;
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for (int c = 1; c < 256; c++) {
        const char first = (char)c;
        const char later[] = {'a', (char)c};
        const bool is_alnum = strchr(alnum, c) != NULL;
        const bool dotted = is_alnum || c == '.' || c == '_' || c == '-';
        assert_int_equal(path_is_model((str){&first, 1}), is_alnum || c == '_');
        assert_int_equal(path_is_model((str){later, 2}), dotted);
        assert_int_equal(path_is_version((str){&first, 1}), is_alnum);
        assert_int_equal(path_is_version((str){later, 2}), dotted || c == '+');
    }
    for (int c = 1; c < 256; c++) { /* long enough to be read eight bytes at a time */
        char name[] = "aaaaaaaaaaa";
        name[10] = (char)c;
        const bool dotted = strchr(alnum, c) || c == '.' || c == '_' || c == '-';
        assert_int_equal(path_is_model(str_of(name)), dotted);
        assert_int_equal(path_is_version(str_of(name)), dotted || c == '+');
    }
    char text[130];
    memset(text, 'a', sizeof(text));
    assert_true(path_is_model((str){text, 128}) && !path_is_model((str){text, 129}));
    assert_true(path_is_version((str){text, 64}) && !path_is_version((str){text, 65}));
    assert_false(path_is_model(STR("")) || path_is_version(STR("")));
    assert_false(path_is_model(STR("stats")));
    assert_true(path_is_model(STR("stats2")));
    assert_false(path_is_model((str){"a\0b", 3}));
}

static bool fits(const char *raw, const char *pattern, struct path_match *ret)
{
    struct arena a;
    struct path path;
    assert_int_equal(split(&a, raw, &path), OK);
    const bool fit = path_fits(&path, str_of(pattern), ret);
    arena_free(&a); /* no path below has a '%' */
    return fit;
}

static void path_fits__refuses_other_paths(void **state)
{
    (void)state;
    struct path_match m = {.rest = 99};
    static const char *const pairs[][2] = {
        {"/v2/models/m/infer/x", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/stats/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/.m/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/versions/1", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/versions/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/versions/-1/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/versions/1/versions/2/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/version/1/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/models/m/versions", "/v2/models/{model}[/v]"},
        {"/v2/models", "/v2/models/{model}[/v]"},
        {"/V2", "/v2"},
        {"/", "/v2"},
        {"/v2/x", "/v2"},
        {"/v", "/v2"},
        {"/v2x", "/v2"},
        {"/v2/model/m/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/modelsx/m/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/{model}", "/v2/models"},
        {"/v2/models/[/infer", "/v2/models/{model}[/v]/infer"},
        {"/v2/memory", "/v2/memory/{rest}"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (fits(pairs[i][0], pairs[i][1], &m))
            fail_msg("%s fits %s", pairs[i][0], pairs[i][1]);
    }
    assert_int_equal(m.rest, 99);
}

static void path_fits__fills_the_holes(void **state)
{
    (void)state;
    struct path_match m;
    assert_true(fits("/v2/models/m/infer", "/v2/models/{model}[/v]/infer", &m));
    assert_true(str_eq(m.model, STR("m")) && m.version.len == 0);
    assert_true(fits("/v2/models/m/versions/1.2/infer", "/v2/models/{model}[/v]/infer", &m));
    assert_true(str_eq(m.model, STR("m")) && str_eq(m.version, STR("1.2")));
    assert_true(fits("/v2/models/m/versions/1", "/v2/models/{model}[/v]", &m));
    assert_true(str_eq(m.version, STR("1")));
    assert_true(fits("/v2/models/versions", "/v2/models/{model}[/v]", &m));
    assert_true(str_eq(m.model, STR("versions")));
    assert_true(fits("/v2/memory/a/b", "/v2/memory/{rest}", &m));
    assert_int_equal(m.rest, 2);
    assert_true(fits("/v2/", "/v2", &m));
    assert_true(fits("/", "/", &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_split__refuses_what_moves_or_hides_a_boundary),
        cmocka_unit_test(path_split__refuses_a_star_as_a_method_and_a_spent_arena),
        cmocka_unit_test(path_split__decodes_each_segment_once),
        cmocka_unit_test(path_is__takes_exactly_the_grammar),
        cmocka_unit_test(path_fits__refuses_other_paths),
        cmocka_unit_test(path_fits__fills_the_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
