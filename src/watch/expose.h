/* The page of GET /metrics: every family of watch/metrics.def from the segment, in the text format
 * or in OpenMetrics.
 * thread  any one; reads cells while others write them
 * source  Prometheus text format 0.0.4; OpenMetrics 1.0.0 */
#ifndef GARRISON_WATCH_EXPOSE_H
#define GARRISON_WATCH_EXPOSE_H

#include "watch/series.h"

enum expose_format { EXPOSE_TEXT, EXPOSE_OPENMETRICS };

/* What an Accept field asks for, by its q values; text for anything unknown or for none. */
enum expose_format expose_format_of(str accept);
str expose_type(enum expose_format format); /* the Content-Type of the answer */

struct expose_opts {
    const struct segment *segment;
    const struct series_directory *directory;
    enum expose_format format;
    str version, build; /* of build_info */
    void *arg;
    err (*put)(void *arg, str piece); /* pieces of at most 64 KiB; an error ends the page */
};

/* Writes the whole page. errors: what put returned */
MUST_USE err expose(const struct expose_opts *opts);

#endif
