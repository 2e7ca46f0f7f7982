/* One ECS line a request: stream garrison.access.
 * thread  any; never blocks
 * source  Elastic Common Schema 9, flat dotted keys */
#ifndef GARRISON_WATCH_ACCESS_H
#define GARRISON_WATCH_ACCESS_H

#include "base/log.h"
#include "watch/event.h"

#define ACCESS_LINE_MAX 4096u /* PIPE_BUF: a line is one atomic write */

/* Writes the line of an event, with its line end, into out (ACCESS_LINE_MAX bytes). A line that
 * does not fit loses its agent, then most of its path, and says garrison.truncated. returns its
 * length */
uint32_t access_line(const struct log_site *site, const struct event *e, uint32_t event_bytes,
                     char *out);

#endif
