/* One forbidden thing a child. The calls go through syscall(2), so that the kernel and not a
 * wrapper of libc answers. The one complication: a child that died of something else must not pass
 * for one that was stopped, so what must die dies by SIGSYS and nothing else, every other end has
 * an exit status of its own, and row 0 proves that lawful work goes on. */
#include "engine/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memfd.h"
#include "engine/sandbox.h"

#define PROBE_DATA_BYTES (64ull << 20)
#define PROBE_ABSENT     0x7fffff /* of a pid: above any the kernel gives */

/* By number: numbers newer than a build machine's headers. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

enum end { END_LAWFUL, END_KILLED, END_EACCES, END_FSIZE, END_LANDLOCK };

/* Exit statuses, away from the shell's and the worker's. */
enum status {
    STATUS_FINE = 0,        /* lawful work went on */
    STATUS_EACCES = 21,     /* refused so */
    STATUS_OTHER = 23,      /* refused with another errno */
    STATUS_ALLOWED = 24,    /* the call went through */
    STATUS_NO_SANDBOX = 25, /* it could not be entered */
    STATUS_NOT_OFFERED = 26 /* the kernel has no Landlock */
};

struct row {
    const char *name;
    enum end end;
};

static const struct row rows[PROBE_COUNT] = {
#define PROBE(name, end) {#name, END_##end},
#include "engine/probe.def"
#undef PROBE
};

/* What is made before the sandbox closes and used after. */
struct tools {
    int file;       /* /proc/self/exe, readable */
    int sealed;     /* a memfd whose seal was seen to refuse a write */
    uint8_t *page;  /* private, anonymous, writable */
    long page_size; /* bytes */
};

/* The heap above the size that malloc maps by itself, and its return. */
static bool heap_works(void)
{
    const size_t bytes = 1u << 20;
    uint8_t *block = malloc(bytes);
    if (block)
        memset(block, 1, bytes);
    const bool fine = block && block[bytes - 1] == 1;
    free(block);
    return fine;
}

static long try_lawful(const struct tools *t)
{
    const size_t size = (size_t)t->page_size;
    struct timespec now;
    void *more = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more == MAP_FAILED || mprotect(more, size, PROT_READ) != 0 || munmap(more, size) != 0)
        return -1;
    if (!heap_works() || clock_gettime(CLOCK_MONOTONIC, &now) != 0 || getpid() <= 0)
        return -1;
    return syscall(SYS_sched_yield);
}

static long try_open(const struct tools *t)
{
    (void)t;
#ifdef SYS_open
    return syscall(SYS_open, "/", O_RDONLY);
#else
    return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
#endif
}

static long try_openat(const struct tools *t)
{
    (void)t;
    return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

static long try_openat2(const struct tools *t)
{
    const uint64_t how[3] = {O_RDONLY, 0, 0};
    (void)t;
    return syscall(SYS_openat2, AT_FDCWD, "/dev/null", how, sizeof(how));
}

static long try_landlock_open(const struct tools *t)
{
    return try_openat(t);
}

static long try_socket(const struct tools *t)
{
    (void)t;
    return syscall(SYS_socket, 2 /* AF_INET */, 1 /* SOCK_STREAM */, 0);
}

static long try_connect(const struct tools *t)
{
    const uint16_t address[8] = {2 /* AF_INET */, 0x901f, 0x007f, 0x0100}; /* 127.0.0.1:8080 */
    return syscall(SYS_connect, t->file, address, sizeof(address));
}

static long try_clone(const struct tools *t)
{
    (void)t;
    const long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0UL);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long try_clone3(const struct tools *t)
{
    uint64_t args[8] = {0};
    (void)t;
    args[4] = SIGCHLD; /* exit_signal */
    const long pid = syscall(SYS_clone3, args, sizeof(args));
    if (pid == 0)
        _exit(0);
    return pid;
}

static long try_execve(const struct tools *t)
{
    char name[] = "probe";
    char *const argv[] = {name, NULL};
    (void)t;
    return syscall(SYS_execve, "/bin/true", argv, argv + 1);
}

static long try_execveat(const struct tools *t)
{
    char name[] = "probe";
    char *const argv[] = {name, NULL};
    return syscall(SYS_execveat, t->file, "", argv, argv + 1, AT_EMPTY_PATH);
}

static long map(const struct tools *t, int prot, int flags, int fd)
{
    return syscall(SYS_mmap, NULL, (size_t)t->page_size, (long)prot, (long)flags, (long)fd, 0L);
}

static long try_mmap_exec(const struct tools *t)
{
    return map(t, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static long try_mmap_file(const struct tools *t)
{
    return map(t, PROT_READ, MAP_PRIVATE, t->file);
}

static long try_mmap_shared(const struct tools *t)
{
    return map(t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static long try_mprotect_exec(const struct tools *t)
{
    return syscall(SYS_mprotect, t->page, (size_t)t->page_size, (long)(PROT_READ | PROT_EXEC));
}

static long try_memfd_write(const struct tools *t)
{
    return syscall(SYS_write, t->sealed, "x", (size_t)1);
}

static long try_memfd_create(const struct tools *t)
{
    (void)t;
    return syscall(SYS_memfd_create, "probe", 0u);
}

static long try_ptrace(const struct tools *t)
{
    (void)t;
    return syscall(SYS_ptrace, 0L /* TRACEME */, 0L, NULL, NULL);
}

static long try_process_vm_readv(const struct tools *t)
{
    (void)t;
    return syscall(SYS_process_vm_readv, (long)getpid(), NULL, 0UL, NULL, 0UL, 0UL);
}

static long try_kill(const struct tools *t)
{
    (void)t;
    return syscall(SYS_kill, (long)getpid(), 0L);
}

static long try_tgkill_other(const struct tools *t)
{
    (void)t;
    return syscall(SYS_tgkill, (long)PROBE_ABSENT, (long)PROBE_ABSENT, 0L);
}

static long try_ioctl(const struct tools *t)
{
    return syscall(SYS_ioctl, t->file, 0x5401UL /* TCGETS */, t->page);
}

static long try_prctl(const struct tools *t)
{
    (void)t;
    return syscall(SYS_prctl, 3L /* PR_GET_DUMPABLE */, 0L, 0L, 0L, 0L);
}

static long try_bpf(const struct tools *t)
{
    return syscall(SYS_bpf, 0L, t->page, 0UL);
}

static long try_io_uring_setup(const struct tools *t)
{
    return syscall(SYS_io_uring_setup, 1L, t->page);
}

static long try_userfaultfd(const struct tools *t)
{
    (void)t;
    return syscall(SYS_userfaultfd, 0L);
}

static long (*const tries[PROBE_COUNT])(const struct tools *t) = {
#define PROBE(name, end) try_##name,
#include "engine/probe.def"
#undef PROBE
};

const char *probe_name(unsigned which)
{
    return which < PROBE_COUNT ? rows[which].name : "?";
}

static bool get_ready(struct tools *t)
{
    t->page_size = sysconf(_SC_PAGESIZE);
    t->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (t->file < 0) /* no /proc: any file that can be mapped will do */
        t->file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    void *page = mmap(NULL, (size_t)t->page_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->page = page == MAP_FAILED ? NULL : page;
    return t->file >= 0 && t->page && memfd_new("probe", 1, &t->sealed, NULL) == OK &&
           memfd_seal(t->sealed, NULL) == OK && write(t->sealed, "x", 1) == -1 && errno == EPERM;
}

/* The whole sandbox, or Landlock alone for the row that asks what it does without the filter. */
static int enter(enum end end, const struct tools *t)
{
    const int keep[] = {t->file, t->sealed};
    const struct sandbox_start start = {
        .data_bytes = PROBE_DATA_BYTES, .keep = keep, .keep_count = 2};
    const struct sandbox_seal seal = {.mode = SANDBOX_REQUIRED};
    struct sandbox_report report;
    if (sandbox_begin(&start, NULL) != OK)
        return STATUS_NO_SANDBOX;
    if (end == END_LANDLOCK) {
        if (sandbox_landlock_abi() == 0)
            return STATUS_NOT_OFFERED;
        return sandbox_thread(NULL) == OK ? STATUS_FINE : STATUS_NO_SANDBOX;
    }
    return sandbox_enter(&seal, &report, NULL) == OK ? STATUS_FINE : STATUS_NO_SANDBOX;
}

int probe_run(unsigned which)
{
    struct tools t = {.file = -1, .sealed = -1};
    if (which >= PROBE_COUNT || !get_ready(&t))
        return STATUS_NO_SANDBOX;
    const int entered = enter(rows[which].end, &t);
    if (entered != STATUS_FINE)
        return entered;
    errno = 0;
    if (tries[which](&t) != -1)
        return rows[which].end == END_LAWFUL ? STATUS_FINE : STATUS_ALLOWED;
    return errno == EACCES ? STATUS_EACCES : STATUS_OTHER;
}

int probe_run_all(int fd)
{
    for (unsigned which = 0; which < PROBE_COUNT; which++) {
        int status;
        const pid_t pid = fork();
        if (pid == 0)
            _exit(probe_run(which));
        if (pid < 0 || waitpid(pid, &status, 0) != pid ||
            write(fd, &status, sizeof status) != (ssize_t)sizeof status)
            return STATUS_NO_SANDBOX;
    }
    return STATUS_FINE;
}

static const char *const wanted[] = {
    [END_LAWFUL] = "lawful work to go on",
    [END_KILLED] = "death by SIGSYS",
    [END_EACCES] = "EACCES",
    [END_FSIZE] = "death by SIGXFSZ",
    [END_LANDLOCK] = "EACCES from Landlock",
};

static bool ended_well(enum end end, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return (end == END_KILLED && WTERMSIG(wait_status) == SIGSYS) ||
               (end == END_FSIZE && WTERMSIG(wait_status) == SIGXFSZ);
    if (!WIFEXITED(wait_status))
        return false;
    switch (WEXITSTATUS(wait_status)) {
    case STATUS_FINE:
        return end == END_LAWFUL;
    case STATUS_EACCES:
        return end == END_EACCES || end == END_LANDLOCK;
    case STATUS_NOT_OFFERED:
        return end == END_LANDLOCK;
    default:
        return false;
    }
}

static const char *exit_text(int status)
{
    switch (status) {
    case STATUS_FINE:
        return "ended without a word";
    case STATUS_EACCES:
        return "was refused with EACCES";
    case STATUS_OTHER:
        return "failed for another reason";
    case STATUS_ALLOWED:
        return "was allowed";
    case STATUS_NO_SANDBOX:
        return "could not enter the sandbox";
    default:
        return "ended with an exit status of no meaning";
    }
}

err probe_verdict(unsigned which, int wait_status, struct fault *f)
{
    if (which >= PROBE_COUNT)
        return fail(f, ERR_INPUT, "probe %u of %d", which, PROBE_COUNT);
    const struct row *row = &rows[which];
    if (ended_well(row->end, wait_status))
        return OK;
    if (WIFSIGNALED(wait_status))
        return fail(f, ERR_UNAVAILABLE, "probe \"%s\" died by signal %d, want %s", row->name,
                    WTERMSIG(wait_status), wanted[row->end]);
    return fail(f, ERR_UNAVAILABLE, "probe \"%s\" %s, want %s", row->name,
                exit_text(WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1),
                wanted[row->end]);
}
