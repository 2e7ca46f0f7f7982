/* The proof, made at every start, that the sandbox refuses on this kernel what its table says.
 * The keeper runs `garrison-worker --probe`, which forks one short-lived child a row of
 * engine/probe.def (no runtime is loaded) and tells how each ended; the keeper holds these wait
 * statuses against the rows: one wrong row and no model loads.
 * thread  any; probe_run ends or seals the process that calls it */
#ifndef GARRISON_ENGINE_PROBE_H
#define GARRISON_ENGINE_PROBE_H

#include "base/fault.h"

enum probe {
#define PROBE(name, end) PROBE_##name,
#include "engine/probe.def"
#undef PROBE
    PROBE_COUNT
};

const char *probe_name(unsigned which); /* "openat"; "?" from PROBE_COUNT on */

/* Enters the whole sandbox and tries the forbidden thing. Only in a child made for it: returns the
 * exit status for main, or the process dies in here by SIGSYS. Writes nothing. */
int probe_run(unsigned which);

/* Runs the rows in their order, each in a child, and writes the wait status of each to fd, an int,
 * when it has ended: where one is missing, that row hangs or has ended everything. Only in a
 * process of one thread that is made for it. returns the exit status for main: 0: all are told */
int probe_run_all(int fd);

/* Judges a child by its wait status (waitpid(2)).
 * errors  ERR_UNAVAILABLE: it ended otherwise than the row says: `probe "socket" was allowed, want
 *         death by SIGSYS` */
MUST_USE err probe_verdict(unsigned which, int wait_status, struct fault *f);

#endif
