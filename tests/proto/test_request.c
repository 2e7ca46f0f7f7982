/* Methods by name, and fields by name without case. */
#include "check.h"
#include "proto/request.h"

static void request__knows_no_method_by_another_spelling(void **state)
{
    (void)state;
    assert_int_equal(method_of(STR("get")), METHOD_OTHER);
    assert_int_equal(method_of(STR("GE")), METHOD_OTHER);
    assert_int_equal(method_of(STR("GETS")), METHOD_OTHER);
    assert_int_equal(method_of(STR("")), METHOD_OTHER);
    assert_true(str_eq(method_name(METHOD_OTHER), STR("_OTHER")));
}

static void request__names_every_method(void **state)
{
    (void)state;
    for (int m = METHOD_OTHER + 1; m < METHOD_COUNT; m++)
        assert_int_equal(method_of(method_name((enum method)m)), m);
    assert_int_equal(method_of(STR("DELETE")), METHOD_DELETE);
}

static void request__finds_the_first_field_in_any_case(void **state)
{
    (void)state;
    const struct field fields[] = {
        {STR("Accept"), STR("1")}, {STR("X-Id"), STR("2")}, {STR("x-ID"), STR("3")}};
    const struct request_head head = {.fields = fields, .field_count = 3};
    str value = STR("untouched");
    assert_false(request_field(&head, STR("x-i"), &value));
    assert_true(str_eq(value, STR("untouched")));
    assert_true(request_field(&head, STR("X-ID"), &value));
    assert_true(str_eq(value, STR("2")));
    assert_int_equal(request_field_count(&head, STR("x-id")), 2);
    assert_int_equal(request_field_count(&head, STR("accepu")), 0);
    assert_int_equal(request_field_count(&head, STR("host")), 0);
}

/* Each letter of names of every length in turn: in the other case the same, another one not. */
static void request__compares_every_byte_of_a_name(void **state)
{
    (void)state;
    const char lower[] = "inference-header-content-length";
    for (size_t len = 1; len < sizeof(lower); len++) {
        for (size_t i = 0; i < len; i++) {
            char name[sizeof(lower)];
            memcpy(name, lower, sizeof(name));
            const struct field field = {{name, len}, STR("")};
            name[i] = (char)(lower[i] == '-' ? '-' : lower[i] - 'a' + 'A');
            assert_true(field_is(&field, (str){lower, len}));
            name[i] = lower[i] == 'x' ? 'y' : 'x';
            assert_false(field_is(&field, (str){lower, len}));
            assert_false(field_is(&field, (str){name, len - 1}));
        }
    }
}

static void request__has_a_body_when_one_is_announced(void **state)
{
    (void)state;
    struct request_head head = {0};
    assert_false(request_has_body(&head));
    head.has_length = true;
    assert_false(request_has_body(&head));
    head.content_length = 1;
    assert_true(request_has_body(&head));
    head = (struct request_head){.chunked = true};
    assert_true(request_has_body(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__knows_no_method_by_another_spelling),
        cmocka_unit_test(request__names_every_method),
        cmocka_unit_test(request__finds_the_first_field_in_any_case),
        cmocka_unit_test(request__compares_every_byte_of_a_name),
        cmocka_unit_test(request__has_a_body_when_one_is_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
