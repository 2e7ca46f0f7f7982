/* What the sandbox refuses and what it lets live, each in a child of its own. Under sanitizers the
 * children that take limits or the filter are skipped: their runtime needs what is taken away. */
#include "engine/probe.h"
#include "engine/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define DATA_BYTES (256ull << 20)

/* Runs body in a child; returns its wait status. */
static int in_child(int (*body)(int), int argument)
{
    const pid_t pid = fork();
    if (pid == 0)
        _exit(body(argument));
    int status = -1;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void exits_0(int (*body)(int), int argument)
{
    const int status = in_child(body, argument);
    if (WIFSIGNALED(status))
        print_error("died by signal %d\n", WTERMSIG(status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void dies_by(int signal, int (*body)(int), int argument)
{
    const int status = in_child(body, argument);
    if (!WIFSIGNALED(status))
        print_error("exit status %d\n", WEXITSTATUS(status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal);
}

static int begin(const int *keep, uint32_t count)
{
    const struct sandbox_start start = {
        .parent = getppid(), .data_bytes = DATA_BYTES, .keep = keep, .keep_count = count};
    return sandbox_begin(&start, NULL) == OK ? 0 : 90;
}

/* Begin and enter; reads, writes: the one descriptor that may be named, or -1 for any. */
static int enter(int reads, int writes)
{
    const int keep[] = {reads, writes};
    const uint32_t count = reads < 0 ? 0 : 2;
    struct sandbox_report report;
    const struct sandbox_seal seal = {.reads = reads < 0 ? NULL : &keep[0],
                                      .read_count = 1,
                                      .writes = writes < 0 ? NULL : &keep[1],
                                      .write_count = 1};
    if (begin(keep, count) != 0)
        return 91;
    return sandbox_enter(&seal, &report, NULL) == OK ? 0 : 92;
}

static int foreign_parent(int unused)
{
    const struct sandbox_start start = {.parent = getppid() + 1};
    struct fault f = {0};
    (void)unused;
    return sandbox_begin(&start, &f) == ERR_UNAVAILABLE && strstr(f.text, "parent") ? 0 : 1;
}

static int closed_descriptor(int unused)
{
    const int keep[] = {900};
    const struct sandbox_start start = {.keep = keep, .keep_count = 1};
    (void)unused;
    return sandbox_begin(&start, NULL) == ERR_INPUT ? 0 : 1;
}

static int too_many(int unused)
{
    const struct sandbox_start start = {.keep = NULL, .keep_count = SANDBOX_KEEP_MAX + 1};
    (void)unused;
    return sandbox_begin(&start, NULL) == ERR_INPUT ? 0 : 1;
}

static void sandbox_begin__refuses_a_dead_parent_and_wrong_lists(void **state)
{
    (void)state;
    exits_0(foreign_parent, 0);
    exits_0(closed_descriptor, 0);
    exits_0(too_many, 0);
}

static int keeps_the_listed(int unused)
{
    (void)unused;
    int keep[3];
    for (int i = 0; i < 3; i++)
        keep[i] = fcntl(0, F_DUPFD, 40 - 10 * i); /* 40, 30, 20: not in order */
    const int other = fcntl(0, F_DUPFD, 25), last = fcntl(0, F_DUPFD, 1000);
    if (begin(keep, 3) != 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        if (fcntl(keep[i], F_GETFD) < 0)
            return 2;
    }
    if (fcntl(other, F_GETFD) >= 0 || fcntl(last, F_GETFD) >= 0 || fcntl(3, F_GETFD) >= 0)
        return 3;
    return fcntl(2, F_GETFD) < 0 ? 4 : 0;
}

static int sets_the_limits(int unused)
{
    (void)unused;
    struct rlimit l;
    int death = 0;
    char score[16] = {0};

    if (begin(NULL, 0) != 0)
        return 1;
    if (getrlimit(RLIMIT_DATA, &l) != 0 || l.rlim_max != DATA_BYTES)
        return 2;
    if (getrlimit(RLIMIT_FSIZE, &l) != 0 || l.rlim_max != 0)
        return 3;
    if (getrlimit(RLIMIT_CORE, &l) != 0 || l.rlim_max != 0)
        return 4;
    if (getrlimit(RLIMIT_STACK, &l) != 0 || l.rlim_max > SANDBOX_STACK_BYTES)
        return 5;
    if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 6;
    if (prctl(PR_GET_PDEATHSIG, &death) != 0 || death != SIGKILL)
        return 7;
    const int fd = open("/proc/self/oom_score_adj", O_RDONLY);
    if (fd < 0 || read(fd, score, sizeof(score) - 1) <= 0 || atoi(score) != SANDBOX_OOM_SCORE)
        return 8;
    return 0;
}

static void sandbox_begin__closes_all_but_the_listed(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    exits_0(keeps_the_listed, 0);
}

static void sandbox_begin__sets_limits_and_identity(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    exits_0(sets_the_limits, 0);
}

static int bomb(int unused)
{
    (void)unused;
    if (enter(-1, -1) != 0)
        return 1;
    void *much = mmap(NULL, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *some =
        mmap(NULL, DATA_BYTES / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return much == MAP_FAILED && some != MAP_FAILED ? 0 : 2;
}

static int aborts(int unused)
{
    (void)unused;
    if (enter(-1, -1) != 0)
        return 1;
    abort();
}

static void *waits(void *arg)
{
    (void)arg;
    for (;;)
        (void)syscall(SYS_sched_yield);
    return NULL;
}

struct signal_box {
    _Atomic int go;
};

/* A thread that stood before the filter makes the forbidden call when told to. */
static void *calls(void *arg)
{
    const struct signal_box *box = arg;
    while (box->go == 0)
        (void)syscall(SYS_sched_yield);
    (void)syscall(SYS_socket, 2, 1, 0);
    return NULL;
}

static int earlier_thread(int unused)
{
    (void)unused;
    struct signal_box box = {0};
    pthread_t a, b;
    if (begin(NULL, 0) != 0 || pthread_create(&a, NULL, calls, &box) != 0 ||
        pthread_create(&b, NULL, waits, NULL) != 0)
        return 1;
    const struct sandbox_seal seal = {.mode = SANDBOX_REQUIRED};
    struct sandbox_report report;
    if (sandbox_enter(&seal, &report, NULL) != OK)
        return 2;
    box.go = 1;
    (void)pthread_join(a, NULL);
    return 3;
}

/* The foreign numbering of x86-64's x32. */
static int foreign_numbers(int unused)
{
    (void)unused;
    if (enter(-1, -1) != 0)
        return 1;
    (void)syscall(0x40000000 | 39);
    return 2;
}

static void sandbox_enter__turns_a_bomb_into_a_refusal(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    exits_0(bomb, 0);
}

static void sandbox_enter__lets_an_abort_be_seen(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    dies_by(SIGABRT, aborts, 0);
}

static void sandbox_enter__covers_threads_that_stand(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    dies_by(SIGSYS, earlier_thread, 0);
}

static void sandbox_enter__knows_one_numbering_of_calls(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (!SANITIZED) {
        dies_by(SIGSYS, foreign_numbers, 0);
        return;
    }
#endif
    skip();
}

/* step 0: what is named works; 1: another read; 2: another write */
static int named(int step)
{
    int wake[2], log[2];
    char byte = 'x';
    if (pipe(wake) != 0 || pipe(log) != 0 || write(wake[1], &byte, 1) != 1 ||
        write(log[1], &byte, 1) != 1)
        return 1;
    const int keep[] = {wake[0], wake[1], log[0], log[1]};
    const struct sandbox_seal seal = {
        .reads = &wake[0], .read_count = 1, .writes = &log[1], .write_count = 1};
    struct sandbox_report report;
    if (begin(keep, 4) != 0 || sandbox_enter(&seal, &report, NULL) != OK)
        return 2;
    if (step == 0)
        return read(wake[0], &byte, 1) == 1 && write(log[1], &byte, 1) == 1 ? 0 : 3;
    if (step == 1)
        return read(log[0], &byte, 1) == 1 ? 4 : 5;
    return write(wake[1], &byte, 1) == 1 ? 6 : 7;
}

static void sandbox_enter__lets_only_named_descriptors_be_used(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    exits_0(named, 0);
    dies_by(SIGSYS, named, 1);
    dies_by(SIGSYS, named, 2);
}

static int reports(int mode)
{
    const struct sandbox_seal seal = {.mode = (enum sandbox_mode)mode};
    struct sandbox_report report = {.level = SANDBOX_DEGRADED};
    const uint32_t abi = sandbox_landlock_abi();
    if (begin(NULL, 0) != 0)
        return 1;
    if (sandbox_enter(&seal, &report, NULL) != OK || !report.filter)
        return 2;
    if (report.landlock_abi != abi || (report.level == SANDBOX_FULL) != (abi > 0))
        return 3;
    if (!strstr(report.text, "filter") || !strstr(report.text, "Landlock"))
        return 4;
    if (strcmp(sandbox_level_name(report.level), abi > 0 ? "full" : "degraded") != 0)
        return 5;
    return 0;
}

static void sandbox_enter__reports_what_it_has(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    exits_0(reports, SANDBOX_REQUIRED);
    exits_0(reports, SANDBOX_BEST_EFFORT);
}

static void sandbox_data_bytes__saturates(void **state)
{
    (void)state;
    assert_true(sandbox_data_bytes(UINT64_MAX - 5, 1) == UINT64_MAX);
    assert_true(sandbox_data_bytes(256ull << 20, 4) == (256ull + 64 + 64) << 20);
}

static int run_probe(int which)
{
    return probe_run((unsigned)which);
}

static void probe_verdict__refuses_every_other_end(void **state)
{
    (void)state;
    const int exited = 0, allowed = 24 << 8, refused = 21 << 8, no_sandbox = 25 << 8;
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        struct fault f = {0};
        assert_int_equal(probe_verdict(i, allowed, &f), ERR_UNAVAILABLE);
        assert_non_null(strstr(f.text, probe_name(i)));
        assert_int_equal(probe_verdict(i, no_sandbox, NULL), ERR_UNAVAILABLE);
        assert_int_equal(probe_verdict(i, SIGSEGV, NULL), ERR_UNAVAILABLE);
        assert_int_equal(probe_verdict(i, SIGKILL, NULL), ERR_UNAVAILABLE);
        assert_int_equal(probe_verdict(i, 1 << 8, NULL), ERR_UNAVAILABLE);
        if (i != PROBE_lawful)
            assert_int_equal(probe_verdict(i, exited, NULL), ERR_UNAVAILABLE);
    }
    assert_int_equal(probe_verdict(PROBE_lawful, SIGSYS, NULL), ERR_UNAVAILABLE);
    assert_int_equal(probe_verdict(PROBE_openat, SIGSYS, NULL), ERR_UNAVAILABLE);
    assert_int_equal(probe_verdict(PROBE_socket, refused, NULL), ERR_UNAVAILABLE);
    assert_int_equal(probe_verdict(PROBE_memfd_write, refused, NULL), ERR_UNAVAILABLE);
    assert_int_equal(probe_verdict(PROBE_COUNT, exited, NULL), ERR_INPUT);
    assert_int_equal(probe_run(PROBE_COUNT), 25);
    assert_string_equal(probe_name(PROBE_COUNT), "?");
    assert_string_equal(probe_name(PROBE_openat), "openat");
}

static void probe_run__ends_as_the_table_says(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        struct fault f = {0};
        const err e = probe_verdict(i, in_child(run_probe, (int)i), &f);
        assert_string_equal(f.text, "");
        assert_int_equal(e, OK);
    }
}

/* Runs all rows with a pipe; told gets what they told. returns the wait status of their parent */
static int run_all(int told[PROBE_COUNT], size_t *ret_count)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(probe_run_all(ends[1]));
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    const ssize_t n = read(ends[0], told, PROBE_COUNT * sizeof told[0]);
    assert_int_equal(close(ends[0]), 0);
    *ret_count = n > 0 ? (size_t)n / sizeof told[0] : 0;
    return status;
}

static void probe_run_all__refuses_a_reader_that_is_gone(void **state)
{
    int status;
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(probe_run_all(-1));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 25 << 8);
}

static void probe_run_all__tells_every_end_in_order(void **state)
{
    int told[PROBE_COUNT];
    size_t count = 0;
    (void)state;
    assert_int_equal(run_all(told, &count), 0);
    assert_int_equal(count, PROBE_COUNT);
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        struct fault f = {0};
        const err e = SANITIZED ? OK : probe_verdict(i, told[i], &f);
        assert_string_equal(f.text, "");
        assert_int_equal(e, OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sandbox_begin__refuses_a_dead_parent_and_wrong_lists),
        cmocka_unit_test(sandbox_begin__closes_all_but_the_listed),
        cmocka_unit_test(sandbox_begin__sets_limits_and_identity),
        cmocka_unit_test(sandbox_enter__turns_a_bomb_into_a_refusal),
        cmocka_unit_test(sandbox_enter__lets_an_abort_be_seen),
        cmocka_unit_test(sandbox_enter__covers_threads_that_stand),
        cmocka_unit_test(sandbox_enter__knows_one_numbering_of_calls),
        cmocka_unit_test(sandbox_enter__lets_only_named_descriptors_be_used),
        cmocka_unit_test(sandbox_enter__reports_what_it_has),
        cmocka_unit_test(sandbox_data_bytes__saturates),
        cmocka_unit_test(probe_verdict__refuses_every_other_end),
        cmocka_unit_test(probe_run__ends_as_the_table_says),
        cmocka_unit_test(probe_run_all__refuses_a_reader_that_is_gone),
        cmocka_unit_test(probe_run_all__tells_every_end_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
