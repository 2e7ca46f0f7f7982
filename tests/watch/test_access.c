/* Access lines: whole JSON, keys in order, cut where they do not fit. Times against libc. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "watch/access.h"

static const struct log_site site = {.version = STR_LIT("0.1.0"), .node = STR_LIT("host \"1\"")};

static uint32_t make_event(struct event *e, str path, str agent)
{
    const str texts[EVENT_TEXTS] = {[EVENT_PATH] = path,
                                    [EVENT_AGENT] = agent,
                                    [EVENT_REQUEST_ID] = STR("id-1"),
                                    [EVENT_REPLY_TYPE] = STR("application/json"),
                                    [EVENT_MODEL] = STR("fraud"),
                                    [EVENT_VERSION] = STR("1")};
    uint32_t at = 0;
    memset(e, 0, sizeof(*e));
    e->wall_us = 1757670067250000;
    e->status = 200;
    e->route = ROUTE_infer;
    e->method = 3;
    e->minor = 1;
    e->has_model = true;
    e->is_unsigned = true;
    e->client_ip[10] = e->client_ip[11] = 0xFF;
    e->client_ip[12] = 127;
    e->client_ip[15] = 1;
    memcpy(e->peer_ip, e->client_ip, sizeof(e->peer_ip));
    for (uint32_t i = 0; i < EVENT_TEXTS; i++) {
        e->len[i] = (uint16_t)texts[i].len;
        if (texts[i].len)
            memcpy(e->texts + at, texts[i].at, texts[i].len);
        at += (uint32_t)texts[i].len;
    }
    return (uint32_t)sizeof(*e) + at;
}

static bool holds(str line, const char *want)
{
    return memmem(line.at, line.len, want, strlen(want)) != NULL;
}

static void access_line__escapes_what_clients_send(void **state)
{
    (void)state;
    char out[ACCESS_LINE_MAX];
    struct event *e = malloc(EVENT_BYTES_MAX);
    const uint32_t bytes = make_event(e, STR("/v2/\"x\n"), STR("agent\x01\xff"));
    const str line = {out, access_line(&site, e, bytes, out)};

    assert_true(holds(line, "\"url.path\":\"/v2/\\\"x\\n\""));
    assert_true(holds(line, "\"user_agent.original\":\"agent\\u0001\xEF\xBF\xBD\""));
    assert_true(holds(line, "\"service.node.name\":\"host \\\"1\\\"\""));
    assert_int_equal(memchr(out, '\n', line.len) == out + line.len - 1, 1);
    free(e);
}

static void access_line__cuts_what_does_not_fit_and_says_so(void **state)
{
    (void)state;
    char out[ACCESS_LINE_MAX], path[EVENT_PATH_MAX], agent[EVENT_AGENT_MAX];
    struct event *e = malloc(EVENT_BYTES_MAX);
    memset(path, '\x02', sizeof(path)); /* six bytes each once escaped */
    memset(agent, '\x03', sizeof(agent));
    const uint32_t bytes = make_event(e, (str){path, sizeof(path)}, (str){agent, sizeof(agent)});
    const str line = {out, access_line(&site, e, bytes, out)};

    assert_in_range(line.len, 800, ACCESS_LINE_MAX);
    assert_true(holds(line, "\"garrison.truncated\":true}\n"));
    assert_false(holds(line, "user_agent"));
    free(e);
}

static void access_line__says_what_a_good_request_was(void **state)
{
    (void)state;
    char out[ACCESS_LINE_MAX];
    struct event *e = malloc(EVENT_BYTES_MAX);
    const uint32_t bytes = make_event(e, STR("/v2/models/fraud/infer"), STR("curl"));
    const str line = {out, access_line(&site, e, bytes, out)};

    assert_true(holds(line, "{\"@timestamp\":\"2025-09-12T09:41:07.250000Z\","
                            "\"log.level\":\"info\",\"message\":\"POST "
                            "/v2/models/{model}[/v]/infer 200\",\"ecs.version\":"));
    assert_true(holds(line, "\"client.ip\":\"127.0.0.1\",\"client.port\":0,\"user_agent"));
    assert_true(holds(line, "\"garrison.model.unsigned\":true"));
    assert_true(holds(line, "\"garrison.outcome\":\"ok\",\"garrison.reason\":\"none\"}\n"));
    assert_false(holds(line, "source.ip"));
    free(e);
}

static void log_time__agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t s = 0; s < 7258118400; s += 86400 * 3 + 3607) { /* 1970 to 2200 */
        char ours[64], want[64];
        struct text t = text_over(ours, sizeof(ours));
        const time_t at = (time_t)s;
        struct tm parts;
        log_time(&t, s * 1000000 + 42);
        assert_non_null(gmtime_r(&at, &parts));
        const size_t n = strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000042Z", &parts);
        assert_int_equal(t.len, n);
        assert_memory_equal(ours, want, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_line__escapes_what_clients_send),
        cmocka_unit_test(access_line__cuts_what_does_not_fit_and_says_so),
        cmocka_unit_test(access_line__says_what_a_good_request_was),
        cmocka_unit_test(log_time__agrees_with_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
