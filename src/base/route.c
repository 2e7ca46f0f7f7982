/* The table of base/routes.def. */
#include "base/route.h"

#define ROUTE_ON_(listeners) ROUTE_ON_##listeners

static const struct route_row rows[ROUTE_COUNT + 1] = {
#define ROUTE(id, method, path, listeners, permission)                                             \
    [ROUTE_##id] = {#id, #method, path, ROUTE_ON_(listeners), PERMISSION_##permission},
#include "base/routes.def"
#undef ROUTE
    [ROUTE_NONE] = {"_OTHER", "_OTHER", "_OTHER", 0, PERMISSION_PUBLIC},
};

const struct route_row *route_row(enum route r)
{
    return &rows[r < ROUTE_COUNT ? r : ROUTE_NONE];
}
