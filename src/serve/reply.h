/* The head of a reply: what every answer says about itself.
 * thread  the call's loop; never blocks */
#ifndef GARRISON_SERVE_REPLY_H
#define GARRISON_SERVE_REPLY_H

#include "serve/call.h"

/* Writes the head of a good reply into head_bytes, or a whole error reply into body_chain; sets
 * reply_len. Every reply names request, trace and, once one was chosen, version and digest. */
void reply_head(struct call *c, bool last);

#endif
