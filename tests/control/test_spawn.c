/* What a started process has, and has not: the shell of the system tells. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/spawn.h"

static char text[65536];

/* Runs a shell with that script; its stdout in text; fds become 3, 4, .. */
static int run(const char *script, const int *fds, unsigned count)
{
    static const char *const envp[] = {"TZ=UTC", "ONLY=this", NULL};
    const char *const argv[] = {"sh", "-c", script, NULL};
    int out[2];
    pid_t pid = 0;
    int status = 0;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    const int exe = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    assert_true(exe >= 0);
    const struct spawn_opts opts = {.exe = exe,
                                    .argv = argv,
                                    .envp = envp,
                                    .out = out[1],
                                    .err = -1,
                                    .fds = fds,
                                    .fd_count = count};
    assert_int_equal(spawn_child(&opts, &pid, NULL), OK);
    assert_int_equal(close(out[1]) | close(exe), 0);
    size_t len = 0;
    for (ssize_t n; (n = read(out[0], text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    assert_int_equal(close(out[0]), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void spawn__refuses_too_many_descriptors(void **state)
{
    (void)state;
    pid_t pid = 0;
    const struct spawn_opts opts = {.fd_count = SPAWN_FDS_MAX + 1};
    assert_int_equal(spawn_child(&opts, &pid, NULL), ERR_TOO_BIG);
    assert_int_equal(pid, 0);
}

static void spawn__refuses_a_worker_that_is_not_there(void **state)
{
    (void)state;
    int fd = -1;
    struct fault f = {0};
    assert_int_equal(spawn_open_worker("/no/such/file", &fd, &f), ERR_NOT_FOUND);
    assert_int_equal(spawn_open_worker("/etc/passwd", &fd, NULL), ERR_NOT_FOUND);
    assert_int_equal(fd, -1);
}

static void spawn__ends_in_127_what_cannot_be_executed(void **state)
{
    (void)state;
    static const char *const none[] = {"x", NULL};
    int status = 0;
    pid_t pid = 0;
    const int exe = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    const struct spawn_opts opts = {.exe = exe, .argv = none, .envp = none, .out = -1, .err = -1};
    assert_int_equal(spawn_child(&opts, &pid, NULL), OK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    assert_int_equal(close(exe), 0);
}

static void spawn__gives_exactly_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("LEAK", "1", 1), 0);
    assert_int_equal(run("/usr/bin/env | /usr/bin/sort", NULL, 0), 0);
    assert_null(strstr(text, "LEAK"));
    assert_non_null(strstr(text, "ONLY=this\n"));
    assert_non_null(strstr(text, "TZ=UTC\n"));
}

static void spawn__gives_exactly_the_descriptors(void **state)
{
    (void)state;
    /* sources that lie where the targets are, crosswise */
    int fds[3];
    const int leak = open("/etc/hostname", O_RDONLY); /* not close-on-exec */
    assert_true(leak >= 0);
    assert_int_equal(dup2(open("/dev/zero", O_RDONLY | O_CLOEXEC), 5), 5);
    assert_int_equal(dup2(open("/dev/full", O_RDONLY | O_CLOEXEC), 4), 4);
    assert_int_equal(dup2(open("/dev/random", O_RDONLY | O_CLOEXEC), 3), 3);
    for (int fd = 3; fd < 6; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    fds[0] = 5;
    fds[1] = 3;
    fds[2] = 4;
    assert_int_equal(run("exec /bin/ls -l /proc/self/fd", fds, 3), 0);
    assert_non_null(strstr(text, "0 -> /dev/null\n"));
    assert_non_null(strstr(text, "2 -> /dev/null\n"));
    assert_non_null(strstr(text, "3 -> /dev/zero\n"));
    assert_non_null(strstr(text, "4 -> /dev/random\n"));
    assert_non_null(strstr(text, "5 -> /dev/full\n"));
    unsigned links = 0;
    for (const char *at = text; (at = strstr(at, " -> ")); at++)
        links++;
    assert_int_equal(links, 7); /* and the directory that ls reads */
    assert_null(strstr(text, "hostname"));
    assert_int_equal(close(leak), 0);
}

static void spawn__gives_a_group_of_its_own_and_no_blocked_signal(void **state)
{
    (void)state;
    sigset_t all, before;
    char want[64];
    (void)sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    const int status =
        run("set -- $(cat /proc/$$/stat); echo $1 $5; exec cat /proc/self/status", NULL, 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(status, 0);
    int pid = 0, group = 0;
    assert_int_equal(sscanf(text, "%d %d", &pid, &group), 2);
    assert_int_equal(pid, group);

    (void)snprintf(want, sizeof want, "SigBlk:\t0000000000000000");
    assert_non_null(strstr(text, want));
    (void)snprintf(want, sizeof want, "SigIgn:\t0000000000000000");
    assert_non_null(strstr(text, want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawn__refuses_too_many_descriptors),
        cmocka_unit_test(spawn__refuses_a_worker_that_is_not_there),
        cmocka_unit_test(spawn__ends_in_127_what_cannot_be_executed),
        cmocka_unit_test(spawn__gives_exactly_the_environment),
        cmocka_unit_test(spawn__gives_exactly_the_descriptors),
        cmocka_unit_test(spawn__gives_a_group_of_its_own_and_no_blocked_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
