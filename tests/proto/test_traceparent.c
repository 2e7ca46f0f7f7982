/* traceparent: the rules of W3C Trace Context, section 3.2, and of its "versioning". */
#include <string.h>

#include "check.h"
#include "proto/traceparent.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define GOOD  "00-" TRACE "-" SPAN "-01"

static void traceparent__refuses_what_the_standard_does(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "00",
                                      "00-" TRACE "-" SPAN "-0",
                                      GOOD "0",
                                      GOOD "-x",
                                      GOOD " ",
                                      " " GOOD,
                                      "ff-" TRACE "-" SPAN "-01",
                                      "0g-" TRACE "-" SPAN "-01",
                                      "0-0" TRACE "-" SPAN "-01",
                                      "cc-" TRACE "-" SPAN "-01x",
                                      "cc-" TRACE "-" SPAN "-01.x",
                                      "00-00000000000000000000000000000000-" SPAN "-01",
                                      "00-" TRACE "-0000000000000000-01",
                                      "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
                                      "00-" TRACE "-B7AD6B7169203331-01",
                                      "00-" TRACE "-" SPAN "-0A",
                                      "00-" TRACE "-" SPAN "-0g",
                                      "00_" TRACE "-" SPAN "-01",
                                      "00-" TRACE "_" SPAN "-01",
                                      "00-" TRACE "-" SPAN "_01",
                                      "00-0af7651916cd43dd8448eb211c80319x-" SPAN "-01",
                                      "00-" TRACE "-b7ad6b716920333x-01"};
    struct traceparent t = {.sampled = true, .span_id = {9}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (traceparent_read(str_of(bad[i]), &t))
            fail_msg("\"%s\" is not refused", bad[i]);
    }
    assert_int_equal(t.span_id[0], 9);
}

static void traceparent__reads_and_writes_back(void **state)
{
    (void)state;
    struct traceparent t = {0};
    char out[TRACEPARENT_BYTES];
    assert_true(traceparent_read(STR(GOOD), &t));
    assert_int_equal(t.trace_id[0], 0x0A);
    assert_int_equal(t.trace_id[15], 0x9C);
    assert_int_equal(t.span_id[0], 0xB7);
    assert_int_equal(t.span_id[7], 0x31);
    assert_true(t.sampled);
    traceparent_write(&t, out);
    assert_memory_equal(out, GOOD, TRACEPARENT_BYTES);
    t.sampled = false;
    traceparent_write(&t, out);
    assert_memory_equal(out, "00-" TRACE "-" SPAN "-00", TRACEPARENT_BYTES);
}

static void traceparent__masks_flags_and_takes_later_versions(void **state)
{
    (void)state;
    struct traceparent t = {0};
    assert_true(traceparent_read(STR("00-" TRACE "-" SPAN "-fe"), &t));
    assert_false(t.sampled);
    assert_true(traceparent_read(STR("00-" TRACE "-" SPAN "-ff"), &t));
    assert_true(t.sampled);
    t.sampled = false;
    assert_true(traceparent_read(STR("cc-" TRACE "-" SPAN "-01"), &t));
    assert_true(t.sampled);
    assert_true(traceparent_read(STR("cc-" TRACE "-" SPAN "-01-what-comes"), &t));
    assert_true(traceparent_read(STR("01-" TRACE "-" SPAN "-09-"), &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traceparent__refuses_what_the_standard_does),
        cmocka_unit_test(traceparent__reads_and_writes_back),
        cmocka_unit_test(traceparent__masks_flags_and_takes_later_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
