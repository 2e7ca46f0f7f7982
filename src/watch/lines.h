/* Lines on their way out of a process: a bounded buffer before a descriptor that other processes
 * write to as well. One write is whole lines of at most LINES_WRITE_MAX bytes, so that lines do not
 * mix on a shared pipe. A reader that is slow fills the buffer; then the newest lines are dropped.
 * thread  owned by one; blocks for no longer than it is told */
#ifndef GARRISON_WATCH_LINES_H
#define GARRISON_WATCH_LINES_H

#include <stdint.h>

#include "base/fault.h"

#define LINES_WRITE_MAX 4096u /* PIPE_BUF */

struct lines;

/* bytes: room for lines that wait, at least 2 x LINES_WRITE_MAX. fd stays the caller's. *ret_l is
 * yours: lines_free. errors: ERR_UNAVAILABLE */
MUST_USE err lines_new(int fd, uint64_t bytes, struct lines **ret_l, struct fault *f);
void lines_free(struct lines *l); /* NULL is a no-op; what waits is lost */

/* Takes one line with its line end, 1..LINES_WRITE_MAX bytes. false: full, it is dropped. */
bool lines_put(struct lines *l, str line);

/* What became of lines in a call of lines_write. */
struct lines_result {
    uint64_t written;
    uint64_t failed; /* nobody reads any more, or the disk is full: lost */
};

/* Writes for as long as fd takes something and more than keep bytes wait; waits at most wait_ms for
 * it to begin. */
struct lines_result lines_write(struct lines *l, uint64_t keep, int wait_ms);

uint64_t lines_waiting_bytes(const struct lines *l);

#endif
