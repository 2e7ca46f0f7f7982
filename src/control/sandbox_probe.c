/* The proof, made at every start, that the sandbox holds on this kernel: one short-lived child a
 * row of engine/probe.def, all at once, judged by wait status. */
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/parts.h"
#include "control/spawn.h"

#define PROBES_MAX_NS 15000000000ull

static err start_one(struct keeper *k, unsigned which, struct fault *f)
{
    static const char *const envp[] = {"ORT_DISABLE_TELEMETRY=1", "LC_ALL=C.UTF-8", "TZ=UTC", NULL};
    char number[16];
    (void)snprintf(number, sizeof number, "%u", which);
    const char *const argv[] = {"garrison-worker", "--probe", number, NULL};
    const struct spawn_opts opts = {
        .exe = k->exe_worker, .argv = argv, .envp = envp, .out = -1, .err = -1};
    return spawn_child(&opts, &k->probes.pid[which], f);
}

err probes_start(struct keeper *k, void (*done)(struct keeper *k, err e, const char *why),
                 struct fault *f)
{
    k->probes.done = done;
    k->probes.began_ns = clock_ns();
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        const err e = start_one(k, i, f);
        if (e != OK)
            return e; /* the start ends, and with it those that run */
        k->probes.left++;
    }
    return OK;
}

void probes_reaped(struct keeper *k, pid_t pid, int status)
{
    struct fault f = {0};
    unsigned which = 0;
    while (which < PROBE_COUNT && k->probes.pid[which] != pid)
        which++;
    if (which == PROBE_COUNT)
        return; /* an orphan that was given to us as the first process of a container */
    k->probes.pid[which] = 0;
    k->probes.left--;
    if (probe_verdict(which, status, &f) != OK && !k->probes.failed) {
        k->probes.failed = true;
        (void)snprintf(k->probes.why, sizeof k->probes.why, "%s", f.text);
    }
    if (k->probes.left == 0)
        k->probes.done(k, k->probes.failed ? ERR_UNAVAILABLE : OK, k->probes.why);
}

void probes_tick(struct keeper *k)
{
    if (k->probes.left == 0 || clock_ns() - k->probes.began_ns < PROBES_MAX_NS)
        return;
    for (unsigned i = 0; i < PROBE_COUNT; i++)
        if (k->probes.pid[i] > 0)
            (void)kill(k->probes.pid[i], SIGKILL);
}
