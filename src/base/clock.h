/* Two clocks: the monotonic one measures and times out, the wall clock only stamps records.
 * thread  any; never blocks */
#ifndef GARRISON_BASE_CLOCK_H
#define GARRISON_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* Monotonic nanoseconds; equal across the processes of one machine. */
static inline uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Wall time in microseconds since 1970, UTC. */
static inline int64_t clock_wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#endif
