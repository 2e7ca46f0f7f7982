/* A worker or reader from its first message to its end (base/message.h says the order of words).
 *
 * Whatever needs a file, a limit or a new thread comes before the sandbox closes; whatever touches
 * bytes of a model comes after it:
 *   hello, start, settings; limits; lanes and weights mapped; runtime, environment, pools; threads;
 *   barrier; Landlock and filter; up; then the model, its trial, weights unmapped; loaded; serving.
 * thread  main; the process has no other yet */
#ifndef GARRISON_ENGINE_WORKER_H
#define GARRISON_ENGINE_WORKER_H

#include "base/role.h"

#define WORKER_REFUSES 3 /* exit status: the model is refused, and the keeper was told why */

/* Serves as worker or reader on MESSAGE_CONTROL_FD. Returns the exit status: 1 where it could not
 * come up (a line on stderr says why), WORKER_REFUSES; it leaves by itself otherwise. */
int worker_serve(enum role role);

#endif
