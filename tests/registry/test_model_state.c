/* The life of a model version: every transition, with a clock of the test's own. */
#include "check.h"

#include <string.h>

#include "registry/model_state.h"

#define MS 1000000ull
#define S  1000000000ull

static struct model_state at_loading(uint64_t now)
{
    struct model_state s;
    model_state_init(&s, 5, 60 * S);
    model_state_turn(&s);
    model_state_next(&s, now);
    model_state_next(&s, now);
    model_state_next(&s, now);
    assert_int_equal(s.phase, MODEL_LOADING);
    return s;
}

static void back_to_ready(struct model_state *s, uint64_t now)
{
    model_state_again(s);
    model_state_turn(s);
    model_state_next(s, now);
    if (s->phase == MODEL_LOADING) /* it had to read its files again */
        model_state_next(s, now);
    assert_int_equal(s->phase, MODEL_READY);
}

static void state__fails_for_good_when_refused(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    model_state_refused(&s, "odd", "it looks odd");
    assert_int_equal(s.phase, MODEL_FAILED);
    assert_true(model_state_over(&s));
    assert_false(model_state_loads(&s));
    assert_int_equal(model_state_shown(&s), VERSION_FAILED);
    assert_string_equal(s.reason, "odd");
    assert_string_equal(s.text, "it looks odd");
}

static void state__is_quarantined_at_the_fifth_death_in_a_minute(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    model_state_next(&s, 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(model_state_died(&s, "crash", "signal 11", 1 + i * 15 * S, 200) > 0);
        back_to_ready(&s, 2 + i * 15 * S);
    }
    assert_true(model_state_died(&s, "crash", "signal 11", 1 + 60 * S, 200) == 0);
    assert_int_equal(s.phase, MODEL_QUARANTINED);
    assert_true(model_state_over(&s));
    assert_int_equal(model_state_shown(&s), VERSION_QUARANTINED);
}

static void state__lives_on_when_five_deaths_take_longer(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    model_state_next(&s, 1);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(model_state_died(&s, "crash", "", 1 + i * (15 * S + 1), 200) > 0);
        back_to_ready(&s, 2 + i * (15 * S + 1));
    }
    assert_int_equal(s.deaths, 200);
}

static void state__is_quarantined_by_five_loads_in_a_row_however_slow(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    for (unsigned i = 1; i < 5; i++) {
        assert_true(model_state_died(&s, "deadline", "", i * 1000 * S, 200) > 0);
        assert_int_equal(model_state_shown(&s), VERSION_LOADING);
        model_state_again(&s);
        model_state_turn(&s);
    }
    assert_true(model_state_died(&s, "deadline", "", 5000 * S, 200) == 0);
    assert_int_equal(s.phase, MODEL_QUARANTINED);
}

static void state__waits_longer_with_each_death(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    assert_true(model_state_died(&s, "crash", "", 0, 200) == 100 * MS);
    model_state_again(&s);
    model_state_turn(&s);
    assert_true(model_state_died(&s, "crash", "", 0, 200) == 200 * MS);
}

static void state__scans_its_files_once(void **state)
{
    (void)state;
    struct model_state s;
    model_state_init(&s, 5, 60 * S);
    assert_int_equal(s.phase, MODEL_QUEUED);
    model_state_turn(&s);
    assert_int_equal(s.phase, MODEL_READING);
    static const enum model_phase way[] = {MODEL_SCANNING, MODEL_GATHERING, MODEL_LOADING,
                                           MODEL_READY};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(model_state_loads(&s));
        assert_int_equal(model_state_shown(&s), VERSION_LOADING);
        model_state_next(&s, 5);
        assert_int_equal(s.phase, way[i]);
    }
    assert_false(model_state_loads(&s));
    assert_int_equal(model_state_shown(&s), VERSION_READY);
    (void)model_state_died(&s, "crash", "", 9, 0);
    assert_int_equal(s.phase, MODEL_BACKOFF);
    assert_false(model_state_loads(&s));
    model_state_again(&s);
    model_state_turn(&s);
    assert_int_equal(s.phase, MODEL_READING); /* READY has let the bytes go */
    model_state_next(&s, 10);
    assert_int_equal(s.phase, MODEL_LOADING);
    (void)model_state_died(&s, "crash", "", 11, 0);
    model_state_again(&s);
    model_state_turn(&s);
    assert_int_equal(s.phase, MODEL_LOADING); /* the bytes are held */
}

static void state__waits_when_its_files_cannot_be_read_again(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    model_state_next(&s, 1);
    (void)model_state_died(&s, "crash", "", 2, 0);
    model_state_again(&s);
    model_state_turn(&s);
    assert_int_equal(s.phase, MODEL_READING);
    assert_true(model_state_died(&s, "crash", "the disk gave no model", 3, 0) > 0);
    assert_int_equal(s.phase, MODEL_BACKOFF);
    back_to_ready(&s, 4);
}

static void state__forgets_the_reason_once_ready(void **state)
{
    (void)state;
    struct model_state s = at_loading(0);
    (void)model_state_died(&s, "crash", "signal 11", 9, 0);
    assert_string_equal(s.reason, "crash");
    back_to_ready(&s, 10);
    assert_string_equal(s.reason, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state__fails_for_good_when_refused),
        cmocka_unit_test(state__is_quarantined_at_the_fifth_death_in_a_minute),
        cmocka_unit_test(state__lives_on_when_five_deaths_take_longer),
        cmocka_unit_test(state__is_quarantined_by_five_loads_in_a_row_however_slow),
        cmocka_unit_test(state__waits_longer_with_each_death),
        cmocka_unit_test(state__scans_its_files_once),
        cmocka_unit_test(state__waits_when_its_files_cannot_be_read_again),
        cmocka_unit_test(state__forgets_the_reason_once_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
