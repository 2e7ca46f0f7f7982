/* Shared memory: sizes, seals, mappings; the kernel is the judge. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "base/memfd.h"
#include "base/scope.h"

static void memfd_check__refuses_another_kind_size_or_seal(void **state)
{
    (void)state;
    SCOPED(fd_undo)
    int fd = -1;
    int ends[2];
    assert_int_equal(memfd_new("test", 4096, &fd, NULL), OK);
    assert_int_equal(memfd_check(fd, 4096, false, NULL), ERR_INPUT);
    assert_int_equal(memfd_seal_size(fd, NULL), OK);
    assert_int_equal(memfd_check(fd, 4096, false, NULL), OK);
    assert_int_equal(memfd_check(fd, 4096, true, NULL), ERR_INPUT);
    assert_int_equal(memfd_check(fd, 4095, false, NULL), ERR_INPUT);
    assert_int_equal(memfd_check(-1, 4096, false, NULL), ERR_INPUT);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(memfd_check(ends[0], 0, false, NULL), ERR_INPUT);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void memfd_new__refuses_a_size_that_cannot_be(void **state)
{
    (void)state;
    int fd = -7;
    struct fault f = {0};
    assert_int_equal(memfd_new("test", UINT64_MAX, &fd, &f), ERR_UNAVAILABLE);
    assert_int_equal(fd, -7);
    assert_true(strlen(f.text) > 0);
}

static void memfd_seal__fixes_content_and_size_for_ever(void **state)
{
    (void)state;
    SCOPED(fd_undo)
    int fd = -1;
    void *at = NULL;
    assert_int_equal(memfd_new("test", 5, &fd, NULL), OK);
    assert_int_equal(memfd_write(fd, 0, "hello", 5, NULL), OK);
    assert_int_equal(memfd_seal(fd, NULL), OK);
    assert_int_equal(memfd_check(fd, 5, true, NULL), OK);
    assert_int_equal(memfd_write(fd, 0, "J", 1, NULL), ERR_UNAVAILABLE);
    assert_int_equal(ftruncate(fd, 4), -1);
    assert_int_equal(ftruncate(fd, 6), -1);
    assert_int_equal(memfd_map(fd, 5, true, &at, NULL), ERR_UNAVAILABLE);
    assert_null(at);
    assert_int_equal(memfd_map(fd, 5, false, &at, NULL), OK);
    assert_memory_equal(at, "hello", 5);
    memfd_unmap(at, 5);
    memfd_unmap(NULL, 5);
}

static void memfd_map__shares_what_is_written(void **state)
{
    (void)state;
    SCOPED(fd_undo)
    int fd = -1;
    void *one = NULL;
    void *two = NULL;
    assert_int_equal(memfd_new("test", 8192, &fd, NULL), OK);
    assert_int_equal(memfd_seal_size(fd, NULL), OK);
    assert_int_equal(memfd_map(fd, 8192, true, &one, NULL), OK);
    assert_int_equal(memfd_map(fd, 8192, true, &two, NULL), OK);
    memcpy((char *)one + 5000, "shared", 6);
    assert_memory_equal((char *)two + 5000, "shared", 6);
    assert_int_equal(memfd_write(fd, 8190, "ab", 2, NULL), OK);
    assert_memory_equal((char *)one + 8190, "ab", 2);
    memfd_unmap(one, 8192);
    memfd_unmap(two, 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memfd_check__refuses_another_kind_size_or_seal),
        cmocka_unit_test(memfd_new__refuses_a_size_that_cannot_be),
        cmocka_unit_test(memfd_seal__fixes_content_and_size_for_ever),
        cmocka_unit_test(memfd_map__shares_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
