/* One ECS line a request: stream garrison.access.
 * thread  owned by one; never blocks
 * source  Elastic Common Schema 9, flat dotted keys */
#ifndef GARRISON_WATCH_ACCESS_H
#define GARRISON_WATCH_ACCESS_H

#include "base/fault.h"
#include "base/log.h"
#include "watch/event.h"

#define ACCESS_LINE_MAX 4096u /* PIPE_BUF: a line is one atomic write */

struct access;

/* Makes the writer of one process's lines: what they all say of the site is joined once. *ret_a is
 * yours: access_free. errors: ERR_UNAVAILABLE, ERR_TOO_BIG */
MUST_USE err access_new(const struct log_site *site, struct access **ret_a, struct fault *f);
void access_free(struct access *a); /* NULL is a no-op */

/* The line of an event of at most EVENT_BYTES_MAX bytes, with its line end, borrowed until the next
 * call. A line over ACCESS_LINE_MAX loses its agent, then most of its path, and says
 * garrison.truncated; empty: it does not fit even so. */
str access_line(struct access *a, const struct event *e, uint32_t event_bytes);

#endif
