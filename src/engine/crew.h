/* The threads of a worker that run requests: they take submissions from all lanes under one lock,
 * stack what may be stacked, run, and hand replies back.
 *
 * One of the idle threads sleeps on the worker's eventfd, the others behind a condition; whoever
 * leaves the eventfd to run something wakes one of them to listen, unless runs are so short that
 * the waking would cost more. Whatever waits when a thread
 * becomes free is taken, up to the most rows; no thread waits for more unless a delay is configured
 * and all others are busy.
 * thread  as said for each call */
#ifndef GARRISON_ENGINE_CREW_H
#define GARRISON_ENGINE_CREW_H

#include "engine/batch.h"
#include "engine/lane_worker.h"

#define CREW_INSTANCES_MAX 256u
#define CREW_LANES_MAX     512u

struct crew;

/* A lane of the worker. */
struct crew_lane {
    struct lane_end *end;
    uint8_t loop, part;
};

/* Told under the crew's lock: nothing of that generation runs and the lane is reset. */
typedef void crew_clean(void *user, uint8_t loop, uint32_t generation);

struct crew_opts {
    const struct crew_lane *lanes; /* copied */
    uint32_t lane_count;           /* <= CREW_LANES_MAX */
    int wake;                      /* eventfd of the worker, blocking */
    uint32_t instances;            /* 1..CREW_INSTANCES_MAX: threads */
    uint64_t delay_ns;
    crew_clean *clean;
    void *user;
};

/* Starts the threads, which wait for crew_serve. Returns once all of them stand, so that a filter
 * may close over them. *ret_crew lives as long as the process.
 * errors  ERR_UNAVAILABLE: memory, threads
 * thread  main */
MUST_USE err crew_new(const struct crew_opts *opts, struct crew **ret_crew, struct fault *f);

/* Gives the threads a model and lets them go.
 * errors  ERR_UNAVAILABLE: memory
 * thread  main, once */
MUST_USE err crew_serve(struct crew *c, const struct model *m, struct fault *f);

/* Waits for a tick (10 ms while something runs, 100 ms otherwise), then ends runs whose deadline
 * has passed or whose request was cancelled. thread  the watchdog */
void crew_watch(struct crew *c);

/* Has crew_watch end, with run_stop, what r runs on another thread if it is not taken back by
 * crew_guard(c, NULL, 0) by then: runs of the trial at load. thread  main */
void crew_guard(struct crew *c, struct run *r, uint64_t until_ns);

/* Bumps the progress counters of all lanes. Any thread. */
void crew_beat(struct crew *c);

/* The front behind a lane is gone. Answered through crew_clean, now or when the last run ends.
 * errors  ERR_INPUT: no such lane
 * thread  the control reader */
MUST_USE err crew_drop(struct crew *c, uint8_t loop, uint32_t generation, struct fault *f);

#endif
