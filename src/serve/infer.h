/* The inference part of a request's walk: body to tensors in an extent, and outputs to a reply.
 * thread  the call's loop; never blocks */
#ifndef GARRISON_SERVE_INFER_H
#define GARRISON_SERVE_INFER_H

#include "serve/call.h"

enum infer_sent {
    INFER_SENT, /* in the lane */
    INFER_WAIT, /* no room now: it stays where it is */
    INFER_ENDED /* answered with an error */
};

/* Before the body is read: whether the version could take one more request at all. Leaves the fault
 * in the call. */
MUST_USE err infer_early(struct call *c);

/* Writes a waiting call's tensors into an extent of the lane and sends it. */
enum infer_sent infer_send(struct call *c, struct lane_hold *hold);

/* Answers a call whose run has come back; the slot is released by the reply. */
void infer_landed(struct call *c, const struct lane_done *done);

#endif
