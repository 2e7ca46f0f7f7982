/* The sandbox of worker and probe. The one complication is order: Landlock needs a descriptor, so
 * it precedes NOFILE; dumpable 0 hides /proc/self, so the OOM score precedes it; NPROC 0 stops
 * threads, so it comes last; and everything precedes the filter. */
#include "engine/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/scope.h"

/* landlock(7), by value: the headers of a build machine may be older than the kernel of a run. */
#define LL_CREATE_VERSION 1u
#define LL_FS_ABI1        0x1fffull    /* execute .. make_sym */
#define LL_FS_REFER       (1ull << 13) /* ABI 2 */
#define LL_FS_TRUNCATE    (1ull << 14) /* ABI 3 */
#define LL_FS_IOCTL_DEV   (1ull << 15) /* ABI 5 */
#define LL_NET_TCP        3ull         /* ABI 4: bind, connect */
#define LL_SCOPE          3ull         /* ABI 6: abstract sockets, signals */

struct ll_ruleset {
    uint64_t fs;
    uint64_t net;    /* from ABI 4 on */
    uint64_t scoped; /* from ABI 6 on */
};

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

/* Calls that any argument may go with. `read` and `write` are here unless descriptors are named.
 * rseq and set_robust_list are of threads that start late; open and openat are refused, not
 * killed: glibc's allocator reads /proc/sys/vm/overcommit_memory when it first trims an arena. */
static const int allowed[] = {
    SCMP_SYS(futex),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
};
static const int refused[] = {SCMP_SYS(open), SCMP_SYS(openat)};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const char *sandbox_level_name(enum sandbox_level level)
{
    return level == SANDBOX_FULL ? "full" : "degraded";
}

uint64_t sandbox_data_bytes(uint64_t budget_bytes, uint32_t threads)
{
    const uint64_t own = (64ull << 20) + (uint64_t)threads * (16ull << 20);
    uint64_t sum;
    return __builtin_add_overflow(budget_bytes, own, &sum) ? UINT64_MAX : sum;
}

static err limit(unsigned which, const char *name, uint64_t value, struct fault *f)
{
    struct rlimit now;
    if (getrlimit(which, &now) != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: RLIMIT_%s: %s", name, strerror(errno));
    /* a limit that is tighter already may not be raised, and is not */
    const rlim_t cut = value < now.rlim_max ? (rlim_t)value : now.rlim_max;
    const struct rlimit want = {.rlim_cur = cut, .rlim_max = cut};
    if (setrlimit(which, &want) != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: RLIMIT_%s %" PRIu64 ": %s", name, value,
                    strerror(errno));
    return OK;
}

static err control(int option, unsigned long value, const char *name, struct fault *f)
{
    if (prctl(option, value, 0ul, 0ul, 0ul) != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: %s: %s", name, strerror(errno));
    return OK;
}

static err first_limits(uint64_t data_bytes, struct fault *f)
{
    err e = data_bytes ? limit(RLIMIT_DATA, "DATA", data_bytes, f) : OK;
    if (e == OK)
        e = limit(RLIMIT_FSIZE, "FSIZE", 0, f);
    if (e == OK)
        e = limit(RLIMIT_STACK, "STACK", SANDBOX_STACK_BYTES, f);
    if (e == OK)
        e = limit(RLIMIT_CORE, "CORE", 0, f);
    return e;
}

/* The parent may have died before the prctl: then nobody will ever signal. */
static err die_with(int64_t parent, struct fault *f)
{
    const err e = control(PR_SET_PDEATHSIG, SIGKILL, "PDEATHSIG", f);
    if (e != OK)
        return e;
    if (parent != 0 && (int64_t)getppid() != parent)
        return fail(f, ERR_UNAVAILABLE, "sandbox: parent is %d, want %" PRId64, (int)getppid(),
                    parent);
    return OK;
}

/* The kernel's OOM killer takes a worker before it takes the keeper. */
static void offer_to_oom_killer(void)
{
    char text[8];
    const int len = snprintf(text, sizeof(text), "%d", SANDBOX_OOM_SCORE);
    SCOPED(fd_undo)
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t ignored = write(fd, text, (size_t)len);
        (void)ignored;
    }
}

static int by_number(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static err close_between(int from, unsigned to, struct fault *f)
{
    if ((unsigned)from <= to && close_range((unsigned)from, to, 0) != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: close_range: %s", strerror(errno));
    return OK;
}

static err close_others(const struct sandbox_start *start, struct fault *f)
{
    int keep[SANDBOX_KEEP_MAX];
    if (start->keep_count > SANDBOX_KEEP_MAX)
        return fail(f, ERR_INPUT, "sandbox: %" PRIu32 " descriptors to keep, want at most %u",
                    start->keep_count, SANDBOX_KEEP_MAX);
    for (uint32_t i = 0; i < start->keep_count; i++) {
        keep[i] = start->keep[i];
        if (fcntl(keep[i], F_GETFD) < 0)
            return fail(f, ERR_INPUT, "sandbox: descriptor %d is not open", keep[i]);
    }
    qsort(keep, start->keep_count, sizeof(keep[0]), by_number);
    int from = 3;
    for (uint32_t i = 0; i < start->keep_count; i++) {
        if (keep[i] < from)
            continue;
        const err e = keep[i] == from ? OK : close_between(from, (unsigned)keep[i] - 1, f);
        if (e != OK)
            return e;
        from = keep[i] + 1;
    }
    return close_between(from, ~0u, f);
}

err sandbox_begin(const struct sandbox_start *start, struct fault *f)
{
    err e = first_limits(start->data_bytes, f);
    if (e == OK)
        e = die_with(start->parent, f);
    if (e == OK)
        e = control(PR_SET_NO_NEW_PRIVS, 1, "NO_NEW_PRIVS", f);
    if (e != OK)
        return e;
    offer_to_oom_killer();
    e = control(PR_SET_DUMPABLE, 0, "DUMPABLE", f);
    return e != OK ? e : close_others(start, f);
}

uint32_t sandbox_landlock_abi(void)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0ul, LL_CREATE_VERSION);
    return abi < 1 ? 0 : (uint32_t)abi;
}

static err landlock_deny_all(uint32_t abi, struct fault *f)
{
    struct ll_ruleset r = {.fs = LL_FS_ABI1};
    size_t size = sizeof(r.fs);
    if (abi >= 2)
        r.fs |= LL_FS_REFER;
    if (abi >= 3)
        r.fs |= LL_FS_TRUNCATE;
    if (abi >= 4) {
        r.net = LL_NET_TCP;
        size = offsetof(struct ll_ruleset, scoped);
    }
    if (abi >= 5)
        r.fs |= LL_FS_IOCTL_DEV;
    if (abi >= 6) {
        r.scoped = LL_SCOPE;
        size = sizeof(r);
    }
    SCOPED(fd_undo)
    int fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0u);
    if (fd < 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: Landlock ruleset: %s", strerror(errno));
    if (syscall(SYS_landlock_restrict_self, fd, 0u) != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: Landlock: %s", strerror(errno));
    return OK;
}

err sandbox_thread(struct fault *f)
{
    const uint32_t abi = sandbox_landlock_abi();
    return abi == 0 ? OK : landlock_deny_all(abi, f);
}

/* No new descriptor: the limit is the lowest number that is free. */
static err freeze_descriptors(struct fault *f)
{
    int lowest = 0;
    while (fcntl(lowest, F_GETFD) >= 0)
        lowest++;
    return limit(RLIMIT_NOFILE, "NOFILE", (uint64_t)lowest, f);
}

static struct scmp_arg_cmp first_is(scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = 0, .op = SCMP_CMP_EQ, .datum_a = value};
}

/* Allows one call on the named descriptors, or on any. A negative errno of libseccomp, or 0. */
static int allow_on(scmp_filter_ctx ctx, int call, const int *fds, uint32_t count)
{
    if (!fds)
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
    for (uint32_t i = 0; i < count; i++) {
        const int e =
            seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, first_is((scmp_datum_t)fds[i]));
        if (e < 0 && e != -EEXIST)
            return e;
    }
    return 0;
}

static int add_attributes(scmp_filter_ctx ctx)
{
    int e = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (e == 0)
        e = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (e == 0)
        e = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return e;
}

static int add_rules(scmp_filter_ctx ctx, const struct sandbox_seal *seal)
{
    int e = allow_on(ctx, SCMP_SYS(read), seal->reads, seal->read_count);
    if (e == 0)
        e = allow_on(ctx, SCMP_SYS(write), seal->writes, seal->write_count);
    for (size_t i = 0; i < COUNT_OF(allowed) && e == 0; i++)
        e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < COUNT_OF(refused) && e == 0; i++)
        e = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    /* private anonymous memory alone: shared memory would escape RLIMIT_DATA */
    if (e == 0)
        e = seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS));
    if (e == 0)
        e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* so that an abort is seen as SIGABRT */
    if (e == 0)
        e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             first_is((scmp_datum_t)getpid()));
    return e;
}

static void filter_undo(scmp_filter_ctx *ctx)
{
    if (*ctx)
        seccomp_release(*ctx);
}

static err load_filter(const struct sandbox_seal *seal, struct fault *f)
{
    SCOPED(filter_undo)
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return fail(f, ERR_UNAVAILABLE, "sandbox: no room for the filter");
    int e = add_attributes(ctx);
    if (e == 0)
        e = add_rules(ctx, seal);
    if (e == 0)
        e = seccomp_load(ctx);
    if (e != 0)
        return fail(f, ERR_UNAVAILABLE, "sandbox: system call filter: %s", strerror(-e));
    return OK;
}

err sandbox_enter(const struct sandbox_seal *seal, struct sandbox_report *ret_report,
                  struct fault *f)
{
    struct fault why = {0}; /* of what best-effort goes without */
    struct sandbox_report report = {.landlock_abi = sandbox_landlock_abi()};
    err e = control(PR_SET_NO_NEW_PRIVS, 1, "NO_NEW_PRIVS", f);
    if (e == OK && report.landlock_abi > 0) {
        e = landlock_deny_all(report.landlock_abi, &why);
        if (e != OK && seal->mode == SANDBOX_REQUIRED)
            return fail(f, e, "%s", why.text);
        if (e != OK)
            report.landlock_abi = 0;
        e = OK;
    }
    if (e == OK)
        e = freeze_descriptors(f);
    if (e == OK)
        e = limit(RLIMIT_NPROC, "NPROC", 0, f);
    if (e != OK)
        return e;
    e = load_filter(seal, &why);
    if (e != OK && seal->mode == SANDBOX_REQUIRED)
        return fail(f, e, "%s", why.text);
    report.filter = e == OK;
    report.level = report.filter && report.landlock_abi > 0 ? SANDBOX_FULL : SANDBOX_DEGRADED;
    const char *filter = report.filter ? "filter" : "no filter";
    if (report.landlock_abi > 0)
        (void)snprintf(report.text, sizeof(report.text), "%s, Landlock ABI %" PRIu32, filter,
                       report.landlock_abi);
    else
        (void)snprintf(report.text, sizeof(report.text), "%s, no Landlock", filter);
    *ret_report = report;
    return OK;
}
