/* The watch side that fronts are run with: wiring of room watch to room serve.
 * thread  constant */
#ifndef GARRISON_CLI_FRONT_WATCH_H
#define GARRISON_CLI_FRONT_WATCH_H

#include "serve/watch_side.h"

extern const struct watch_calls front_watch_calls;

#endif
