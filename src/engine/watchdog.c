/* Ticks. A beat that the keeper does not take means that there is no keeper: then the process ends,
 * if the kernel has not ended it already. */
#include "engine/watchdog.h"

#include <unistd.h>

#include "base/clock.h"

#define STACK_BYTES (1u << 20)

err watchdog_thread(void *(*body)(void *), void *arg, pthread_t *ret_id, struct fault *f)
{
    pthread_attr_t attr;
    int e = pthread_attr_init(&attr);
    if (e == 0)
        e = pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (e == 0)
        e = pthread_create(ret_id, &attr, body, arg);
    return e == 0 ? OK : fail(f, ERR_UNAVAILABLE, "no thread: %s", strerror(e));
}

static void *watchdog_main(void *arg)
{
    const struct watchdog_opts *o = arg;
    uint64_t beat_ns = 0;
    if (sandbox_thread(NULL) != OK)
        _exit(1);
    (void)pthread_barrier_wait(o->stands);
    for (;;) {
        crew_watch(o->crew);
        const uint64_t now = clock_ns();
        if (now - beat_ns < NS_PER_S)
            continue;
        beat_ns = now;
        crew_beat(o->crew);
        if (talk_beat(o->talk, o->fds, NULL) != OK)
            _exit(0);
    }
    return NULL;
}

err watchdog_start(const struct watchdog_opts *opts, struct fault *f)
{
    union {
        const void *in;
        void *out;
    } u = {.in = opts};
    pthread_t id;
    return watchdog_thread(watchdog_main, u.out, &id, f);
}
