/* watch/expose: the page against what was counted, and before prometheus_client's parsers. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "watch/expose.h"

#define PAGE_MAX (64u << 20)
#define PYTHON   ".cache/venv/test/bin/python"

struct rig {
    struct series *series;
    const struct series_directory *directory;
    uint32_t cells; /* of model m"1 */
    char *page;
    size_t len;
    size_t pieces_left; /* then put refuses */
};

static err take(void *arg, str piece)
{
    struct rig *r = arg;
    assert_true(piece.len > 0 && piece.len <= 65536);
    if (r->pieces_left-- == 0)
        return ERR_CANCELLED;
    assert_true(r->len + piece.len < PAGE_MAX);
    memcpy(r->page + r->len, piece.at, piece.len);
    r->len += piece.len;
    return OK;
}

static void rig_open(struct rig *r, uint32_t versions)
{
    const struct series_opts opts = {
        .loops = 2, .versions = versions, .series_max = 1000000, .series_per_family = 100000};
    struct fault f = {0};
    uint8_t digest[32] = {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE};
    *r = (struct rig){.page = malloc(PAGE_MAX)};
    assert_non_null(r->page);
    assert_int_equal(series_new(&opts, &r->series, &f), OK);
    assert_int_equal(series_map(series_directory_fd(r->series), &r->directory, &f), OK);
    r->cells = series_add(r->series, STR("m\"1\\\n"), STR("2"), digest, true);
    for (uint32_t i = 1; i < versions; i++) {
        char version[16];
        (void)snprintf(version, sizeof(version), "v%u", i);
        (void)series_add(r->series, STR("other"), str_of(version), digest, false);
    }
}

static void rig_close(struct rig *r)
{
    series_free(r->series);
    free(r->page);
}

static err render(struct rig *r, enum expose_format format)
{
    const struct expose_opts opts = {.segment = series_segment(r->series),
                                     .directory = r->directory,
                                     .format = format,
                                     .version = STR("1.2.3"),
                                     .build = STR("abcd"),
                                     .arg = r,
                                     .put = take};
    r->len = 0;
    r->pieces_left = SIZE_MAX;
    const err e = expose(&opts);
    r->page[r->len] = '\0';
    return e;
}

static struct shard loop_shard(const struct rig *r, uint32_t i)
{
    return segment_shard(series_segment(r->series), i);
}

#define MV "model=\"m\\\"1\\\\\\n\",version=\"2\""

/* The value of a sample, its name and labels written as on the page. */
static double sample(const struct rig *r, const char *name)
{
    char line[512];
    const int n = snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(r->page, line);
    if (!at)
        fail_msg("no sample %s", name);
    return strtod(at + n, NULL);
}

static void expose__ends_where_its_reader_ends(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 300);
    const struct expose_opts opts = {.segment = series_segment(r.series),
                                     .directory = r.directory,
                                     .version = STR("1"),
                                     .build = STR("a"),
                                     .arg = &r,
                                     .put = take};
    r.pieces_left = 2;
    assert_int_equal(expose(&opts), ERR_CANCELLED);
    assert_true(r.len > 0 && r.len <= 2 * 65536);
    rig_close(&r);
}

static void expose__shows_what_was_counted(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 2);
    for (uint32_t i = 0; i < 3; i++) {
        cell_add(loop_shard(&r, i), r.cells + VERSION_PAIRS + PAIR_OK_NONE, 10);
        cell_add(loop_shard(&r, i), r.cells + VERSION_QUEUE, 2);
        cell_add_double(loop_shard(&r, i), r.cells + VERSION_RUNS, 0.5);
    }
    const uint32_t infer =
        FIXED_HTTP_REQUESTS + (ROUTE_infer * CELL_METHODS + CELL_POST) * CELL_CODES;
    cell_add(loop_shard(&r, 0), infer + ERR_INTERNAL, 4);
    cell_add(loop_shard(&r, 1), infer + ERR_ENGINE, 3); /* 500 as well */
    cell_add(loop_shard(&r, 1), infer + OK, 1);
    cell_add(loop_shard(&r, 0), CELL_OTHER + VERSION_PAIRS + PAIR_CLIENT_ERROR_NOT_FOUND, 6);
    cell_set_double(loop_shard(&r, 3), FIXED_START_TIME, 1234567890.25);
    assert_int_equal(render(&r, EXPOSE_TEXT), OK);
    assert_true(sample(&r, "garrison_inference_requests_total{" MV
                           ",outcome=\"ok\",reason=\"none\"}") == 30);
    assert_true(sample(&r, "garrison_inference_requests_total{model=\"other\",version=\"v1\","
                           "outcome=\"ok\",reason=\"none\"}") == 0);
    assert_true(sample(&r, "garrison_inference_requests_total{model=\"_OTHER\",version=\"_OTHER\","
                           "outcome=\"client_error\",reason=\"not_found\"}") == 6);
    assert_true(sample(&r, "garrison_inference_queue_depth{" MV "}") == 6);
    assert_true(sample(&r, "garrison_inference_executions_total{" MV "}") == 1.5);
    assert_true(sample(&r, "garrison_http_requests_total{route=\"/v2/models/{model}[/v]/infer\","
                           "method=\"POST\",code=\"500\"}") == 7);
    assert_true(sample(&r, "garrison_http_requests_total{route=\"/v2/models/{model}[/v]/infer\","
                           "method=\"POST\",code=\"200\"}") == 1);
    assert_true(sample(&r, "garrison_start_time_seconds") == 1234567890.25);
    assert_true(sample(&r, "garrison_model_info{" MV ",digest=\"123456789abc\","
                           "backend=\"onnxruntime\",unsigned=\"true\"}") == 1);
    rig_close(&r);
}

/* Times near every bound of LAT: le may miss what lies within 3.2 % under it, never count more. */
static void expose__never_overstates_a_bucket_of_times(void **state)
{
    (void)state;
    static const char *const le[] = {"5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025",
                                     "0.005", "0.01",   "0.025",   "0.05",   "0.075", "0.1",
                                     "0.25",  "0.5",    "0.75",    "1.0",    "2.5",   "5.0",
                                     "7.5",   "10.0",   "+Inf"};
    struct rig r;
    rig_open(&r, 1);
    enum { COUNT = 40000 };
    static uint64_t times[COUNT];
    uint64_t seed = 99;
    double sum = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        times[i] = i < 20 ? (uint64_t)(strtod(le[i], NULL) * 1e9 + 0.5)
                          : (uint64_t)exp(9 + (double)(seed >> 40) / 16777216.0 * 16);
        sum += (double)times[i] / 1e9;
        hist_add(loop_shard(&r, i % 3), r.cells + VERSION_DURATION, times[i]);
    }
    assert_int_equal(render(&r, EXPOSE_TEXT), OK);
    for (size_t b = 0; b < sizeof(le) / sizeof(le[0]); b++) {
        char name[256];
        uint32_t most = 0, least = 0;
        const double bound = strtod(le[b], NULL);
        for (uint32_t i = 0; i < COUNT; i++) {
            most += (double)times[i] / 1e9 <= bound * (1 + 1e-12);
            least += (double)times[i] / 1e9 <= bound * (1 - 0.032);
        }
        (void)snprintf(name, sizeof(name),
                       "garrison_inference_request_duration_seconds_bucket{" MV ",le=\"%s\"}",
                       le[b]);
        const double got = sample(&r, name);
        assert_true(got <= most && got >= least);
    }
    assert_true(sample(&r, "garrison_inference_request_duration_seconds_count{" MV "}") == COUNT);
    const double got = sample(&r, "garrison_inference_request_duration_seconds_sum{" MV "}");
    assert_true(fabs(got - sum) < 1e-6 * sum);
    rig_close(&r);
}

static void expose__has_exact_buckets_of_sizes_and_rows(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, 1);
    static const uint64_t sizes[] = {0, 64, 65, 256, 1048576, 1048577, 67108864, 67108865};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint32_t cell = FIXED_REQUEST_SIZE + ROUTE_infer * CELL_SIZE_CELLS;
        cell_add(loop_shard(&r, 0), cell + cell_size_index(sizes[i]), 1);
        cell_add(loop_shard(&r, 0), cell + CELL_SIZE_BOUNDS + 1, sizes[i]);
    }
    static const uint32_t rows[] = {1, 2, 3, 64, 65, 128, 129, 1024, 1025};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cell_add_double(loop_shard(&r, 0),
                        r.cells + VERSION_BATCHES + cell_batch_class(rows[i]) * CELL_BATCH_CELLS,
                        1);
    assert_int_equal(render(&r, EXPOSE_TEXT), OK);
    static const struct {
        const char *le;
        uint32_t sizes, rows;
    } want[] = {{"64.0", 2, 4}, {"256.0", 4, 7}, {"1024.0", 4, 8}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        char name[256];
        (void)snprintf(
            name, sizeof(name),
            "garrison_http_request_size_bytes_bucket{route=\"/v2/models/{model}[/v]/infer\""
            ",le=\"%s\"}",
            want[i].le);
        assert_true(sample(&r, name) == want[i].sizes);
        (void)snprintf(name, sizeof(name), "garrison_inference_batch_size_bucket{" MV ",le=\"%s\"}",
                       want[i].le);
        assert_true(sample(&r, name) == want[i].rows);
    }
    assert_true(sample(&r, "garrison_inference_batch_size_bucket{" MV ",le=\"1.0\"}") == 1);
    assert_true(sample(&r, "garrison_inference_batch_size_bucket{" MV ",le=\"+Inf\"}") == 9);
    assert_true(sample(&r, "garrison_http_request_size_bytes_sum{route=\"/v2/models/{model}[/v]/"
                           "infer\"}") ==
                0 + 64 + 65 + 256 + 1048576 + 1048577 + 67108864 + 67108865.0);
    rig_close(&r);
}

/* What the foreign parser says; NULL where it is not installed. */
static char *judged(struct rig *r, enum expose_format format, char *out, size_t cap)
{
    char path[] = "/tmp/garrison-page-XXXXXX", command[256];
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, r->page, r->len), (ssize_t)r->len);
    (void)close(fd);
    (void)snprintf(command, sizeof(command), PYTHON " tests/watch/page.py %s %s",
                   format == EXPOSE_OPENMETRICS ? "open" : "text", path);
    FILE *judge = popen(command, "re");
    assert_non_null(judge);
    out[fread(out, 1, cap - 1, judge)] = '\0';
    const int status = pclose(judge);
    (void)unlink(path);
    if (status != 0)
        fail_msg("%s", out);
    return out;
}

static void expose__passes_the_parsers_of_prometheus(void **state)
{
    (void)state;
    if (access(PYTHON, X_OK) != 0)
        skip();
    struct rig r;
    char open[8192], text[8192];
    rig_open(&r, 3);
    for (uint32_t cell = 0; cell < FIXED_ROLE_CPU; cell++) /* every figure moves */
        cell_set(loop_shard(&r, 0), cell, cell % 7);
    for (uint32_t i = 0; i < 100; i++)
        hist_add(loop_shard(&r, 1), r.cells + VERSION_STAGES + HIST_CELLS, i * 100000);
    assert_int_equal(render(&r, EXPOSE_OPENMETRICS), OK);
    const double series = sample(&r, "garrison_series");
    assert_true(strtod(judged(&r, EXPOSE_OPENMETRICS, open, sizeof(open)), NULL) == series + 1);
    assert_int_equal(render(&r, EXPOSE_TEXT), OK);
    assert_true(strtod(judged(&r, EXPOSE_TEXT, text, sizeof(text)), NULL) == series + 1);
    assert_non_null(strstr(open, " garrison_inference_requests "));
    assert_null(strstr(r.page, "# EOF"));
    rig_close(&r);
}

/* A version's lines are what its limits count with, so their number is held here. */
static void expose__keeps_a_version_within_400_series(void **state)
{
    (void)state;
    struct rig one, three;
    rig_open(&one, 1);
    rig_open(&three, 3);
    assert_int_equal(render(&one, EXPOSE_TEXT), OK);
    assert_int_equal(render(&three, EXPOSE_TEXT), OK);
    const double each = (sample(&three, "garrison_series") - sample(&one, "garrison_series")) / 2;
    assert_true(each > 100 && each <= 400);
    rig_close(&one);
    rig_close(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expose__ends_where_its_reader_ends),
        cmocka_unit_test(expose__shows_what_was_counted),
        cmocka_unit_test(expose__never_overstates_a_bucket_of_times),
        cmocka_unit_test(expose__has_exact_buckets_of_sizes_and_rows),
        cmocka_unit_test(expose__passes_the_parsers_of_prometheus),
        cmocka_unit_test(expose__keeps_a_version_within_400_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
