/* The table from route to handler. */
#include "serve/handler.h"

#include "base/must.h"

typedef void handler(struct call *c, const struct permit *permit);

static handler *const handlers[ROUTE_COUNT] = {
#define ROUTE(id, method, path, listeners, permission) [ROUTE_##id] = serve_##id,
#include "base/routes.def"
#undef ROUTE
};

void handler_call(enum route route, struct call *c, const struct permit *permit)
{
    must(route < ROUTE_COUNT && permit);
    handlers[route](c, permit);
}
