/* From method and path to a row of base/routes.def.
 * thread  any; never blocks */
#ifndef GARRISON_SERVE_ROUTER_H
#define GARRISON_SERVE_ROUTER_H

#include "base/arena.h"
#include "base/route.h"
#include "proto/path.h"
#include "proto/request.h"

struct router_match {
    enum route route;
    str model;         /* of {model}, else empty */
    str version;       /* of [/v], else empty */
    const char *allow; /* on ERR_METHOD: the methods that the path has */
};

/* Finds the route of a request on one kind of listener.
 * out     ret  on error: the route where the path was known, else ROUTE_NONE; allow on ERR_METHOD
 * errors  ERR_NOT_FOUND: no row has that path here; ERR_METHOD; those of path_split */
MUST_USE err router_find(const struct request_head *head, enum route_listeners listener,
                         struct arena *arena, struct router_match *ret, struct fault *f);

#endif
