/* The crew. The one complication: a thread that runs must not be needed for anything else, so the
 * lock is never held while the model runs, and the watchdog ends runs through what lies under it.
 */
#include "engine/crew.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "engine/sandbox.h"

#define PENDING_MAX   4096u /* more stays in the lanes */
#define BATCH_MAX     256u  /* requests of one run */
#define STACK_BYTES   (4u << 20)
#define TICK_BUSY_NS  (10 * NS_PER_MS)
#define TICK_IDLE_NS  (100 * NS_PER_MS)
#define DELAY_STEP_NS (100 * NS_PER_US)
#define HOLD_NS       (100 * NS_PER_US) /* an answer waits no longer for its neighbours */
#define SHORT_RUN_NS  (50 * NS_PER_US)  /* waking another thread to listen costs as much */

struct instance {
    struct crew *crew;
    struct batch *batch;
    bool busy, stopped;
    uint32_t job_count;
    struct lane_job jobs[BATCH_MAX];
    struct lane_end_result results[BATCH_MAX]; /* of jobs; here since a frame would be zeroed */
    const struct view *inputs[BATCH_MAX];      /* of a run */
};

struct pending {
    struct lane_job job;
    uint64_t taken_ns;
};

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t idle;  /* threads that neither run nor listen; before crew_serve all of them */
    pthread_cond_t tick;  /* the watchdog */
    pthread_cond_t stood; /* crew_new */
    const struct model *model;
    const struct signature *sig;
    struct crew_opts opts;
    struct crew_lane lanes[CREW_LANES_MAX];
    struct lane_end *ends[CREW_LANES_MAX];
    bool dropping[CREW_LANES_MAX];
    uint32_t dropped[CREW_LANES_MAX]; /* the generation */
    uint32_t standing, running;
    uint64_t last_ns; /* how long the last run took */
    uint64_t held_ns; /* how long the oldest answer has waited for its wake */
    bool listening;   /* a thread sleeps on the eventfd, or is about to */
    bool slow_tick;   /* the watchdog sleeps long: who begins a run wakes it */
    struct run *guarded;
    uint64_t guard_ns;
    uint32_t pending_first, pending_count;
    struct pending pending[PENDING_MAX];
    struct instance instances[];
};

/* --- jobs, under the lock ----------------------------------------------------------------------
 */

static void finish_with(struct lane_job *j, enum lane_status status, const char *text)
{
    const struct lane_end_result result = {
        .status = status, .batch_rows = 1, .batch_requests = 1, .text = text};
    lane_end_finish(j, &result);
}

static bool is_over(const struct lane_job *j, uint64_t now)
{
    return lane_end_cancelled(j) || (j->deadline_ns != 0 && now >= j->deadline_ns);
}

static struct pending *pending_at(struct crew *c, uint32_t i)
{
    return &c->pending[(c->pending_first + i) % PENDING_MAX];
}

/* A front that breaks the rules of its lane ends the worker: nothing else can be trusted to be as
 * it says. */
__attribute__((noreturn)) static void leave(const struct fault *f)
{
    char line[FAULT_TEXT_BYTES + 1];
    const size_t n = strnlen(f->text, FAULT_TEXT_BYTES - 1);
    memcpy(line, f->text, n);
    line[n] = '\n';
    const ssize_t ignored = write(STDERR_FILENO, line, n + 1);
    (void)ignored;
    _exit(1);
}

static void drain(struct crew *c, uint64_t now)
{
    for (uint32_t i = 0; i < c->opts.lane_count; i++) {
        while (c->pending_count < PENDING_MAX) {
            struct fault f = {0};
            struct pending *p = pending_at(c, c->pending_count);
            const err e = lane_end_take(c->ends[i], &p->job, &f);
            if (e == ERR_NOT_FOUND)
                break;
            if (e != OK)
                leave(&f);
            p->taken_ns = now;
            c->pending_count++;
        }
    }
}

/* Removes pending job i, keeping the order of the others. */
static void pending_cut(struct crew *c, uint32_t i)
{
    for (; i > 0; i--)
        *pending_at(c, i) = *pending_at(c, i - 1);
    c->pending_first = (c->pending_first + 1) % PENDING_MAX;
    c->pending_count--;
}

static void drop_expired(struct crew *c, uint64_t now)
{
    for (uint32_t i = 0; i < c->pending_count;) {
        struct lane_job *j = &pending_at(c, i)->job;
        if (!is_over(j, now)) {
            i++;
            continue;
        }
        finish_with(j, LANE_TERMINATED, "not run: cancelled or past its deadline");
        pending_cut(c, i);
    }
}

static void clean_lanes(struct crew *c)
{
    for (uint32_t i = 0; i < c->opts.lane_count; i++) {
        if (c->dropping[i] && lane_end_drop(c->ends[i], c->dropped[i])) {
            c->dropping[i] = false;
            c->opts.clean(c->opts.user, c->lanes[i].loop, c->dropped[i]);
        }
    }
}

/* Moves the oldest job, and what may share its run, to the instance. Rows, 0 where it runs alone */
static uint64_t pick(struct crew *c, struct instance *in)
{
    struct lane_job *first = &in->jobs[0];
    *first = pending_at(c, 0)->job;
    pending_cut(c, 0);
    in->job_count = 1;
    uint64_t rows = first->alone ? 0 : batch_rows(c->sig, first->inputs);
    if (rows == 0)
        return 0;
    for (uint32_t i = 0; i < c->pending_count && in->job_count < BATCH_MAX;) {
        const struct lane_job *j = &pending_at(c, i)->job;
        const uint64_t more = j->alone ? 0 : batch_rows(c->sig, j->inputs);
        if (more == 0 || more > c->sig->max_batch_size || rows > c->sig->max_batch_size - more ||
            !batch_fits(c->sig, first->inputs, j->inputs)) {
            i++;
            continue;
        }
        in->jobs[in->job_count++] = *j;
        rows += more;
        pending_cut(c, i);
    }
    return rows;
}

/* --- runs, outside the lock --------------------------------------------------------------------
 */

static enum lane_status status_of(err e)
{
    return e == OK ? LANE_OK : e == ERR_UNSUPPORTED ? LANE_OUTPUT_INVALID : LANE_ENGINE;
}

/* Copies a job's slice of every output it wants into its reply. */
static enum lane_status reply(const struct batch *b, uint32_t at, struct lane_job *j)
{
    for (uint64_t rest = j->outputs; rest; rest &= rest - 1) {
        const uint32_t output = (uint32_t)__builtin_ctzll(rest);
        const struct view v = batch_output(b, at, output);
        uint8_t *to = lane_end_output(j, output, &v.shape, v.len);
        if (!to)
            return LANE_REPLY_TOO_BIG;
        if (v.len)
            memcpy(to, v.at, v.len);
    }
    return LANE_OK;
}

/* Runs jobs [from, from + count) of the instance; results by job. */
static err run_jobs(struct instance *in, uint32_t from, uint32_t count, struct fault *f)
{
    uint64_t outputs = 0, rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        in->inputs[i] = in->jobs[from + i].inputs;
        outputs |= in->jobs[from + i].outputs;
        rows += in->jobs[from + i].rows;
    }
    const err e = batch_go(in->batch, in->inputs, count, outputs, f);
    struct lane_end_result result = {.status = status_of(e),
                                     .batch_rows = (uint32_t)rows,
                                     .batch_requests = count,
                                     .text = e == OK ? NULL : f->text};
    const struct run_times times = run_times(batch_run(in->batch));
    result.input_ns = times.input_ns;
    result.compute_ns = times.compute_ns;
    for (uint32_t i = 0; i < count; i++) {
        in->results[from + i] = result;
        if (e == OK)
            in->results[from + i].status = reply(in->batch, i, &in->jobs[from + i]);
        in->results[from + i].output_ns = times.output_ns + clock_ns() - times.end_ns;
    }
    batch_clear(in->batch);
    return e;
}

static bool was_stopped(struct instance *in)
{
    (void)pthread_mutex_lock(&in->crew->lock);
    const bool stopped = in->stopped;
    (void)pthread_mutex_unlock(&in->crew->lock);
    return stopped;
}

/* Wakes the loops whose answers were finished quietly. Where a run costs little, a wake for each
 * answer would cost more than the run. */
static void kick(struct crew *c)
{
    for (uint32_t i = 0; i < c->opts.lane_count; i++)
        lane_end_kick(c->ends[i]);
    c->held_ns = 0;
}

/* Finishes jobs [from, from + count); the lock is held on entry and return. */
static void finish_jobs(struct instance *in, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        struct lane_end_result *result = &in->results[i];
        if (in->stopped && result->status == LANE_ENGINE)
            result->status = LANE_TERMINATED;
        result->quiet = true;
        lane_end_finish(&in->jobs[i], result);
    }
}

/* Runs what the instance holds, and each alone where the whole failed: one bad request is no fault
 * of those it was stacked with. Lock held on entry and return, not between. */
static void work(struct crew *c, struct instance *in)
{
    struct fault f = {0};
    const uint32_t count = in->job_count;
    const uint64_t begun = clock_ns();
    in->busy = true;
    in->stopped = false;
    c->running++;
    run_unstop(batch_run(in->batch));
    if (c->slow_tick) {
        c->slow_tick = false;
        (void)pthread_cond_signal(&c->tick);
    }
    (void)pthread_mutex_unlock(&c->lock);
    const err e = run_jobs(in, 0, count, &f);
    if (e != OK && count > 1 && !was_stopped(in)) {
        for (uint32_t i = 0; i < count; i++) {
            struct fault own = {0};
            const err alone = run_jobs(in, i, 1, &own);
            (void)alone; /* told in results */
            (void)pthread_mutex_lock(&c->lock);
            finish_jobs(in, i, 1);
            kick(c);
            (void)pthread_mutex_unlock(&c->lock);
        }
        (void)pthread_mutex_lock(&c->lock);
    } else {
        (void)pthread_mutex_lock(&c->lock);
        finish_jobs(in, 0, count);
    }
    c->last_ns = clock_ns() - begun;
    c->held_ns += c->last_ns;
    in->busy = false;
    in->job_count = 0;
    c->running--;
    if (c->opts.lane_count > 0)
        lane_end_beat(c->ends[0]);
    clean_lanes(c);
}

/* --- threads -----------------------------------------------------------------------------------
 */

/* A partial batch waits for more while all others are busy, up to the delay since it came. true: it
 * waited, look again. */
static bool delay(struct crew *c)
{
    uint64_t rows = 0;
    if (c->opts.delay_ns == 0 || c->sig->max_batch_size == 0 || c->pending_count == 0 ||
        c->running + 1 < c->opts.instances || c->running == 0)
        return false;
    for (uint32_t i = 0; i < c->pending_count; i++)
        rows += pending_at(c, i)->job.rows;
    if (rows >= c->sig->max_batch_size ||
        clock_ns() - pending_at(c, 0)->taken_ns >= c->opts.delay_ns)
        return false;
    const struct timespec step = {.tv_nsec = (long)DELAY_STEP_NS};
    (void)pthread_mutex_unlock(&c->lock);
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
    (void)pthread_mutex_lock(&c->lock);
    return true;
}

static void listen_once(struct crew *c)
{
    uint64_t count;
    c->listening = true;
    if (!lane_ends_sleep(c->ends, c->opts.lane_count)) {
        (void)pthread_mutex_unlock(&c->lock);
        const ssize_t n = read(c->opts.wake, &count, sizeof count);
        if (n < 0 && errno != EINTR)
            leave(&(struct fault){.text = "the worker's eventfd cannot be read"});
        (void)pthread_mutex_lock(&c->lock);
    }
    lane_ends_awake(c->ends, c->opts.lane_count);
    c->listening = false;
}

static void *thread_main(void *arg)
{
    struct instance *in = arg;
    struct crew *c = in->crew;
    struct fault f = {0};
    if (sandbox_thread(&f) != OK)
        leave(&f);
    (void)pthread_mutex_lock(&c->lock);
    c->standing++;
    (void)pthread_cond_signal(&c->stood);
    while (!c->model)
        (void)pthread_cond_wait(&c->idle, &c->lock);
    for (;;) {
        const uint64_t now = clock_ns();
        drain(c, now);
        drop_expired(c, now);
        clean_lanes(c);
        if (c->pending_count == 0 || c->opts.delay_ns > 0 ||
            (c->held_ns > 0 && c->held_ns + c->last_ns > HOLD_NS))
            kick(c);
        if (c->pending_count > 0) {
            if (delay(c))
                continue;
            (void)pick(c, in);
            /* somebody else runs the rest, or listens meanwhile; for a short run nobody does, and
             * should it be long after all, the watchdog wakes one */
            if (!c->listening && (c->pending_count > 0 || c->last_ns > SHORT_RUN_NS))
                (void)pthread_cond_signal(&c->idle);
            work(c, in);
        } else if (c->listening) {
            (void)pthread_cond_wait(&c->idle, &c->lock);
        } else {
            listen_once(c);
        }
    }
    return NULL;
}

static err start_threads(struct crew *c, struct fault *f)
{
    pthread_attr_t attr;
    int e = pthread_attr_init(&attr);
    if (e == 0)
        e = pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (uint32_t i = 0; i < c->opts.instances && e == 0; i++) {
        pthread_t id;
        c->instances[i].crew = c;
        e = pthread_create(&id, &attr, thread_main, &c->instances[i]);
    }
    if (e != 0)
        return fail(f, ERR_UNAVAILABLE, "no threads for %" PRIu32 " runs: %s", c->opts.instances,
                    strerror(e));
    (void)pthread_mutex_lock(&c->lock);
    while (c->standing < c->opts.instances)
        (void)pthread_cond_wait(&c->stood, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    return OK;
}

err crew_new(const struct crew_opts *opts, struct crew **ret_crew, struct fault *f)
{
    pthread_condattr_t attr;
    must(opts->lane_count <= CREW_LANES_MAX && opts->instances >= 1 &&
         opts->instances <= CREW_INSTANCES_MAX);
    struct crew *c = calloc(1, sizeof *c + opts->instances * sizeof c->instances[0]);
    if (!c)
        return fail(f, ERR_UNAVAILABLE, "no memory for %" PRIu32 " runs", opts->instances);
    c->opts = *opts;
    c->opts.lanes = c->lanes;
    c->last_ns = UINT64_MAX; /* not known: as if long */
    for (uint32_t i = 0; i < opts->lane_count; i++) {
        c->lanes[i] = opts->lanes[i];
        c->ends[i] = opts->lanes[i].end;
    }
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->tick, &attr);
    (void)pthread_cond_init(&c->idle, NULL);
    (void)pthread_cond_init(&c->stood, NULL);
    const err e = start_threads(c, f);
    if (e == OK)
        *ret_crew = c; /* else its threads still use it: the process leaves */
    return e;
}

err crew_serve(struct crew *c, const struct model *m, struct fault *f)
{
    for (uint32_t i = 0; i < c->opts.instances; i++) {
        const err e = batch_new(m, &c->instances[i].batch, f);
        if (e != OK)
            return e;
    }
    for (uint32_t i = 0; i < c->opts.lane_count; i++)
        lane_end_signature(c->ends[i], model_signature(m));
    (void)pthread_mutex_lock(&c->lock);
    c->sig = model_signature(m);
    c->model = m;
    (void)pthread_cond_broadcast(&c->idle);
    (void)pthread_mutex_unlock(&c->lock);
    return OK;
}

/* Ends a run that nobody waits for. One of several is computed with the rest and dropped. */
static void watch_instance(struct instance *in, uint64_t now)
{
    if (!in->busy || in->stopped)
        return;
    for (uint32_t i = 0; i < in->job_count; i++)
        if (!is_over(&in->jobs[i], now))
            return;
    in->stopped = true;
    run_stop(batch_run(in->batch));
}

void crew_watch(struct crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->slow_tick = c->running == 0 && !c->guarded;
    const uint64_t until = clock_ns() + (c->slow_tick ? TICK_IDLE_NS : TICK_BUSY_NS);
    const struct timespec at = {.tv_sec = (time_t)(until / NS_PER_S),
                                .tv_nsec = (long)(until % NS_PER_S)};
    (void)pthread_cond_timedwait(&c->tick, &c->lock, &at);
    c->slow_tick = false;
    const uint64_t now = clock_ns();
    for (uint32_t i = 0; i < c->opts.instances; i++)
        watch_instance(&c->instances[i], now);
    if (c->guarded && now >= c->guard_ns)
        run_stop(c->guarded);
    kick(c); /* a run may be much longer than the one before it */
    if (c->model && !c->listening && c->running < c->opts.instances)
        (void)pthread_cond_signal(&c->idle);
    (void)pthread_mutex_unlock(&c->lock);
}

void crew_guard(struct crew *c, struct run *r, uint64_t until_ns)
{
    (void)pthread_mutex_lock(&c->lock);
    c->guarded = r;
    c->guard_ns = until_ns;
    (void)pthread_mutex_unlock(&c->lock);
}

void crew_beat(struct crew *c)
{
    for (uint32_t i = 0; i < c->opts.lane_count; i++)
        lane_end_beat(c->ends[i]);
}

err crew_drop(struct crew *c, uint8_t loop, uint32_t generation, struct fault *f)
{
    uint32_t at = 0;
    while (at < c->opts.lane_count &&
           (c->lanes[at].loop != loop || c->lanes[at].part != generation % 2))
        at++;
    if (at == c->opts.lane_count)
        return fail(f, ERR_INPUT, "lane_drop names loop %u, which has no lane", loop);
    (void)pthread_mutex_lock(&c->lock);
    c->dropping[at] = true;
    c->dropped[at] = generation;
    (void)lane_end_drop(c->ends[at], generation);
    for (uint32_t i = 0; i < c->pending_count;) {
        struct lane_job *j = &pending_at(c, i)->job;
        if (j->end != c->ends[at] || j->generation != generation) {
            i++;
            continue;
        }
        finish_with(j, LANE_TERMINATED, NULL);
        pending_cut(c, i);
    }
    clean_lanes(c);
    (void)pthread_mutex_unlock(&c->lock);
    return OK;
}
