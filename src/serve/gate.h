/* The one gate: who calls, where it goes, whether it may. Every route of every protocol passes
 * here, and a handler cannot be called without the permit that only this file can make. Default
 * deny. thread  the call's loop; never blocks */
#ifndef GARRISON_SERVE_GATE_H
#define GARRISON_SERVE_GATE_H

#include "serve/call.h"

struct permit; /* only gate.c knows one */

/* Who is calling, for logs and metrics. */
enum principal_kind { PRINCIPAL_ANONYMOUS };

/* Finds route, caller, model and permission of a call whose head is present.
 * out     ret_permit  for the handler of call->route; untouched on error
 * errors  ERR_NOT_FOUND, ERR_METHOD (call->allow is set), ERR_NO_CALLER, ERR_DENIED,
 * ERR_UNAVAILABLE: no version in service; the reason is in call->fault */
MUST_USE err gate_pass(struct call *c, const struct permit **ret_permit);

/* Of a call that is refused for its framing: sets the route it was meant for and, where the whole
 * head is here and the caller may know, model and version, so that log and metrics name them.
 * Leaves the call's fault alone. */
void gate_look(struct call *c, bool whole);

#endif
