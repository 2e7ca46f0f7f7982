/* watch/series between threads: a reader sees an entry as it was, never two mixed. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "watch/series.h"

#define CHANGES 2000u

struct rig {
    struct series *series;
    const struct series_directory *directory;
    atomic_bool done;
    uint64_t reads;
};

static void *reads(void *arg)
{
    struct rig *rig = arg;
    struct series_entry e;
    while (!atomic_load(&rig->done)) {
        if (!series_read(rig->directory, 0, &e))
            continue;
        for (size_t i = 1; i < strlen(e.model); i++)
            assert_int_equal(e.model[i], e.model[0]);
        assert_int_equal(strlen(e.model), strlen(e.version));
        for (size_t i = 0; i < 32; i++)
            assert_int_equal(e.digest[i], (uint8_t)e.model[0]);
        rig->reads++;
    }
    return NULL;
}

static void series_read__never_mixes_two_entries(void **state)
{
    (void)state;
    const struct series_opts opts = {
        .loops = 1, .versions = 1, .series_max = 20000, .series_per_family = 2000};
    struct fault f = {0};
    struct rig rig = {.reads = 0};
    pthread_t reader;
    assert_int_equal(series_new(&opts, &rig.series, &f), OK);
    assert_int_equal(series_map(series_directory_fd(rig.series), &rig.directory, &f), OK);
    assert_int_equal(pthread_create(&reader, NULL, reads, &rig), 0);
    for (uint32_t i = 0; i < CHANGES; i++) {
        char name[64];
        uint8_t digest[32];
        const size_t len = i % 60 + 1;
        memset(name, 'a' + (int)(i % 26), sizeof(name));
        memset(digest, 'a' + (int)(i % 26), sizeof(digest));
        series_remove(rig.series,
                      series_add(rig.series, (str){name, len}, (str){name, len}, digest, false));
    }
    atomic_store(&rig.done, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    series_free(rig.series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(series_read__never_mixes_two_entries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
