/* Starting a process of ours from an executable that was opened when the keeper started, so that an
 * upgrade on disk never mixes versions.
 * The child dies with the keeper's main thread (PDEATHSIG follows the thread that forks), stands in
 * a process group of its own (a Ctrl-C is the keeper's to judge), reads /dev/null and has exactly
 * the descriptors and the environment given.
 * errors  ERR_UNAVAILABLE: the system refused, with the reason
 * thread  the keeper's main thread
 * source  security.md section 3.1, fork(2), execveat(2), prctl(2) */
#ifndef GARRISON_CONTROL_SPAWN_H
#define GARRISON_CONTROL_SPAWN_H

#include <sys/types.h>

#include "base/fault.h"

#define SPAWN_FDS_MAX 700u

struct spawn_opts {
    int exe;                 /* open executable */
    const char *const *argv; /* NULL at the end */
    const char *const *envp; /* the whole environment, NULL at the end */
    int out, err;            /* become 1 and 2; -1: /dev/null */
    const int *fds;          /* become 3, 4, .. in order */
    unsigned fd_count;       /* 0..SPAWN_FDS_MAX */
};

MUST_USE err spawn_child(const struct spawn_opts *opts, pid_t *ret_pid, struct fault *f);

/* The running executable itself. *ret_fd is yours. */
MUST_USE err spawn_open_self(int *ret_fd, struct fault *f);

/* garrison-worker: at path if it is not NULL, else beside the running executable, else in
 * ../libexec/garrison from there. *ret_fd is yours.
 * errors  ERR_NOT_FOUND: none of these is an executable, with the places looked at */
MUST_USE err spawn_open_worker(const char *path, int *ret_fd, struct fault *f);

#endif
