/* watch/access: one line by heart, and many before Python's JSON reader and the table of ECS. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "watch/access.h"

static const struct log_site site = {STR_LIT("1.2.3"), STR_LIT("prod"), STR_LIT("node-1")};

union record {
    struct event e;
    uint8_t bytes[EVENT_BYTES_MAX];
};

/* The line of a record, with a NUL behind it; returns its length. */
static uint32_t line_of(const union record *r, uint32_t bytes, char line[ACCESS_LINE_MAX + 1])
{
    struct access *a;
    struct fault f = {0};
    assert_int_equal(access_new(&site, &a, &f), OK);
    const str text = access_line(a, &r->e, bytes);
    assert_in_range(text.len, 1, ACCESS_LINE_MAX);
    memcpy(line, text.at, text.len);
    line[text.len] = '\0';
    access_free(a);
    return (uint32_t)text.len;
}

/* Appends the texts to a record; returns its length. */
static uint32_t with_texts(union record *r, const str texts[EVENT_TEXTS])
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < EVENT_TEXTS; i++) {
        r->e.len[i] = (uint16_t)texts[i].len;
        if (texts[i].len > 0)
            memcpy(r->e.texts + at, texts[i].at, texts[i].len);
        at += (uint32_t)texts[i].len;
    }
    return (uint32_t)sizeof(r->e) + at;
}

static void example(union record *r)
{
    memset(r, 0, sizeof(*r));
    r->e = (struct event){
        .wall_us = 1757670067250000,
        .duration_ns = 123456,
        .request_bytes = 77,
        .response_bytes = 88,
        .trace_id = {1, 2, 3, [15] = 16},
        .span_id = {0xA0, [7] = 0x0B},
        .digest = {0xDD, [31] = 0xEE},
        .client_ip = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [13] = 0, [14] = 255, [15] = 7},
        .peer_ip = {0x20, 0x01, 0x0D, 0xB8, [15] = 1},
        .client_port = 50123,
        .status = 200,
        .route = ROUTE_infer,
        .pair = PAIR_OK_NONE,
        .method = 3,
        .minor = 1,
        .has_model = true,
        .is_unsigned = true,
        .rows = 3,
    };
}

static const str example_texts[EVENT_TEXTS] = {
    [EVENT_PATH] = STR_LIT("/v2/models/iris/infer"),
    [EVENT_AGENT] = STR_LIT("curl/8"),
    [EVENT_REQUEST_ID] = STR_LIT("req-1"),
    [EVENT_REQUEST_TYPE] = STR_LIT("application/json"),
    [EVENT_REPLY_TYPE] = STR_LIT("application/json"),
    [EVENT_MODEL] = STR_LIT("iris"),
    [EVENT_VERSION] = STR_LIT("1"),
};

static void access_line__reads_no_text_that_the_record_lacks(void **state)
{
    (void)state;
    union record r;
    char line[ACCESS_LINE_MAX + 1];
    example(&r);
    const uint32_t len = with_texts(&r, example_texts);
    r.e.len[EVENT_PATH] = UINT16_MAX;
    (void)line_of(&r, len, line);
    assert_null(strstr(line, "url.path"));
    assert_null(strstr(line, "user_agent"));
    assert_non_null(strstr(line, "\"garrison.rows\":3"));
}

static void access_line__writes_every_key_in_its_order(void **state)
{
    (void)state;
    union record r;
    char line[ACCESS_LINE_MAX + 1];
    example(&r);
    const uint32_t len = with_texts(&r, example_texts);
    (void)line_of(&r, len, line);
    assert_string_equal(
        line, "{\"@timestamp\":\"2025-09-12T09:41:07.250000Z\",\"log.level\":\"info\","
              "\"message\":\"POST /v2/models/{model}[/v]/infer 200\",\"ecs.version\":\"9.0.0\","
              "\"service.name\":\"garrison\",\"service.version\":\"1.2.3\","
              "\"service.environment\":\"prod\",\"service.node.name\":\"node-1\","
              "\"event.dataset\":\"garrison.access\",\"event.kind\":\"event\","
              "\"event.category\":[\"web\"],\"event.type\":[\"access\"],"
              "\"event.outcome\":\"success\",\"trace.id\":\"01020300000000000000000000000010\","
              "\"span.id\":\"a00000000000000b\",\"transaction.id\":\"a00000000000000b\","
              "\"http.request.id\":\"req-1\",\"event.duration\":123456,"
              "\"http.request.method\":\"POST\","
              "\"garrison.route\":\"/v2/models/{model}[/v]/infer\","
              "\"url.path\":\"/v2/models/iris/infer\",\"http.version\":\"1.1\","
              "\"http.request.body.bytes\":77,\"http.request.mime_type\":\"application/json\","
              "\"http.response.status_code\":200,\"http.response.body.bytes\":88,"
              "\"http.response.mime_type\":\"application/json\",\"client.ip\":\"10.0.255.7\","
              "\"client.port\":50123,\"source.ip\":\"2001:db8::1\","
              "\"user_agent.original\":\"curl/8\",\"network.protocol\":\"http\","
              "\"user.id\":\"anonymous\",\"garrison.auth.method\":\"none\","
              "\"garrison.model.name\":\"iris\",\"garrison.model.version\":\"1\","
              "\"garrison.model.digest\":\"sha256:dd000000000000000000000000000000"
              "000000000000000000000000000000ee\",\"garrison.model.unsigned\":true,"
              "\"garrison.model.track\":\"stable\",\"garrison.rows\":3,"
              "\"garrison.outcome\":\"ok\",\"garrison.reason\":\"none\"}\n");
}

static void access_line__cuts_what_would_break_the_line(void **state)
{
    (void)state;
    union record r;
    char line[ACCESS_LINE_MAX + 1], path[EVENT_PATH_MAX], agent[EVENT_AGENT_MAX];
    str texts[EVENT_TEXTS];
    memset(path, '\x7F', sizeof(path)); /* six bytes each in JSON */
    memset(agent, '\x01', sizeof(agent));
    memcpy(texts, example_texts, sizeof(texts));
    texts[EVENT_PATH] = (str){path, sizeof(path)};
    texts[EVENT_AGENT] = (str){agent, sizeof(agent)};
    example(&r);
    (void)line_of(&r, with_texts(&r, texts), line);
    assert_non_null(strstr(line, ",\"garrison.truncated\":true}\n"));
    assert_non_null(strstr(line, "\"url.path\":\"\\u007f"));
}

/* Random events: every text of random bytes, every small number in and out of its range. */
static uint32_t random_event(union record *r, uint64_t *seed)
{
    static uint8_t noise[EVENT_TEXTS][EVENT_PATH_MAX];
    static const uint32_t max[EVENT_TEXTS] = {
        EVENT_PATH_MAX, EVENT_AGENT_MAX, EVENT_TEXT_MAX, EVENT_TEXT_MAX, EVENT_TEXT_MAX, 128, 64};
    str texts[EVENT_TEXTS];
    uint8_t *bytes = (uint8_t *)&r->e;
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < sizeof(r->e); i++) {
        *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
        bytes[i] = (uint8_t)(*seed >> 56);
    }
    r->e.wall_us = (int64_t)(*seed >> 13);
    r->e.has_model = *seed >> 40 & 1;
    r->e.is_unsigned = *seed >> 41 & 1;
    for (unsigned i = 0; i < 16; i += 2) {
        if (r->e.client_ip[i] < 150)
            r->e.client_ip[i] = r->e.client_ip[i + 1] = 0;
    }
    r->e.client_ip[1] |= 1; /* else a quad, which Python shows in another way */
    for (uint32_t i = 0; i < EVENT_TEXTS; i++) {
        *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
        const bool plain = *seed >> 50 & 1;
        const size_t len = (size_t)(*seed >> 33) % (max[i] + 1);
        for (size_t k = 0; k < len; k++) {
            *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
            noise[i][k] = plain ? (uint8_t)(' ' + (*seed >> 57) % 95) : (uint8_t)(*seed >> 56);
        }
        texts[i] = (str){(const char *)noise[i], len};
    }
    return with_texts(r, texts);
}

static void access_line__is_ecs_whatever_the_request_held(void **state)
{
    (void)state;
    enum { LINES = 5000 };
    char path[] = "/tmp/garrison-lines-XXXXXX", command[256], said[1024];
    union record r;
    char line[ACCESS_LINE_MAX + 1];
    uint64_t seed = 4711;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (uint32_t i = 0; i < LINES; i++) {
        const uint32_t bytes = random_event(&r, &seed);
        const uint32_t len = line_of(&r, bytes, line);
        assert_int_equal(write(fd, line, len), len);
    }
    (void)close(fd);
    (void)snprintf(command, sizeof(command),
                   "python3 tests/watch/lines.py %s tests/data/access_keys.txt", path);
    FILE *judge = popen(command, "re");
    assert_non_null(judge);
    said[fread(said, 1, sizeof(said) - 1, judge)] = '\0';
    const int status = pclose(judge);
    (void)unlink(path);
    if (status != 0)
        fail_msg("%s", said);
    assert_int_equal(strtoul(said, NULL, 10), LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_line__reads_no_text_that_the_record_lacks),
        cmocka_unit_test(access_line__writes_every_key_in_its_order),
        cmocka_unit_test(access_line__cuts_what_would_break_the_line),
        cmocka_unit_test(access_line__is_ecs_whatever_the_request_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
