/* watch/lines: whole lines, a full buffer, a reader that is gone. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch/lines.h"

#define ROOM (2 * LINES_WRITE_MAX)

struct rig {
    int fds[2];
    struct lines *lines;
};

static void rig_open(struct rig *r)
{
    struct fault f = {0};
    assert_int_equal(pipe2(r->fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(r->fds[1], F_SETPIPE_SZ, 4096), 4096);
    assert_int_equal(lines_new(r->fds[1], ROOM, &r->lines, &f), OK);
}

static void rig_close(struct rig *r)
{
    lines_free(r->lines);
    (void)close(r->fds[0]);
    (void)close(r->fds[1]);
}

/* A line of len bytes that holds its number. */
static str line_of(char *at, uint32_t number, size_t len)
{
    memset(at, 'a' + (int)(number % 26), len);
    (void)snprintf(at, 8, "%06u", number);
    at[6] = ' ';
    at[len - 1] = '\n';
    return (str){at, len};
}

static void lines__drop_the_newest_when_full(void **state)
{
    (void)state;
    struct rig r;
    char line[LINES_WRITE_MAX];
    rig_open(&r);
    assert_true(lines_put(r.lines, line_of(line, 1, 4096)));
    assert_true(lines_put(r.lines, line_of(line, 2, 4000)));
    assert_false(lines_put(r.lines, line_of(line, 3, 97)));
    assert_int_equal(lines_waiting_bytes(r.lines), 8096);
    assert_true(lines_put(r.lines, line_of(line, 4, 96)));
    rig_close(&r);
    lines_free(NULL);
}

static void lines_write__does_not_wait_for_a_reader(void **state)
{
    (void)state;
    struct rig r;
    char line[LINES_WRITE_MAX];
    rig_open(&r);
    for (uint32_t i = 0; i < 8; i++)
        assert_true(lines_put(r.lines, line_of(line, i, 1000)));
    const struct lines_result first = lines_write(r.lines, 0, 0);
    assert_int_equal(first.written, 4); /* one piece of 4000 bytes */
    assert_int_equal(first.failed, 0);
    const struct lines_result second = lines_write(r.lines, 0, 1);
    assert_int_equal(second.written + second.failed, 0);
    assert_int_equal(lines_waiting_bytes(r.lines), 4000);
    rig_close(&r);
}

static void lines_write__counts_lines_that_nobody_will_read(void **state)
{
    (void)state;
    struct rig r;
    char line[LINES_WRITE_MAX];
    (void)signal(SIGPIPE, SIG_IGN);
    rig_open(&r);
    (void)close(r.fds[0]);
    r.fds[0] = -1;
    for (uint32_t i = 0; i < 8; i++)
        assert_true(lines_put(r.lines, line_of(line, i, 900)));
    const struct lines_result all = lines_write(r.lines, 0, 0);
    assert_int_equal(all.written, 0);
    assert_int_equal(all.failed, 8);
    assert_int_equal(lines_waiting_bytes(r.lines), 0);
    rig_close(&r);
}

static void lines_write__makes_each_write_whole_lines(void **state)
{
    (void)state;
    struct rig r;
    char line[LINES_WRITE_MAX], piece[65536];
    uint32_t put = 0, seen = 0, seed = 7;
    rig_open(&r);
    assert_int_equal(fcntl(r.fds[0], F_SETFL, O_NONBLOCK), 0);
    while (seen < 5000) {
        seed = seed * 1664525u + 1013904223u;
        while (lines_put(r.lines, line_of(line, put, 8 + (seed >> 16) % 1500)))
            put++;
        const struct lines_result result = lines_write(r.lines, 0, 0);
        assert_int_equal(result.failed, 0);
        const ssize_t n = read(r.fds[0], piece, sizeof(piece));
        assert_true(n > 0 && n <= (ssize_t)LINES_WRITE_MAX);
        assert_int_equal(piece[n - 1], '\n');
        uint32_t in_piece = 0;
        for (char *at = piece; at < piece + n; at = strchr(at, '\n') + 1) {
            assert_int_equal(strtoul(at, NULL, 10), seen);
            seen++;
            in_piece++;
        }
        assert_int_equal(in_piece, result.written);
    }
    rig_close(&r);
}

static void lines_write__keeps_what_it_is_told_to(void **state)
{
    (void)state;
    struct rig r;
    char line[LINES_WRITE_MAX];
    rig_open(&r);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(lines_put(r.lines, line_of(line, i, 1300)));
    assert_int_equal(lines_write(r.lines, 4 * 1300, 0).written, 0);
    assert_int_equal(lines_write(r.lines, LINES_WRITE_MAX - 1, 0).written, 3);
    assert_int_equal(lines_waiting_bytes(r.lines), 1300);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines__drop_the_newest_when_full),
        cmocka_unit_test(lines_write__does_not_wait_for_a_reader),
        cmocka_unit_test(lines_write__counts_lines_that_nobody_will_read),
        cmocka_unit_test(lines_write__makes_each_write_whole_lines),
        cmocka_unit_test(lines_write__keeps_what_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
