/* The faces of each code, against the table of the protocol written out once more. */
#include "check.h"
#include "base/err.h"

static void err__reads_an_unknown_code_as_internal(void **state)
{
    (void)state;
    err e = ERR_BUSY;
    assert_int_equal(err_http((err)999), 500);
    assert_string_equal(err_name((err)999), "INTERNAL");
    assert_false(err_of_name(STR("input"), &e));
    assert_false(err_of_name(STR("INPU"), &e));
    assert_false(err_of_name(STR(""), &e));
    assert_int_equal(e, ERR_BUSY);
}

static void err__has_the_faces_that_clients_rely_on(void **state)
{
    (void)state;
    static const struct {
        err code;
        const char *name;
        int http, grpc, exit;
        bool retry;
    } rows[] = {
        {OK, "OK", 200, 0, 0, false},
        {ERR_INPUT, "INPUT", 400, 3, 2, false},
        {ERR_NO_CALLER, "NO_CALLER", 401, 16, 3, false},
        {ERR_DENIED, "DENIED", 403, 7, 3, false},
        {ERR_NOT_FOUND, "NOT_FOUND", 404, 5, 4, false},
        {ERR_METHOD, "METHOD", 405, 12, 2, false},
        {ERR_SLOW, "SLOW", 408, 4, 2, false},
        {ERR_CONFLICT, "CONFLICT", 409, 9, 6, false},
        {ERR_TOO_BIG, "TOO_BIG", 413, 8, 2, false},
        {ERR_HEADER, "HEADER", 431, 8, 2, false},
        {ERR_CODING, "CODING", 415, 12, 2, false},
        {ERR_BUSY, "BUSY", 429, 8, 5, true},
        {ERR_CANCELLED, "CANCELLED", 499, 1, 5, false},
        {ERR_INTERNAL, "INTERNAL", 500, 13, 1, false},
        {ERR_ENGINE, "ENGINE", 500, 13, 1, false},
        {ERR_UNSUPPORTED, "UNSUPPORTED", 501, 12, 2, false},
        {ERR_UNAVAILABLE, "UNAVAILABLE", 503, 14, 5, true},
        {ERR_LATE, "LATE", 504, 4, 5, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err found = ERR_COUNT;
        assert_string_equal(err_name(rows[i].code), rows[i].name);
        assert_int_equal(err_http(rows[i].code), rows[i].http);
        assert_int_equal(err_grpc(rows[i].code), rows[i].grpc);
        assert_int_equal(err_exit(rows[i].code), rows[i].exit);
        assert_int_equal(err_retry(rows[i].code), rows[i].retry);
        assert_true(err_meaning(rows[i].code)[0] != '\0');
        assert_true(err_of_name(str_of(rows[i].name), &found));
        assert_int_equal(found, rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err__reads_an_unknown_code_as_internal),
        cmocka_unit_test(err__has_the_faces_that_clients_rely_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
