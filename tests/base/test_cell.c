/* base/cell: the segment's shape and the bounds of its histograms, by another computation. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cell.h"
#include "base/memfd.h"

#define NS_MAX (1ull << 40)

static struct segment mapped(uint32_t shards, uint32_t cells)
{
    struct fault f = {0};
    struct segment s = {0};
    int fd = -1;
    assert_int_equal(segment_new(shards, cells, &fd, &f), OK);
    assert_int_equal(segment_map(fd, &s, &f), OK);
    (void)close(fd);
    return s;
}

static void segment__refuses_no_shard_and_too_many(void **state)
{
    (void)state;
    static const uint32_t bad[][2] = {
        {0, 1}, {SEGMENT_SHARDS_MAX + 1, 1}, {1, 0}, {1, SEGMENT_CELLS_MAX + 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fault f = {0};
        int fd = -7;
        assert_int_equal(segment_new(bad[i][0], bad[i][1], &fd, &f), ERR_INPUT);
        assert_int_equal(fd, -7);
    }
}

static void segment__refuses_foreign_memory(void **state)
{
    (void)state;
    struct fault f = {0};
    struct segment s = {.shards = 77};
    int fd = -1;
    assert_int_equal(memfd_new("other", 8192, &fd, &f), OK);
    assert_int_equal(segment_map(fd, &s, &f), ERR_INPUT);
    assert_int_equal(s.shards, 77);
    (void)close(fd);
}

static void segment__refuses_another_size_than_its_header_says(void **state)
{
    (void)state;
    struct fault f = {0};
    struct segment s;
    uint8_t header[16];
    int right = -1, wrong = -1;
    assert_int_equal(segment_new(2, 100, &right, &f), OK);
    assert_int_equal(pread(right, header, sizeof(header), 0), sizeof(header));
    assert_int_equal(memfd_new("short", 4096, &wrong, &f), OK);
    assert_int_equal(memfd_write(wrong, 0, header, sizeof(header), &f), OK);
    assert_int_equal(memfd_seal_size(wrong, &f), OK);
    assert_int_equal(segment_map(wrong, &s, &f), ERR_INPUT);
    (void)close(right);
    (void)close(wrong);
}

static void segment__adds_up_its_shards(void **state)
{
    (void)state;
    const struct segment s = mapped(3, 700);
    for (uint32_t i = 0; i < 3; i++) {
        const struct shard own = segment_shard(&s, i);
        assert_int_equal((uintptr_t)own.at % 64, 0);
        cell_add(own, 0, 10 + i);
        cell_add(own, 699, 1);
        cell_add_double(own, 5, 0.25);
        cell_add_double(own, 5, 0.5);
    }
    assert_int_equal(segment_sum(&s, 0), 33);
    assert_int_equal(segment_sum(&s, 699), 3);
    assert_int_equal(segment_sum(&s, 1), 0);
    assert_true(segment_sum_double(&s, 5) == 2.25);
    segment_zero(&s, 1, 0, 2);
    assert_int_equal(segment_sum(&s, 0), 22);
    assert_int_equal(segment_sum(&s, 699), 3);
}

static void segment__is_one_memory_for_all_who_map_it(void **state)
{
    (void)state;
    struct fault f = {0};
    struct segment a, b;
    int fd = -1;
    assert_int_equal(segment_new(2, 10, &fd, &f), OK);
    assert_int_equal(segment_map(fd, &a, &f), OK);
    assert_int_equal(segment_map(fd, &b, &f), OK);
    cell_set(segment_shard(&a, 1), 9, 5);
    assert_int_equal(segment_sum(&b, 9), 5);
    (void)close(fd);
}

/* The bucket by the definition: octaves counted by doubling, 32 equal parts of each. */
static uint32_t bucket_of(uint64_t ns)
{
    const uint64_t v = ns - 1;
    uint64_t low = 32;
    uint32_t first = 32;
    if (v < low)
        return (uint32_t)v;
    for (; v >= 2 * low; low *= 2)
        first += 32;
    return first + (uint32_t)((v - low) / (low / 32));
}

static void check_ns(uint64_t ns)
{
    const uint32_t i = hist_index(ns);
    assert_int_equal(i, bucket_of(ns));
    assert_true(ns <= hist_upper_ns(i));
    if (i > 0)
        assert_true(ns > hist_upper_ns(i - 1));
}

static void hist__puts_every_time_where_the_definition_says(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < 70000; ns++)
        check_ns(ns);
    for (uint32_t power = 5; power <= 40; power++) {
        const uint64_t p = 1ull << power;
        check_ns(p - 1);
        check_ns(p);
        if (p < NS_MAX)
            check_ns(p + 1);
    }
    uint64_t x = 88172645463325252ull; /* xorshift64 */
    for (uint32_t k = 0; k < 200000; k++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        check_ns((x >> (x % 24 + 24)) % NS_MAX + 1);
    }
}

static void hist__has_cells_of_at_most_3_2_percent(void **state)
{
    (void)state;
    assert_int_equal(hist_upper_ns(HIST_BUCKETS - 1), NS_MAX);
    for (uint32_t i = 33; i < HIST_BUCKETS; i++) {
        const double low = (double)hist_upper_ns(i - 1);
        const double width = (double)(hist_upper_ns(i) - hist_upper_ns(i - 1));
        assert_true(width > 0 && width / low <= 0.032);
    }
}

static void hist__keeps_times_beyond_its_range_at_the_ends(void **state)
{
    (void)state;
    assert_int_equal(hist_index(0), 0);
    assert_int_equal(hist_index(NS_MAX + 1), HIST_BUCKETS - 1);
    assert_int_equal(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
}

static void hist__counts_and_sums(void **state)
{
    (void)state;
    const struct segment s = mapped(1, HIST_CELLS + 1);
    const struct shard own = segment_shard(&s, 0);
    hist_add(own, 1, 1000);
    hist_add(own, 1, 1000);
    hist_add(own, 1, 7);
    assert_int_equal(cell_get(own, 0), 0);
    assert_int_equal(cell_get(own, 1 + HIST_COUNT), 3);
    assert_int_equal(cell_get(own, 1 + HIST_SUM), 2007);
    assert_int_equal(cell_get(own, 1 + HIST_FIRST + bucket_of(1000)), 2);
    assert_int_equal(cell_get(own, 1 + HIST_FIRST + bucket_of(7)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment__refuses_no_shard_and_too_many),
        cmocka_unit_test(segment__refuses_foreign_memory),
        cmocka_unit_test(segment__refuses_another_size_than_its_header_says),
        cmocka_unit_test(segment__adds_up_its_shards),
        cmocka_unit_test(segment__is_one_memory_for_all_who_map_it),
        cmocka_unit_test(hist__puts_every_time_where_the_definition_says),
        cmocka_unit_test(hist__has_cells_of_at_most_3_2_percent),
        cmocka_unit_test(hist__keeps_times_beyond_its_range_at_the_ends),
        cmocka_unit_test(hist__counts_and_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
