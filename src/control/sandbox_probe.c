/* The proof, made at every start, that the sandbox holds on this kernel. One process runs the rows
 * of engine/probe.def one after the other, so that the fronts, which start at the same time, need
 * not share a core with all of them; its pipe is read when it has ended. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/parts.h"
#include "control/spawn.h"

#define PROBES_MAX_S 15u

err probes_start(struct keeper *k, void (*done)(struct keeper *k, err e, const char *why),
                 struct fault *f)
{
    static const char *const argv[] = {"garrison-worker", "--probe", NULL};
    static const char *const envp[] = {"ORT_DISABLE_TELEMETRY=1", "LC_ALL=C.UTF-8", "TZ=UTC", NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(f, ERR_UNAVAILABLE, "no pipe for the probes: %s", strerror(errno));
    const struct spawn_opts opts = {
        .exe = k->exe_worker, .argv = argv, .envp = envp, .out = ends[1], .err = -1};
    k->probes.done = done;
    k->probes.out = ends[0];
    k->probes.began_ns = clock_ns();
    const err e = spawn_child(&opts, &k->probes.pid, f);
    (void)close(ends[1]);
    return e;
}

static bool late(const struct keeper *k)
{
    return clock_ns() - k->probes.began_ns >= PROBES_MAX_S * NS_PER_S;
}

/* ended: the wait status of the process that ran them; told: what it has told of theirs. */
static err judge(const struct keeper *k, int ended, const int *told, unsigned count,
                 struct fault *f)
{
    for (unsigned i = 0; i < count; i++) {
        const err e = probe_verdict(i, told[i], f);
        if (e != OK)
            return e;
    }
    if (count == PROBE_COUNT && ended == 0)
        return OK;
    if (count == PROBE_COUNT)
        return fail(f, ERR_UNAVAILABLE, "the probes' parent ended with wait status %d", ended);
    if (WIFEXITED(ended))
        return fail(f, ERR_UNAVAILABLE, "probe \"%s\" was not run: exit status %d",
                    probe_name(count), WEXITSTATUS(ended));
    if (late(k))
        return fail(f, ERR_UNAVAILABLE, "probe \"%s\" did not end within %u s", probe_name(count),
                    PROBES_MAX_S);
    return fail(f, ERR_UNAVAILABLE, "probe \"%s\" took its parent along, by signal %d",
                probe_name(count), WTERMSIG(ended));
}

void probes_reaped(struct keeper *k, pid_t pid, int status)
{
    struct fault f = {0};
    int told[PROBE_COUNT];
    if (pid != k->probes.pid)
        return; /* an orphan that was given to us as the first process of a container */
    k->probes.pid = 0;
    const ssize_t n = read(k->probes.out, told, sizeof told);
    (void)close(k->probes.out);
    k->probes.out = -1;
    const unsigned count = n > 0 ? (unsigned)((size_t)n / sizeof told[0]) : 0;
    const err e = judge(k, status, told, count, &f);
    k->probes.done(k, e, f.text);
}

void probes_tick(struct keeper *k)
{
    if (k->probes.pid && late(k))
        (void)kill(k->probes.pid, SIGKILL);
}
