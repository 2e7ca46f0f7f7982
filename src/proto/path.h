/* Paths of requests: split at '/', then percent-decoded once, segment by segment, so that no
 * decoded byte can move a boundary; and held against the templates of base/routes.def. thread  any;
 * never blocks source  RFC 3986 sections 2.1, 3.3; Open Inference Protocol v2, REST paths */
#ifndef GARRISON_PROTO_PATH_H
#define GARRISON_PROTO_PATH_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"

#define PATH_SEGMENTS_MAX 16u

struct path {
    str segments[PATH_SEGMENTS_MAX]; /* decoded, none empty */
    uint32_t count;                  /* "/" has none */
};

/* Splits and decodes the path of a request head (without its query).
 * in      raw    begins with '/'; borrowed as long as ret is used: only segments with a '%' are
 *                copied, into the arena. One slash at the end does not count.
 * out     ret    on error its count is untouched, its segments are spoiled: to clear and copy 16 of
 *                them would cost more than to find them
 * errors  ERR_INPUT: no '/', an empty segment, "." or "..", more than PATH_SEGMENTS_MAX, a bad '%',
 *         or a decoded control character, '/', '\\' or '%'
 *         ERR_METHOD: "*"; ERR_TOO_BIG: the arena is spent */
MUST_USE err path_split(str raw, struct arena *a, struct path *ret, struct fault *f);

/* [A-Za-z0-9_][A-Za-z0-9._-]{0,127} but not "stats"; [0-9A-Za-z][0-9A-Za-z._+-]{0,63}. Other names
 * cannot exist. */
bool path_is_model(str name);
bool path_is_version(str version);

/* What a template's holes were filled with; empty where it has none. */
struct path_match {
    str model;
    str version;
    uint32_t rest; /* index of the first segment of {rest}, or the count */
};

/* Whether a path fits a template: literal segments, {model}, perhaps with [/v] behind it for an
 * optional /versions/{version}, and a last {rest} for one or more segments.
 * out     ret  untouched when false */
bool path_fits(const struct path *p, str pattern, struct path_match *ret);

#endif
