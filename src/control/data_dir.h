/* The data directory: made with mode 0700, locked for as long as the server lives. A temporary one
 * is removed at the end.
 * The lock is an open file description lock: the kernel drops it with the process, and names no
 * owner; so the holder writes its pid into the file.
 * errors  ERR_CONFLICT: another server holds it, with its pid; ERR_UNAVAILABLE: the reason
 * thread  owned by one thread
 * source  reliability.md section 5, fcntl(2) */
#ifndef GARRISON_CONTROL_DATA_DIR_H
#define GARRISON_CONTROL_DATA_DIR_H

#include <limits.h>

#include "base/fault.h"
#include "control/config.h"

struct data_dir {
    char path[PATH_MAX];    /* of the directory */
    char socket[PATH_MAX];  /* of admin.sock, in the runtime directory */
    char runtime[PATH_MAX]; /* the runtime directory */
    bool temporary;
    int lock;
};

MUST_USE err data_dir_open(const struct config *cfg, struct data_dir *ret, struct fault *f);

/* Removes the socket, and a temporary directory with all that the server put there. */
void data_dir_close(struct data_dir *d);

#endif
