/* Draining rings into lines. While requests come the thread looks every 20 ms on its own, so that a
 * request wakes nobody; only after a quiet spell does it sleep until the next event. Where it
 * shares a core with a loop its work delays requests, so much work is done in many short turns, and
 * a few lines at a time go out while they are still in the caches. */
#include "watch/watcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "watch/access.h"
#include "watch/cell.h"
#include "watch/lines.h"

#define TURN_MS      20
#define BUSY_TURN_MS 2
#define BUSY_EVENTS  64u /* a turn, from which on the next one is short */
#define QUIET_TURNS  25u
#define JOBS_MAX     2u
#define RECORD       256u

struct watcher {
    struct watcher_opts o;
    struct shard shard;
    struct ring *rings[WATCHER_RINGS_MAX];
    uint64_t dropped_seen[WATCHER_RINGS_MAX];
    int wake;
    atomic_bool stopping;
    pthread_t drain_thread, job_thread;
    struct access *access;
    struct lines *lines;

    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } jobs[JOBS_MAX]; /* under lock, oldest first */
    uint32_t job_count;
};

/* Lines ------------------------------------------------------------------------------------------
 */

/* returns whether any line has gone */
static bool write_lines(struct watcher *w, uint64_t keep, int wait_ms)
{
    const struct lines_result r = lines_write(w->lines, keep, wait_ms);
    if (r.written > 0)
        cell_add(w->shard, FIXED_LINES_WRITTEN, r.written);
    if (r.failed > 0)
        cell_add(w->shard, FIXED_LINES_FAILED, r.failed);
    cell_set(w->shard, FIXED_LINES_WAITING, (lines_waiting_bytes(w->lines) + RECORD - 1) / RECORD);
    return r.written + r.failed > 0;
}

static void put_line(struct watcher *w, const struct event *e, uint32_t len)
{
    const str line = access_line(w->access, e, len);
    const enum log_level level = e->status >= 500   ? LOG_ERROR
                                 : e->status >= 400 ? LOG_WARN
                                                    : LOG_INFO;
    if (line.len == 0 || !lines_put(w->lines, line))
        cell_add(w->shard, FIXED_LINES_DROPPED, 1);
    cell_add(w->shard, FIXED_LOG_RECORDS + CELL_LOG_ACCESS * CELL_LEVELS + (uint32_t)level, 1);
}

static void note_ring(struct watcher *w, uint32_t i)
{
    const uint64_t dropped = ring_dropped(w->rings[i]);
    if (dropped != w->dropped_seen[i])
        cell_add(w->shard, FIXED_EVENTS_DROPPED, dropped - w->dropped_seen[i]);
    w->dropped_seen[i] = dropped;
}

/* One look at every ring. returns events seen */
static uint64_t drain(struct watcher *w)
{
    uint64_t seen = 0, waiting = 0;
    bool flows = true;
    for (uint32_t i = 0; i < w->o.rings; i++) {
        const void *record;
        uint32_t len;
        waiting += ring_waiting_bytes(w->rings[i]);
        while ((record = ring_take(w->rings[i], &len)) != NULL) {
            if (w->o.access && len >= sizeof(struct event))
                put_line(w, record, len);
            ring_done(w->rings[i]);
            seen++;
            if (flows && lines_waiting_bytes(w->lines) >= LINES_WRITE_MAX) /* while they are warm */
                flows = write_lines(w, LINES_WRITE_MAX - 1, 0);
        }
        note_ring(w, i);
    }
    cell_set(w->shard, FIXED_EVENTS_WAITING, waiting / RECORD);
    (void)write_lines(w, 0, 0);
    return seen;
}

static bool sleep_rings(struct watcher *w)
{
    bool found = false;
    for (uint32_t i = 0; i < w->o.rings; i++)
        found = ring_sleep(w->rings[i]) || found;
    return found;
}

/* At the end of a process: what the reader takes within a second still goes out. */
static void last_lines(struct watcher *w)
{
    const uint64_t end = clock_ns() + NS_PER_S;
    while (lines_waiting_bytes(w->lines) > 0 && clock_ns() < end)
        (void)write_lines(w, 0, TURN_MS);
}

static void rest(long ms)
{
    const struct timespec turn = {.tv_nsec = ms * (long)NS_PER_MS};
    (void)nanosleep(&turn, NULL);
}

static void *drain_loop(void *arg)
{
    struct watcher *w = arg;
    uint32_t quiet = 0;
    for (;;) {
        const bool last = atomic_load(&w->stopping);
        const uint64_t seen = drain(w);
        quiet = seen > 0 ? 0 : quiet + 1;
        if (last) {
            last_lines(w);
            return NULL;
        }
        uint64_t count;
        if (lines_waiting_bytes(w->lines) > 0)
            (void)write_lines(w, 0, TURN_MS);
        else if (quiet < QUIET_TURNS ||
                 (!sleep_rings(w) && read(w->wake, &count, sizeof(count)) < 0))
            rest(seen < BUSY_EVENTS ? TURN_MS : BUSY_TURN_MS);
    }
}

/* Jobs -------------------------------------------------------------------------------------------
 */

static void *job_loop(void *arg)
{
    struct watcher *w = arg;
    (void)pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->stopping)) {
        if (w->job_count == 0) {
            (void)pthread_cond_wait(&w->posted, &w->lock);
            continue;
        }
        void (*fn)(void *) = w->jobs[0].fn;
        void *job_arg = w->jobs[0].arg;
        (void)pthread_mutex_unlock(&w->lock);
        fn(job_arg);
        (void)pthread_mutex_lock(&w->lock);
        w->jobs[0] = w->jobs[1];
        w->job_count--;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

err watcher_post(struct watcher *w, void (*fn)(void *arg), void *arg, struct fault *f)
{
    bool taken = false;
    (void)pthread_mutex_lock(&w->lock);
    if (w->job_count < JOBS_MAX) {
        w->jobs[w->job_count].fn = fn;
        w->jobs[w->job_count].arg = arg;
        w->job_count++;
        taken = true;
    }
    (void)pthread_cond_signal(&w->posted);
    (void)pthread_mutex_unlock(&w->lock);
    return taken ? OK : fail(f, ERR_BUSY, "two such requests run already");
}

/* Life -------------------------------------------------------------------------------------------
 */

struct ring *watcher_ring(struct watcher *w, uint32_t i)
{
    must(i < w->o.rings);
    return w->rings[i];
}

static void watcher_free(struct watcher *w)
{
    for (uint32_t i = 0; i < w->o.rings; i++)
        ring_free(w->rings[i]);
    access_free(w->access);
    lines_free(w->lines);
    if (w->wake >= 0)
        (void)close(w->wake);
    free(w);
}

static void stop_drain(struct watcher *w)
{
    const uint64_t one = 1;
    atomic_store(&w->stopping, true);
    const ssize_t ignored = write(w->wake, &one, sizeof(one));
    (void)ignored;
    (void)pthread_join(w->drain_thread, NULL);
}

static err start_threads(struct watcher *w, struct fault *f)
{
    must(pthread_mutex_init(&w->lock, NULL) == 0);
    must(pthread_cond_init(&w->posted, NULL) == 0);
    if (pthread_create(&w->drain_thread, NULL, drain_loop, w) != 0)
        return fail(f, ERR_UNAVAILABLE, "no thread for log lines");
    if (pthread_create(&w->job_thread, NULL, job_loop, w) == 0)
        return OK;
    stop_drain(w);
    return fail(f, ERR_UNAVAILABLE, "no thread for jobs");
}

err watcher_start(const struct watcher_opts *opts, struct watcher **ret_w, struct fault *f)
{
    must(opts->rings <= WATCHER_RINGS_MAX);
    struct watcher *w = calloc(1, sizeof(*w));
    if (!w)
        return fail(f, ERR_UNAVAILABLE, "no memory for the watch thread");
    w->o = *opts;
    w->shard = segment_shard(&opts->segment, opts->shard);
    w->wake = eventfd(0, EFD_CLOEXEC);
    err e = w->wake >= 0 ? OK : fail(f, ERR_UNAVAILABLE, "no descriptor for the watch thread");
    for (uint32_t i = 0; e == OK && i < opts->rings; i++)
        e = ring_new((uint64_t)opts->event_ring * RECORD, w->wake, &w->rings[i], f);
    if (e == OK)
        e = access_new(opts->site, &w->access, f);
    const uint64_t buffer = opts->buffer > 0 ? opts->buffer : WATCHER_BUFFER;
    if (e == OK)
        e = lines_new(opts->fd, buffer, &w->lines, f);
    if (e == OK) {
        cell_set(w->shard, FIXED_EVENTS_CAPACITY, (uint64_t)opts->event_ring * opts->rings);
        cell_set(w->shard, FIXED_LINES_CAPACITY, buffer / RECORD);
        e = start_threads(w, f);
    }
    if (e != OK) {
        watcher_free(w);
        return e;
    }
    *ret_w = w;
    return OK;
}

void watcher_stop(struct watcher *w)
{
    (void)pthread_mutex_lock(&w->lock);
    atomic_store(&w->stopping, true);
    (void)pthread_cond_broadcast(&w->posted);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->job_thread, NULL);
    stop_drain(w);
    watcher_free(w);
}
