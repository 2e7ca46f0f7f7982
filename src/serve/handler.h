/* The handlers of the route table. A route without a handler does not link, and a handler cannot be
 * called without the permit that the gate made for it.
 * A handler ends the call's walk at once (call_answer, call_fail) or takes care that something
 * later does. thread  the call's loop; never blocks */
#ifndef GARRISON_SERVE_HANDLER_H
#define GARRISON_SERVE_HANDLER_H

#include "base/route.h"

struct call;
struct permit;

#define ROUTE(id, method, path, listeners, permission)                                             \
    void serve_##id(struct call *c, const struct permit *permit);
#include "base/routes.def"
#undef ROUTE

/* Calls the handler of a route. */
void handler_call(enum route route, struct call *c, const struct permit *permit);

#endif
