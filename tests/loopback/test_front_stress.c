/* A front between real clients and a real lane: what is answered is the model's, what is refused,
 * late, cancelled or lost is counted once, and nothing is held in the end. */
#include "front_client.h"

#define STORM_CLIENTS  4u
#define STORM_REQUESTS 250u

static int setup(void **state)
{
    const struct front_settings s = rig_settings();
    *state = rig_new(&s);
    return 0;
}

static int teardown(void **state)
{
    rig_end(*state);
    return 0;
}

/* The request leaves by half-close once the front has it, so that it is surely counted. */
static void leave(int fd)
{
    char byte;
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
    (void)close(fd);
}

static void infer__refusals_are_counted_once_under_their_route(void **state)
{
    struct rig *r = *state;
    struct reply a;
    char many[20000] = "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n";
    for (size_t at = strlen(many); at + 8 < sizeof(many); at += 6)
        memcpy(many + at, "X: y\r\n", 6);
    const struct {
        const char *bytes;
        int status;
        enum pair pair;
    } cases[] = {
        {"POST /v2/models/none/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
         404, PAIR_CLIENT_ERROR_NOT_FOUND},
        {"GET /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
         PAIR_CLIENT_ERROR_METHOD},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}",
         403, PAIR_CLIENT_ERROR_DENIED},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{]", 400,
         PAIR_CLIENT_ERROR_INPUT},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n",
         413, PAIR_CLIENT_ERROR_TOO_BIG},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "chunked\r\n\r\nzz\r\n",
         400, PAIR_CLIENT_ERROR_INPUT},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: br\r\n"
         "Content-Length: 2\r\n\r\n{}",
         415, PAIR_CLIENT_ERROR_CODING},
        {"POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nX y: 1\r\n", 400,
         PAIR_CLIENT_ERROR_INPUT},
        {"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400,
         PAIR_CLIENT_ERROR_INPUT},
        {many, 431, PAIR_CLIENT_ERROR_HEADER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t before = rig_pair(r, cases[i].pair);
        const int fd = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fd, cases[i].bytes, strlen(cases[i].bytes)));
        rig_read(fd, &a);
        (void)close(fd);
        if (a.status != cases[i].status)
            fail_msg("case %zu: status %d, want %d", i, a.status, cases[i].status);
        assert_non_null(strstr(a.bytes, "x-garrison-error: "));
        assert_null(strstr(a.bytes, "traceparent: 00-00000000000000000000000000000000"));
        rig_wait_pair(r, cases[i].pair, before + 1);
    }
    rig_identity(r);
}

/* A body over the limit is refused by the framing, before the gate: its model is known all the
 * same. */
static void infer__a_refused_frame_names_the_version(void **state)
{
    struct rig *r = *state;
    struct reply a;
    static const char bytes[] = "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n"
                                "Content-Length: 9999999\r\n\r\n";
    const int fd = rig_connect(r);
    atomic_fetch_add(&r->sent, 1);
    assert_true(rig_send(fd, bytes, sizeof(bytes) - 1));
    rig_read(fd, &a);
    (void)close(fd);
    assert_int_equal(a.status, 413);
    assert_non_null(strstr(a.bytes, "x-garrison-model-version: 1\r\n"));
    rig_identity(r);
}

static void infer__answers_json(void **state)
{
    struct rig *r = *state;
    struct reply a;
    double v[4];
    rig_ask(r, "", RIG_BODY(7), &a);
    assert_int_equal(a.status, 200);
    const char *data = strstr(a.bytes + a.head, "\"data\":[");
    assert_non_null(data);
    assert_int_equal(sscanf(data + 8, "%lf,%lf,%lf,%lf", &v[0], &v[1], &v[2], &v[3]), 4);
    assert_true(v[0] == 7 && v[1] == 2 && v[2] == 3.5 && v[3] == -4);
    assert_non_null(strstr(a.bytes + a.head, "\"id\":\"7\""));
    rig_identity(r);
}

static void infer__answers_binary(void **state)
{
    struct rig *r = *state;
    struct reply a;
    static const char json[] =
        "{\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":\"x\",\"datatype\":"
        "\"FP32\",\"shape\":[2,4],\"parameters\":{\"binary_data_size\":32}}]}";
    float rows[8];
    char body[512], bytes[2048], fields[80];
    for (int i = 0; i < 8; i++)
        rows[i] = (float)i / 3.0f;
    memcpy(body, json, sizeof(json) - 1);
    memcpy(body + sizeof(json) - 1, rows, sizeof(rows));
    (void)snprintf(fields, sizeof(fields), "Inference-Header-Content-Length: %zu\r\n",
                   sizeof(json) - 1);
    const size_t len =
        rig_request(bytes, sizeof(bytes), fields, body, sizeof(json) - 1 + sizeof(rows));
    const int fd = rig_connect(r);
    atomic_fetch_add(&r->sent, 1);
    for (size_t i = 0; i < len; i++) /* a byte at a time */
        assert_true(rig_send(fd, bytes + i, 1));
    rig_read(fd, &a);
    (void)close(fd);
    assert_int_equal(a.status, 200);
    assert_true(a.body > sizeof(rows));
    assert_memory_equal(a.bytes + a.head + a.body - sizeof(rows), rows, sizeof(rows));
    rig_identity(r);
}

static uint32_t crc32_of(const char *at, size_t len)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        c ^= (uint8_t)at[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

static void infer__takes_gzip(void **state)
{
    struct rig *r = *state;
    struct reply a;
    static const char json[] = RIG_BODY(9);
    const uint16_t n = sizeof(json) - 1, not_n = (uint16_t)~n;
    const uint32_t crc = crc32_of(json, n), size = n;
    char body[512] = {0x1f, (char)0x8b, 8, [9] = 3, [10] = 1}, bytes[2048];
    memcpy(body + 11, &n, 2); /* one stored block */
    memcpy(body + 13, &not_n, 2);
    memcpy(body + 15, json, n);
    memcpy(body + 15 + n, &crc, 4);
    memcpy(body + 19 + n, &size, 4);
    const size_t len =
        rig_request(bytes, sizeof(bytes), "Content-Encoding: gzip\r\n", body, 23u + n);
    const int fd = rig_connect(r);
    atomic_fetch_add(&r->sent, 1);
    assert_true(rig_send(fd, bytes, len));
    rig_read(fd, &a);
    (void)close(fd);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.bytes + a.head, "\"id\":\"9\""));
    rig_identity(r);
}

static void infer__answers_a_pipeline_in_order(void **state)
{
    struct rig *r = *state;
    struct reply a;
    char bytes[65536];
    size_t len = 0;
    for (int i = 0; i < 40; i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"%d\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":"
                       "[1,4],\"data\":[%s]}]}",
                       i, i % 5 == 4 ? "1,2" : "1,2,3,4"); /* some fail, in the lane's extent */
        len += rig_request(bytes + len, sizeof(bytes) - len, "", body, strlen(body));
    }
    const int fd = rig_connect(r);
    atomic_fetch_add(&r->sent, 40);
    assert_true(rig_send(fd, bytes, len));
    for (int i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "\"id\":\"%d\"", i);
        rig_read(fd, &a);
        assert_int_equal(a.status, i % 5 == 4 ? 400 : 200);
        if (i % 5 != 4)
            assert_non_null(strstr(a.bytes + a.head, id));
    }
    (void)close(fd);
    rig_identity(r);
}

static void infer__is_late_on_time(void **state)
{
    struct rig *r = *state;
    struct reply a;
    atomic_store(&r->hold, true);
    const uint64_t began = clock_ns();
    rig_ask(r, "x-request-timeout-ms: 50\r\n", RIG_BODY(1), &a);
    assert_int_equal(a.status, 504);
    assert_true(clock_ns() - began >= 50 * NS_PER_MS);
    rig_wait_pair(r, PAIR_TIMEOUT_RUNNING, 1);
    atomic_store(&r->hold, false);
    rig_identity(r);
    rig_wait_lane(r, 0, 0); /* the extent comes back when the worker lets go */
}

/* Fills lane (2) and queue (8), is refused, leaves in both, and finds everything free again. */
static void infer__queue_full_and_clients_that_leave(void **state)
{
    struct rig *r = *state;
    struct reply a;
    int fds[10];
    char bytes[2048];
    const size_t len = rig_request(bytes, sizeof(bytes), "", RIG_BODY(3), strlen(RIG_BODY(3)));
    atomic_store(&r->hold, true);
    for (uint32_t i = 0; i < 10; i++) {
        fds[i] = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fds[i], bytes, len));
        rig_wait_lane(r, i < 2 ? 0 : i - 1, i < 2 ? i + 1 : 2);
    }
    rig_ask(r, "", RIG_BODY(4), &a);
    assert_int_equal(a.status, 429);
    assert_non_null(strstr(a.bytes, "Exceeds maximum queue size"));
    assert_non_null(strstr(a.bytes, "Retry-After: "));
    leave(fds[9]);
    rig_wait_pair(r, PAIR_CANCELLED_QUEUED, 1);
    leave(fds[0]);
    rig_wait_pair(r, PAIR_CANCELLED_RUNNING, 1);
    atomic_store(&r->hold, false);
    rig_poke(r->worker->wake);
    for (uint32_t i = 1; i < 9; i++) {
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 200);
        (void)close(fds[i]);
    }
    rig_identity(r);
    rig_wait_lane(r, 0, 0);
}

static void infer__a_lost_worker_costs_what_it_ran(void **state)
{
    struct rig *r = *state;
    struct reply a;
    int fds[4];
    char bytes[2048];
    const size_t len = rig_request(bytes, sizeof(bytes), "", RIG_BODY(5), strlen(RIG_BODY(5)));
    atomic_store(&r->hold, true);
    for (uint32_t i = 0; i < 4; i++) {
        fds[i] = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fds[i], bytes, len));
        rig_wait_lane(r, i < 2 ? 0 : i - 1, i < 2 ? i + 1 : 2);
    }
    rig_worker_kill(r);
    for (uint32_t i = 0; i < 2; i++) {
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 503);
        assert_non_null(strstr(a.bytes, "x-garrison-model-version: 1\r\n"));
        (void)close(fds[i]);
    }
    rig_ask(r, "", RIG_BODY(6), &a); /* nobody to run it */
    assert_int_equal(a.status, 503);
    assert_int_equal(rig_pair(r, PAIR_SERVER_ERROR_WORKER_DIED), 2);
    atomic_store(&r->hold, false);
    rig_worker_start(r);
    for (uint32_t i = 2; i < 4; i++) { /* the queue outlived the worker */
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 200);
        (void)close(fds[i]);
    }
    rig_identity(r);
    rig_wait_lane(r, 0, 0);
}

static int setup_two(void **state)
{
    struct front_settings s = rig_settings();
    s.loops = 2;
    *state = rig_new(&s);
    return 0;
}

static void infer__tells_why_a_version_has_failed_and_no_time_to_come_back(void **state)
{
    struct rig *r = *state;
    struct reply a;
    char bytes[2048];
    const size_t len = rig_request(bytes, sizeof(bytes), "", RIG_BODY(5), strlen(RIG_BODY(5)));
    atomic_store(&r->hold, true);
    int fds[3];
    for (uint32_t i = 0; i < 3; i++) { /* the third waits in the queue */
        fds[i] = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fds[i], bytes, len));
        rig_wait_lane(r, i < 2 ? 0 : 1, i < 2 ? i + 1 : 2);
    }
    rig_worker_kill(r);
    for (uint32_t i = 0; i < 2; i++) {
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 503);
        assert_non_null(strstr(a.bytes, "Retry-After: "));
        (void)close(fds[i]);
    }
    rig_ask(r, "", RIG_BODY(6), &a);
    assert_non_null(strstr(a.bytes, "model 'm' version '1' has no worker now"));
    assert_non_null(strstr(a.bytes, "Retry-After: "));
    r->refused = "it is cut short";
    rig_publish(r);
    rig_read(fds[2], &a);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(a.status, 503);
        assert_non_null(
            strstr(a.bytes, "model 'm' version '1' is not ready (failed): it is cut short"));
        assert_null(strstr(a.bytes, "Retry-After: "));
        rig_ask(r, "", RIG_BODY(6), &a);
    }
    (void)close(fds[2]);
    atomic_store(&r->hold, false);
    rig_identity(r);
}

static int setup_small(void **state)
{
    struct front_settings s = rig_settings();
    s.arena = 16384;
    *state = rig_new(&s);
    return 0;
}

/* Reads one reply of any size and returns its status. */
static int read_large(int fd)
{
    char bytes[4096];
    if (recv(fd, bytes, 12, MSG_WAITALL) != 12)
        return 0;
    bytes[12] = '\0';
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, bytes + 13, sizeof(bytes) - 13, 0) > 0)
        continue;
    (void)close(fd);
    return atoi(bytes + 9);
}

/* A request that finds no room tries again at every arrival behind it; that costs it nothing. */
static void infer__waits_for_room_as_long_as_it_must(void **state)
{
    struct rig *r = *state;
    static char body[500000], bytes[510000];
    char small[1024];
    int fds[2];
    size_t at = (size_t)snprintf(body, sizeof(body),
                                 "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":"
                                 "[60000,4],\"data\":[1");
    for (int i = 1; i < 240000; i++) {
        body[at++] = ',';
        body[at++] = '1';
    }
    at += (size_t)snprintf(body + at, sizeof(body) - at, "]}]}");
    const size_t len = rig_request(bytes, sizeof(bytes), "", body, at);
    const size_t less = rig_request(small, sizeof(small), "", RIG_BODY(1), strlen(RIG_BODY(1)));
    atomic_store(&r->hold, true);
    for (uint32_t i = 0; i < 2; i++) { /* 1.9 MB each in a lane of 2 MiB: the second waits */
        fds[i] = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fds[i], bytes, len));
        rig_wait_lane(r, i, 1);
    }
    for (uint32_t i = 0; i < 300; i++) { /* each gets behind it, and leaves */
        const int fd = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fd, small, less));
        leave(fd);
    }
    atomic_store(&r->hold, false);
    rig_poke(r->worker->wake);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(read_large(fds[i]), 200);
    rig_identity(r);
}

struct client {
    struct rig *rig;
    uint32_t seed;
    pthread_t thread;
    uint64_t ok, refused;
};

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void *storm_client(void *arg)
{
    struct client *c = arg;
    char bytes[2048];
    struct reply *a = malloc(sizeof(*a));
    must(a);
    for (uint32_t i = 0; i < STORM_REQUESTS; i++) {
        const uint32_t kind = next(&c->seed) % 16;
        const char *fields = kind == 1 ? "x-request-timeout-ms: 1\r\n" : "";
        const char *body = kind == 2 ? "{\"inputs\":" : RIG_BODY(8);
        const size_t len = rig_request(bytes, sizeof(bytes), fields, body, strlen(body));
        const int fd = rig_connect(c->rig);
        atomic_fetch_add(&c->rig->sent, 1);
        must(rig_send(fd, bytes, len));
        if (kind == 3) {
            leave(fd);
            continue;
        }
        rig_read(fd, a);
        must(a->status != 0); /* an answer to everybody who waits for one */
        c->ok += a->status == 200;
        c->refused += a->status != 200;
        (void)close(fd);
    }
    free(a);
    return NULL;
}

static void infer__a_storm_loses_and_counts_nothing_twice(void **state)
{
    struct rig *r = *state;
    struct client clients[STORM_CLIENTS];
    uint64_t ok = 0;
    for (uint32_t i = 0; i < STORM_CLIENTS; i++) {
        clients[i] = (struct client){.rig = r, .seed = i + 1};
        must(pthread_create(&clients[i].thread, NULL, storm_client, &clients[i]) == 0);
    }
    for (uint32_t i = 0; i < 20; i++) { /* a new worker, or the same facts once more */
        const uint64_t at = rig_outcomes(r) + 20;
        while (rig_outcomes(r) < at && atomic_load(&r->sent) < STORM_CLIENTS * STORM_REQUESTS)
            (void)poll(NULL, 0, 1);
        if (i % 2 == 0)
            rig_publish(r);
        else
            rig_worker_kill(r);
        if (!r->worker)
            rig_worker_start(r);
    }
    for (uint32_t i = 0; i < STORM_CLIENTS; i++) {
        must(pthread_join(clients[i].thread, NULL) == 0);
        ok += clients[i].ok;
    }
    assert_true(ok > STORM_CLIENTS * STORM_REQUESTS / 4);
    rig_identity(r);
    rig_wait_lane(r, 0, 0);
}

/* Snapshots, lanes and their loss go from the main loop to the other one in the midst of it. */
static void infer__a_storm_over_two_loops(void **state)
{
    struct rig *r = *state;
    struct segment s;
    infer__a_storm_loses_and_counts_nothing_twice(state);
    must(segment_map(r->cells, &s, NULL) == OK);
    for (uint32_t i = 0; i < 2; i++) /* the kernel spread the clients */
        assert_true(cell_get(segment_shard(&s, i),
                             CELL_OTHER + VERSION_CELLS + VERSION_PAIRS + PAIR_OK_NONE) > 0);
    segment_unmap(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(infer__refusals_are_counted_once_under_their_route),
        T(infer__a_refused_frame_names_the_version),
        T(infer__answers_json),
        T(infer__answers_binary),
        T(infer__takes_gzip),
        T(infer__answers_a_pipeline_in_order),
        T(infer__is_late_on_time),
        T(infer__queue_full_and_clients_that_leave),
        T(infer__a_lost_worker_costs_what_it_ran),
        T(infer__tells_why_a_version_has_failed_and_no_time_to_come_back),
        cmocka_unit_test_setup_teardown(infer__waits_for_room_as_long_as_it_must, setup_small,
                                        teardown),
        T(infer__a_storm_loses_and_counts_nothing_twice),
        cmocka_unit_test_setup_teardown(infer__a_storm_over_two_loops, setup_two, teardown),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
