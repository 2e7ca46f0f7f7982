/* base/log: rates, whole lines, and a reader that does not read. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const struct log_site site = {STR_LIT("1.2.3"), STR_LIT("prod"), STR_LIT("node-1")};

struct rig {
    int read_fd;
    struct log log;
    char got[65536];
};

static void rig_open(struct rig *r)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    *r = (struct rig){
        .read_fd = fds[0],
        .log = {.site = &site, .role = STR("keeper"), .level = LOG_INFO, .fd = fds[1]},
    };
}

static void rig_close(struct rig *r)
{
    (void)close(r->read_fd);
    (void)close(r->log.fd);
}

/* What has been written since the last call. */
static const char *got(struct rig *r)
{
    size_t len = 0;
    ssize_t n;
    while ((n = read(r->read_fd, r->got + len, sizeof(r->got) - 1 - len)) > 0)
        len += (size_t)n;
    r->got[len] = '\0';
    return r->got;
}

static struct log_entry entry(const char *message)
{
    return (struct log_entry){
        .level = LOG_INFO, .room = "control", .function = "f", .message = message};
}

static void log_app__holds_back_what_is_below_its_level_or_off(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct log_entry e = entry("quiet");
    e.level = LOG_DEBUG;
    assert_false(log_app(&r.log, &e));
    e.level = LOG_ERROR;
    r.log.off = true;
    assert_false(log_app(&r.log, &e));
    assert_string_equal(got(&r), "");
    rig_close(&r);
}

static void log_app__drops_and_counts_where_nobody_reads(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    char fill[4096];
    memset(fill, 'x', sizeof(fill));
    while (log_takes(r.log.fd, 0))
        assert_int_equal(write(r.log.fd, fill, sizeof(fill)), sizeof(fill));
    for (unsigned i = 0; i < 8; i++) {
        const struct log_entry e = entry(names[i]);
        assert_false(log_app(&r.log, &e)); /* and does not block */
    }
    assert_int_equal(r.log.dropped, 8);
    assert_int_equal(r.log.written, 0);
    rig_close(&r);
}

static void log_app__writes_the_keys_in_their_order(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const struct log_arg args[] = {{"model", STR("m\"1\n")}, {"none", STR("")}};
    struct log_entry e = entry("a worker ended");
    e.level = LOG_WARN;
    e.code = ERR_ENGINE;
    e.text = STR("it \xFF broke");
    e.args = args;
    e.arg_count = 2;
    assert_true(log_app(&r.log, &e));
    char want[1024];
    (void)snprintf(want, sizeof(want),
                   "\",\"log.level\":\"warn\",\"message\":\"a worker ended\",\"ecs.version\":"
                   "\"9.0.0\",\"service.name\":\"garrison\",\"service.version\":\"1.2.3\","
                   "\"service.environment\":\"prod\",\"service.node.name\":\"node-1\","
                   "\"event.dataset\":\"garrison.app\",\"event.kind\":\"event\","
                   "\"event.category\":[\"process\"],\"event.type\":[\"info\"],"
                   "\"process.name\":\"keeper\",\"process.pid\":%d,\"log.logger\":\"control\","
                   "\"log.origin.function\":\"f\",\"error.code\":\"ENGINE\","
                   "\"error.message\":\"it \xEF\xBF\xBD broke\","
                   "\"garrison.args.model\":\"m\\\"1\\n\"}\n",
                   (int)getpid());
    const char *line = got(&r);
    static const char head[] = "{\"@timestamp\":\"";
    assert_memory_equal(line, head, sizeof(head) - 1);
    assert_string_equal(line + sizeof(head) - 1 + 27, want);
    assert_int_equal(r.log.written, 1);
    rig_close(&r);
}

static void log_app__cuts_values_to_keep_a_line_whole(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    char big[2000];
    memset(big, '\x01', sizeof(big));
    const str value = {big, sizeof(big)};
    const struct log_arg args[] = {{"a", value}, {"b", value}, {"c", value}};
    struct log_entry e = entry("big");
    e.text = value;
    e.args = args;
    e.arg_count = 3;
    assert_true(log_app(&r.log, &e));
    const char *line = got(&r);
    assert_true(strlen(line) <= LOG_LINE_MAX);
    assert_non_null(strstr(line, ",\"garrison.truncated\":true}\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    rig_close(&r);
}

static void log_rate__allows_ten_a_second_then_one_a_minute(void **state)
{
    (void)state;
    struct log l = {0};
    uint32_t held = 9;
    uint32_t out = 0;
    for (uint32_t i = 0; i < 50; i++)
        out += log_rate(&l, "flood", 100, &held);
    assert_int_equal(out, 10);
    for (uint64_t s = 101; s < 160; s++)
        assert_false(log_rate(&l, "flood", s, &held));
    assert_true(log_rate(&l, "flood", 160, &held));
    assert_int_equal(held, 40 + 59);
    assert_false(log_rate(&l, "flood", 160, &held)); /* still a flood: one a minute */
    for (uint64_t s = 161; s < 220; s++)
        assert_false(log_rate(&l, "flood", s, &held));
    assert_true(log_rate(&l, "flood", 220, &held));
    assert_int_equal(held, 60);
}

static void log_rate__forgets_a_flood_after_a_quiet_minute(void **state)
{
    (void)state;
    struct log l = {0};
    uint32_t held = 0, out = 0;
    for (uint32_t i = 0; i < 12; i++)
        out += log_rate(&l, "flood", 100, &held);
    assert_true(log_rate(&l, "flood", 160, &held));
    assert_int_equal(held, 2);
    assert_true(log_rate(&l, "flood", 225, &held));
    assert_int_equal(held, 0);
    for (uint32_t i = 0; i < 12; i++)
        out += log_rate(&l, "flood", 225, &held);
    assert_int_equal(out, 10 + 9);
}

static void log_rate__counts_each_template_for_itself(void **state)
{
    (void)state;
    static const char many[LOG_TEMPLATES + 1][2];
    struct log l = {0};
    uint32_t held;
    for (uint32_t k = 0; k < 11; k++) {
        for (uint32_t i = 0; i <= LOG_TEMPLATES; i++)
            assert_true(log_rate(&l, many[i], 5, &held) == (k < 10 || i == LOG_TEMPLATES));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_app__holds_back_what_is_below_its_level_or_off),
        cmocka_unit_test(log_app__drops_and_counts_where_nobody_reads),
        cmocka_unit_test(log_app__writes_the_keys_in_their_order),
        cmocka_unit_test(log_app__cuts_values_to_keep_a_line_whole),
        cmocka_unit_test(log_rate__allows_ten_a_second_then_one_a_minute),
        cmocka_unit_test(log_rate__forgets_a_flood_after_a_quiet_minute),
        cmocka_unit_test(log_rate__counts_each_template_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
