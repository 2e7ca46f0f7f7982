/* The keeper: the main role. It binds and holds the listeners, starts the fronts, reads models into
 * sealed memory, starts a sandboxed worker for each, tells the fronts by snapshots what is live,
 * starts again what dies, answers on admin.sock, and drains on SIGTERM.
 * garrison-worker lies beside this executable, or in ../libexec/garrison from there.
 * thread  main, from which it forks
 * source  reliability.md sections 5 and 10, security.md section 3 */
#ifndef GARRISON_CONTROL_KEEPER_H
#define GARRISON_CONTROL_KEEPER_H

#include "control/config.h"

/* Serves until a signal ends it.
 * returns the exit status of the process: 0 after a drain; else what refused the start, told on
 * stderr (6: another server holds the data directory or an address) */
int keeper_run(const struct config *cfg);

#endif
