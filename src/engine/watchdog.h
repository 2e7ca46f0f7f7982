/* The thread that ends runs which nobody waits for, and shows that the worker lives.
 * thread  main starts it, before the sandbox closes */
#ifndef GARRISON_ENGINE_WATCHDOG_H
#define GARRISON_ENGINE_WATCHDOG_H

#include <pthread.h>

#include "engine/crew.h"
#include "engine/talk.h"

struct watchdog_opts {
    struct crew *crew;
    struct talk *talk;
    pthread_barrier_t *stands; /* waited at once it needs no file any more */
    uint32_t fds;              /* descriptors held, for the beat */
};

/* Starts the thread, for as long as the process lives; *opts too. errors: ERR_UNAVAILABLE */
MUST_USE err watchdog_start(const struct watchdog_opts *opts, struct fault *f);

/* A thread of 1 MiB stack, for the watchdog and the control reader. */
MUST_USE err watchdog_thread(void *(*body)(void *), void *arg, pthread_t *ret_id, struct fault *f);

#endif
