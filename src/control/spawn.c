/* fork and execveat. Between the two only async-signal-safe calls are made, on arrays made before:
 * other threads of the keeper may hold any lock at the moment of the fork. */
#include "control/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif
#define EXIT_NO_EXEC 127

/* execveat takes what it never changes as char *const *. */
static char *const *unconst(const char *const *list)
{
    union {
        const char *const *in;
        char *const *out;
    } u = {.in = list};
    return u.out;
}

/* By the kernel's own call: libc refuses to touch two real-time signals that it keeps for itself,
 * and some launchers (make) leave them ignored. A zeroed action is SIG_DFL on every architecture.
 */
static void signals_as_new(void)
{
    static const unsigned long by_default[8] = {0};
    sigset_t none;
    (void)sigemptyset(&none);
    for (int s = 1; s < 65; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)syscall(SYS_rt_sigaction, s, by_default, NULL, 8);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Lays the descriptors out as 0, 1, 2, 3.. First every source goes above all targets, so that no
 * target overwrites a source that is still to come. */
static void place_fds(const struct spawn_opts *o, int null)
{
    const int above = 3 + (int)o->fd_count;
    int high[SPAWN_FDS_MAX + 4];
    const int exe = fcntl(o->exe, F_DUPFD_CLOEXEC, above);
    high[0] = fcntl(null, F_DUPFD_CLOEXEC, above);
    high[1] = fcntl(o->out >= 0 ? o->out : null, F_DUPFD_CLOEXEC, above);
    high[2] = fcntl(o->err >= 0 ? o->err : null, F_DUPFD_CLOEXEC, above);
    for (unsigned i = 0; i < o->fd_count; i++)
        high[3 + i] = fcntl(o->fds[i], F_DUPFD_CLOEXEC, above);
    for (int i = 0; i < above; i++)
        if (high[i] < 0 || dup2(high[i], i) != i)
            _exit(EXIT_NO_EXEC);
    if (exe < 0)
        _exit(EXIT_NO_EXEC);
    /* What the keeper itself was started with goes no further (before Linux 5.11 it does). */
    (void)syscall(SYS_close_range, above, ~0u, CLOSE_RANGE_CLOEXEC);
    (void)syscall(SYS_execveat, exe, "", unconst(o->argv), unconst(o->envp), AT_EMPTY_PATH);
    _exit(EXIT_NO_EXEC);
}

__attribute__((noreturn)) static void child(const struct spawn_opts *o, int null, pid_t keeper)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != keeper)
        _exit(EXIT_NO_EXEC); /* the keeper is gone already */
    (void)setpgid(0, 0);
    signals_as_new();
    place_fds(o, null);
    _exit(EXIT_NO_EXEC);
}

err spawn_child(const struct spawn_opts *opts, pid_t *ret_pid, struct fault *f)
{
    if (opts->fd_count > SPAWN_FDS_MAX)
        return fail(f, ERR_TOO_BIG, "%u descriptors to inherit, want <= %u", opts->fd_count,
                    SPAWN_FDS_MAX);
    SCOPED(fd_undo)
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return fail(f, ERR_UNAVAILABLE, "cannot open /dev/null: %s", strerror(errno));
    const pid_t keeper = getpid();
    const pid_t pid = fork();
    if (pid == 0)
        child(opts, null, keeper);
    if (pid < 0)
        return fail(f, ERR_UNAVAILABLE, "cannot start \"%s\": fork: %s", opts->argv[0],
                    strerror(errno));
    *ret_pid = pid;
    return OK;
}

static err open_executable(const char *path, int *ret_fd)
{
    if (access(path, X_OK) != 0)
        return ERR_NOT_FOUND;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_NOT_FOUND;
    *ret_fd = fd;
    return OK;
}

err spawn_open_self(int *ret_fd, struct fault *f)
{
    if (open_executable("/proc/self/exe", ret_fd) != OK)
        return fail(f, ERR_UNAVAILABLE, "cannot open /proc/self/exe: %s", strerror(errno));
    return OK;
}

err spawn_open_worker(const char *path, int *ret_fd, struct fault *f)
{
    char self[PATH_MAX];
    char there[PATH_MAX + 64];
    if (path) {
        if (open_executable(path, ret_fd) == OK)
            return OK;
        return fail(f, ERR_NOT_FOUND, "\"%s\" is no executable, want garrison-worker", path);
    }
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return fail(f, ERR_UNAVAILABLE, "cannot read /proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    (void)snprintf(there, sizeof there, "%s/garrison-worker", self);
    if (open_executable(there, ret_fd) == OK)
        return OK;
    (void)snprintf(there, sizeof there, "%s/../libexec/garrison/garrison-worker", self);
    if (open_executable(there, ret_fd) == OK)
        return OK;
    return fail(f, ERR_NOT_FOUND,
                "garrison-worker is neither in \"%s\" nor in ../libexec/garrison from there", self);
}
