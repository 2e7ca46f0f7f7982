/* Who holds a lane, over the deaths of fronts. */
#include "check.h"

#include "base/memfd.h"
#include "control/lanes.h"

static struct lanes *a_set(void)
{
    struct lanes *l = NULL;
    assert_int_equal(lanes_new(2, 1 << 20, &l, NULL), OK);
    return l;
}

static void lanes__refuse_a_clean_that_nobody_asked_for(void **state)
{
    (void)state;
    struct lanes *l = a_set();
    struct fault f = {0};
    assert_int_equal(lanes_clean(l, 2, 1, &f), ERR_INPUT); /* no such loop */
    assert_int_equal(lanes_clean(l, 0, 1, NULL), ERR_INPUT);
    assert_true(lanes_offer(l, 0, 1));
    assert_int_equal(lanes_clean(l, 0, 1, NULL), ERR_INPUT); /* its front lives */
    assert_true(lanes_lost(l, 0, 1));
    assert_int_equal(lanes_clean(l, 0, 3, NULL), ERR_INPUT); /* another generation of that part */
    assert_int_equal(lanes_clean(l, 0, 2, NULL), ERR_INPUT);
    assert_int_equal(lanes_clean(l, 0, 1, NULL), OK);
    assert_int_equal(lanes_clean(l, 0, 1, NULL), ERR_INPUT); /* twice */
    lanes_free(l);
}

static void lanes__are_not_given_before_they_are_clean(void **state)
{
    (void)state;
    struct lanes *l = a_set();
    assert_true(lanes_offer(l, 0, 1));
    assert_false(lanes_offer(l, 0, 1)); /* it has it already */
    assert_true(lanes_lost(l, 0, 1));
    assert_false(lanes_lost(l, 0, 1));
    assert_true(lanes_offer(l, 0, 2)); /* the other part is free */
    assert_true(lanes_lost(l, 0, 2));
    assert_false(lanes_offer(l, 0, 3)); /* the first part is still dirty */
    assert_int_equal(lanes_clean(l, 0, 1, NULL), OK);
    assert_true(lanes_offer(l, 0, 3));
    assert_true(lanes_used(l, 0, 3));
    assert_false(lanes_used(l, 0, 1));
    assert_false(lanes_used(l, 1, 3)); /* loops are apart */
    lanes_free(l);
}

static void lanes__are_memory_of_a_fixed_size_each_their_own(void **state)
{
    (void)state;
    struct lanes *l = a_set();
    for (uint32_t i = 0; i < 4; i++) {
        const int fd = lanes_memfd(l, i / 2, i % 2);
        assert_int_equal(memfd_check(fd, 1 << 20, false, NULL), OK);
        assert_int_equal(memfd_check(fd, 1 << 20, true, NULL), ERR_INPUT); /* writable */
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(fd, lanes_memfd(l, j / 2, j % 2));
    }
    assert_true(lanes_wake(l) >= 0 && lanes_bytes(l) == 1 << 20);
    lanes_free(l);
    lanes_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes__refuse_a_clean_that_nobody_asked_for),
        cmocka_unit_test(lanes__are_not_given_before_they_are_clean),
        cmocka_unit_test(lanes__are_memory_of_a_fixed_size_each_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
