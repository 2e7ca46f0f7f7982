/* watch/series: blocks, limits, what a reader of another process sees. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"
#include "watch/series.h"

static const struct series_opts plain = {
    .loops = 2, .versions = 4, .series_max = 20000, .series_per_family = 2000};
static const uint8_t digest[32] = {0xAB, 0xCD};

static struct series *made(const struct series_opts *opts)
{
    struct fault f = {0};
    struct series *s = NULL;
    assert_int_equal(series_new(opts, &s, &f), OK);
    return s;
}

static const struct series_directory *mapped(const struct series *s)
{
    struct fault f = {0};
    const struct series_directory *d = NULL;
    assert_int_equal(series_map(series_directory_fd(s), &d, &f), OK);
    return d;
}

static void series_new__refuses_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct fault f = {0};
    struct series *s = NULL;
    struct series_opts o = plain;
    o.versions = SERIES_VERSIONS_MAX + 1;
    assert_int_equal(series_new(&o, &s, &f), ERR_TOO_BIG);
    o = plain;
    o.loops = SEGMENT_SHARDS_MAX - 3;
    assert_int_equal(series_new(&o, &s, &f), ERR_TOO_BIG);
    assert_null(s);
    series_free(NULL);
}

static void series_map__refuses_foreign_memory(void **state)
{
    (void)state;
    struct fault f = {0};
    const struct series_directory *d = NULL;
    int fd = -1;
    assert_int_equal(memfd_new("other", 4096, &fd, &f), OK);
    assert_int_equal(series_map(fd, &d, &f), ERR_INPUT);
    assert_null(d);
    (void)close(fd);
}

static void series_directory__can_be_written_by_its_maker_alone(void **state)
{
    (void)state;
    struct series *s = made(&plain);
    const int fd = series_directory_fd(s);
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_equal(at, MAP_FAILED);
    assert_int_equal(errno, EPERM);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    (void)series_add(s, STR("m"), STR("1"), digest, true);
    struct series_entry e;
    assert_true(series_read(mapped(s), 0, &e));
    series_free(s);
}

static void series_add__counts_versions_beyond_the_limit_under_other(void **state)
{
    (void)state;
    struct series_opts o = plain;
    o.versions = 100;
    o.series_per_family = 100; /* of 25 pairs each */
    struct series *s = made(&o);
    for (uint32_t i = 0; i < 100 / PAIR_COUNT; i++)
        assert_true(series_add(s, STR("m"), STR("1"), digest, true) > CELL_OTHER);
    assert_int_equal(series_add(s, STR("m"), STR("9"), digest, true), CELL_OTHER);
    assert_int_equal(segment_sum(series_segment(s), FIXED_SERIES_LIMITED), 1);
    assert_int_equal(series_count(mapped(s)), 100 / PAIR_COUNT);
    series_free(s);
}

static void series_add__gives_blocks_that_do_not_touch(void **state)
{
    (void)state;
    struct series *s = made(&plain);
    uint32_t first[4];
    for (uint32_t i = 0; i < 4; i++) {
        char version[2] = {(char)('1' + i), 0};
        first[i] = series_add(s, STR("m"), str_of(version), digest, i == 1);
        assert_true(first[i] >= CELL_OTHER + VERSION_CELLS);
        assert_true(first[i] + VERSION_CELLS <= series_segment(s)->cells);
        for (uint32_t k = 0; k < i; k++)
            assert_true(first[i] >= first[k] + VERSION_CELLS ||
                        first[k] >= first[i] + VERSION_CELLS);
    }
    struct series_entry e;
    assert_true(series_read(mapped(s), 1, &e));
    assert_string_equal(e.model, "m");
    assert_string_equal(e.version, "2");
    assert_memory_equal(e.digest, digest, 32);
    assert_true(e.is_unsigned);
    assert_int_equal(e.cells, first[1]);
    series_free(s);
}

static void series_add__cuts_long_names_and_reads_them_whole(void **state)
{
    (void)state;
    struct series *s = made(&plain);
    char name[200];
    memset(name, 'n', sizeof(name));
    (void)series_add(s, (str){name, sizeof(name)}, (str){name, sizeof(name)}, digest, false);
    struct series_entry e;
    assert_true(series_read(mapped(s), 0, &e));
    assert_int_equal(strlen(e.model), 128);
    assert_int_equal(strlen(e.version), 64);
    series_free(s);
}

static void series_remove__gives_a_block_back_as_zeroes(void **state)
{
    (void)state;
    struct series_opts o = plain;
    o.versions = 2;
    struct series *s = made(&o);
    const struct series_directory *d = mapped(s);
    struct series_entry e;
    const uint32_t a = series_add(s, STR("a"), STR("1"), digest, true);
    for (uint32_t shard = 0; shard < CELL_SHARDS(2); shard++)
        hist_add(segment_shard(series_segment(s), shard), a + VERSION_DURATION, 1000);
    series_remove(s, a);
    series_remove(s, a + 1); /* no block begins there */
    assert_false(series_read(d, 0, &e));
    const uint32_t b = series_add(s, STR("b"), STR("1"), digest, true);
    assert_int_not_equal(b, a); /* the one freed last comes last */
    const uint32_t c = series_add(s, STR("c"), STR("1"), digest, true);
    assert_int_equal(c, a);
    for (uint32_t i = 0; i < VERSION_CELLS; i++)
        assert_int_equal(segment_sum(series_segment(s), c + i), 0);
    series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_new__refuses_more_than_there_is_room_for),
        cmocka_unit_test(series_map__refuses_foreign_memory),
        cmocka_unit_test(series_directory__can_be_written_by_its_maker_alone),
        cmocka_unit_test(series_add__counts_versions_beyond_the_limit_under_other),
        cmocka_unit_test(series_add__gives_blocks_that_do_not_touch),
        cmocka_unit_test(series_add__cuts_long_names_and_reads_them_whole),
        cmocka_unit_test(series_remove__gives_a_block_back_as_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
