/* The routes as numbers, and their faces, read from base/routes.def.
 * thread  any; all data is constant */
#ifndef GARRISON_BASE_ROUTE_H
#define GARRISON_BASE_ROUTE_H

#include "base/str.h"

enum route {
#define ROUTE(id, method, path, listeners, permission) ROUTE_##id,
#include "base/routes.def"
#undef ROUTE
    ROUTE_COUNT,
    ROUTE_NONE = ROUTE_COUNT /* no route: label _OTHER */
};

/* Which listeners carry a route; a set of bits. */
enum route_listeners { ROUTE_ON_DATA = 1, ROUTE_ON_OPS = 2, ROUTE_ON_BOTH = 3 };

/* What a caller needs for a route (security.md section 6; `self`: any valid caller). */
enum permission {
    PERMISSION_PUBLIC,
    PERMISSION_SELF,
    PERMISSION_READ,
    PERMISSION_INFER,
    PERMISSION_OBSERVE,
};

struct route_row {
    const char *id;     /* "infer" */
    const char *method; /* "GET", "POST", "ANY" */
    const char *path;   /* the template */
    enum route_listeners listeners;
    enum permission permission;
};

const struct route_row *route_row(enum route r); /* ROUTE_NONE: id and path "_OTHER" */

#endif
