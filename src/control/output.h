/* What a worker writes to its stdout and stderr: foreign text, read from a pipe, cut into lines of
 * at most 256 printable bytes, each an app line. More than 20 lines a second are counted, not kept.
 * thread  the keeper's main thread */
#ifndef GARRISON_CONTROL_OUTPUT_H
#define GARRISON_CONTROL_OUTPUT_H

#include <sys/types.h>

#include "control/config.h"
#include "net/loop.h"

#define OUTPUT_LINE_MAX 256u

struct output { /* zeroed is closed */
    const struct config *cfg;
    struct poll poll;
    bool open;
    int fd;
    pid_t pid;
    const char *model;
    char line[OUTPUT_LINE_MAX + 1];
    uint32_t len;
    uint64_t second;  /* in which lines are counted */
    uint32_t lines;   /* written in it */
    uint32_t dropped; /* since the last line that was written */
};

/* Opens the pipe. *ret_write_end is for the child, and the caller's. model outlives the output. */
MUST_USE err output_open(struct output *o, struct loop *l, const struct config *cfg,
                         const char *model, int *ret_write_end, struct fault *f);
void output_close(struct output *o); /* reads what is left first */

#endif
