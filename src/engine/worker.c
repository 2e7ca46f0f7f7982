/* The order of a worker's start. */
#include "engine/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/must.h"
#include "base/settings.h"
#include "engine/watchdog.h"

#define FDS_MAX    600u
#define FILES_MAX  257u /* the model and what it names */
#define TRIAL_NS   (5 * NS_PER_S)
#define SCAN_BYTES (256ull << 20) /* of names and labels */
#define HELPERS    2u             /* watchdog, control reader */

/* An inherited descriptor. */
struct held {
    int fd;
    enum fd_what what;
    uint8_t loop, part;
    char name[256];
};

struct worker {
    enum role role;
    struct talk *talk;
    const struct worker_settings *set;
    struct held held[FDS_MAX];
    uint32_t held_count;
    struct model_file_bytes files[FILES_MAX]; /* the first: the model */
    void *mapped[FILES_MAX];                  /* likewise */
    uint32_t file_count;
    struct crew_lane lanes[CREW_LANES_MAX];
    uint32_t lane_count;
    int wake;
    const struct ort *ort;
    struct crew *crew;
    struct watchdog_opts watchdog;
    pthread_t control;
    pthread_barrier_t stands;
    struct sandbox_report sandbox;
    pthread_mutex_t lock;
    pthread_cond_t asked;
    uint64_t load_id;
    bool load;
};

/* --- the keeper's first words ------------------------------------------------------------------
 */

static err blocking(int fd, struct fault *f)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
        return fail(f, ERR_UNAVAILABLE, "descriptor %d: %s", fd, strerror(errno));
    return OK;
}

static err take_start(struct worker *w, struct fault *f)
{
    struct message_frame frame;
    struct message_start start;
    struct message_fd row;
    str payload;
    err e = talk_next(w->talk, &frame, &payload, f);
    if (e == OK && frame.number != MESSAGE_start)
        e = fail(f, ERR_INPUT, "the first message is %u, want start", frame.number);
    if (e == OK)
        e = message_get_start(payload, &start, f);
    while (e == OK && message_next_fd(&start.fds, &row)) {
        struct held *h = &w->held[w->held_count];
        if (w->held_count == FDS_MAX || row.name.len >= sizeof h->name)
            return fail(f, ERR_INPUT, "more than %u descriptors", FDS_MAX);
        *h = (struct held){
            .fd = row.fd, .what = (enum fd_what)row.what, .loop = row.loop, .part = row.part};
        if (row.name.len)
            memcpy(h->name, row.name.at, row.name.len);
        w->held_count++;
    }
    return e;
}

static const struct held *held_of(const struct worker *w, enum fd_what what)
{
    for (uint32_t i = 0; i < w->held_count; i++)
        if (w->held[i].what == what)
            return &w->held[i];
    return NULL;
}

static err take_settings(struct worker *w, struct fault *f)
{
    const struct held *h = held_of(w, FD_SETTINGS);
    const void *at = NULL;
    if (!h)
        return fail(f, ERR_INPUT, "no settings came");
    const err e = settings_map(h->fd, sizeof *w->set, &at, f);
    if (e != OK)
        return e;
    w->set = at;
    if (w->set->instances < 1 || w->set->instances > CREW_INSTANCES_MAX || w->set->threads < 1 ||
        w->set->threads > 1024 || !memchr(w->set->runtime, 0, sizeof w->set->runtime))
        return w->role == ROLE_READER
                   ? OK
                   : fail(f, ERR_INPUT, "settings: %" PRIu32 " instances, %" PRIu32 " threads",
                          w->set->instances, w->set->threads);
    return OK;
}

/* --- before the sandbox ------------------------------------------------------------------------
 */

static err limits(struct worker *w, struct fault *f)
{
    int keep[FDS_MAX + 1];
    uint32_t count = 0;
    keep[count++] = MESSAGE_CONTROL_FD;
    for (uint32_t i = 0; i < w->held_count; i++)
        keep[count++] = w->held[i].fd;
    const uint32_t threads =
        w->role == ROLE_READER ? 1 : w->set->instances + w->set->threads + HELPERS;
    const struct sandbox_start start = {.data_bytes =
                                            sandbox_data_bytes(w->set->budget_bytes, threads),
                                        .keep = keep,
                                        .keep_count = count};
    return sandbox_begin(&start, f);
}

static err map_weights(struct worker *w, struct held *h, struct fault *f)
{
    struct stat st;
    void *at = NULL;
    const uint32_t slot = h->name[0] ? w->file_count : 0;
    if (slot == FILES_MAX || (slot == 0 && w->files[0].at))
        return fail(f, ERR_INPUT, "more than %u files, or two models", FILES_MAX);
    if (fstat(h->fd, &st) != 0 || st.st_size <= 0)
        return fail(f, ERR_INPUT, "file \"%s\" of the model is empty", h->name);
    const uint64_t bytes = (uint64_t)st.st_size;
    err e = memfd_check(h->fd, bytes, true, f);
    if (e == OK)
        e = memfd_map(h->fd, bytes, false, &at, f);
    if (e != OK)
        return e;
    w->files[slot] = (struct model_file_bytes){.name = str_of(h->name), .at = at, .bytes = bytes};
    w->mapped[slot] = at;
    w->file_count += slot > 0;
    (void)close(h->fd);
    h->fd = -1;
    return OK;
}

static int wake_of(const struct worker *w, uint8_t loop)
{
    for (uint32_t i = 0; i < w->held_count; i++)
        if (w->held[i].what == FD_WAKE_LOOP && w->held[i].loop == loop)
            return w->held[i].fd;
    return -1;
}

static err map_lane(struct worker *w, struct held *h, struct fault *f)
{
    struct stat st;
    const int wake = wake_of(w, h->loop);
    if (w->lane_count == CREW_LANES_MAX || wake < 0 || fstat(h->fd, &st) != 0)
        return fail(f, ERR_INPUT, "lane of loop %u: no eventfd, or too many", h->loop);
    struct crew_lane *lane = &w->lanes[w->lane_count];
    *lane = (struct crew_lane){.loop = h->loop, .part = h->part};
    const err e = lane_end_open(h->fd, (uint64_t)st.st_size, wake, &lane->end, f);
    if (e != OK)
        return e;
    w->lane_count++;
    (void)close(h->fd);
    h->fd = -1;
    return OK;
}

static err map_all(struct worker *w, struct fault *f)
{
    err e = OK;
    w->file_count = 1;
    for (uint32_t i = 0; i < w->held_count && e == OK; i++) {
        struct held *h = &w->held[i];
        if (h->what == FD_WEIGHTS)
            e = map_weights(w, h, f);
        else if (h->what == FD_LANE)
            e = map_lane(w, h, f);
    }
    if (e == OK && !w->files[0].at)
        e = fail(f, ERR_INPUT, "no model came");
    return e;
}

/* Beside the executable where the settings name none and one lies there; else the loader's search.
 */
static void runtime_path(const struct worker *w, char out[PATH_MAX + 64])
{
    char self[PATH_MAX];
    out[0] = '\0';
    if (w->set->runtime[0]) {
        (void)snprintf(out, PATH_MAX + 64, "%s", w->set->runtime);
        return;
    }
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    (void)snprintf(out, PATH_MAX + 64, "%s/libonnxruntime.so", self);
    if (access(out, R_OK) != 0)
        out[0] = '\0';
}

static void on_clean(void *user, uint8_t loop, uint32_t generation)
{
    const struct worker *w = user;
    if (talk_clean(w->talk, loop, generation, NULL) != OK)
        _exit(0); /* the keeper is gone */
}

static void take_load(struct worker *w, uint64_t id)
{
    (void)pthread_mutex_lock(&w->lock);
    w->load_id = id;
    w->load = true;
    (void)pthread_cond_signal(&w->asked);
    (void)pthread_mutex_unlock(&w->lock);
}

static void take_drop(struct worker *w, str payload)
{
    struct message_lane_drop drop;
    if (message_get_lane_drop(payload, &drop, NULL) != OK ||
        crew_drop(w->crew, drop.loop, drop.generation, NULL) != OK)
        _exit(1);
}

static void *control_main(void *arg)
{
    struct worker *w = arg;
    struct message_frame frame;
    str payload;
    if (sandbox_thread(NULL) != OK)
        _exit(1);
    (void)pthread_barrier_wait(&w->stands);
    while (talk_next(w->talk, &frame, &payload, NULL) == OK) {
        if (frame.number == MESSAGE_worker_load)
            take_load(w, frame.id);
        else if (frame.number == MESSAGE_lane_drop)
            take_drop(w, payload);
        else if (frame.number == MESSAGE_stop)
            break;
    }
    _exit(0);
}

static err start_threads(struct worker *w, struct fault *f)
{
    const struct crew_opts opts = {.lanes = w->lanes,
                                   .lane_count = w->lane_count,
                                   .wake = w->wake,
                                   .instances = w->set->instances,
                                   .delay_ns = w->set->batch_delay_ns,
                                   .clean = on_clean,
                                   .user = w};
    if (pthread_barrier_init(&w->stands, NULL, HELPERS + 1) != 0)
        return fail(f, ERR_UNAVAILABLE, "no barrier");
    err e = crew_new(&opts, &w->crew, f);
    w->watchdog = (struct watchdog_opts){
        .crew = w->crew, .talk = w->talk, .stands = &w->stands, .fds = w->held_count + 4};
    if (e == OK)
        e = watchdog_start(&w->watchdog, f);
    if (e == OK)
        e = watchdog_thread(control_main, w, &w->control, f);
    if (e == OK)
        (void)pthread_barrier_wait(&w->stands);
    return e;
}

static err open_runtime(struct worker *w, struct fault *f)
{
    char path[PATH_MAX + 64];
    runtime_path(w, path);
    const struct ort_opts opts = {
        .path = path, .threads = w->set->threads, .spin = w->set->spin == 1};
    return ort_open(&opts, &w->ort, f);
}

/* --- the sandbox -------------------------------------------------------------------------------
 */

static err seal(struct worker *w, struct fault *f)
{
    int reads[2] = {MESSAGE_CONTROL_FD, w->wake};
    int writes[3 + 256] = {MESSAGE_CONTROL_FD, STDOUT_FILENO, STDERR_FILENO};
    uint32_t write_count = 3;
    for (uint32_t i = 0; i < w->held_count; i++)
        if (w->held[i].what == FD_WAKE_LOOP && write_count < sizeof writes / sizeof writes[0])
            writes[write_count++] = w->held[i].fd;
    const struct sandbox_seal seal = {.mode = w->set->sandbox_required ? SANDBOX_REQUIRED
                                                                       : SANDBOX_BEST_EFFORT,
                                      .reads = reads,
                                      .read_count = w->wake >= 0 ? 2 : 1,
                                      .writes = writes,
                                      .write_count = write_count};
    return sandbox_enter(&seal, &w->sandbox, f);
}

/* --- the model ---------------------------------------------------------------------------------
 */

static uint64_t wait_load(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (!w->load)
        (void)pthread_cond_wait(&w->asked, &w->lock);
    const uint64_t id = w->load_id;
    (void)pthread_mutex_unlock(&w->lock);
    return id;
}

static err try_out(struct worker *w, struct model *m, struct trial *trial, struct fault *f)
{
    const uint32_t rows_max = w->set->batch_rows_max;
    struct batch *b = NULL;
    err e = model_batch(m, rows_max, f);
    if (e == OK)
        e = batch_new(m, &b, f);
    if (e == OK) {
        crew_guard(w->crew, batch_run(b), clock_ns() + TRIAL_NS);
        e = trial_run(m, b, rows_max, trial, f);
        crew_guard(w->crew, NULL, 0);
    }
    batch_free(b);
    if (e == OK && !trial->stacks)
        e = model_batch(m, 0, f);
    return e;
}

static err load(struct worker *w, uint64_t id, struct fault *f)
{
    const uint64_t begun = clock_ns();
    const struct model_opts opts = {.ort = w->ort,
                                    .main = w->files[0],
                                    .externals = w->files + 1,
                                    .external_count = w->file_count - 1};
    struct model *m = NULL;
    struct trial trial;
    err e = model_open(&opts, &m, f);
    if (e == OK)
        e = try_out(w, m, &trial, f);
    for (uint32_t i = 0; i < w->file_count; i++)
        memfd_unmap(w->mapped[i], w->files[i].bytes);
    if (e == OK)
        e = crew_serve(w->crew, m, f);
    const struct talk_loaded loaded = {.sig = e == OK ? model_signature(m) : NULL,
                                       .trial = &trial,
                                       .sandbox = &w->sandbox,
                                       .load_ns = clock_ns() - begun};
    return e == OK ? talk_loaded(w->talk, id, &loaded, f) : e;
}

static const char *reason_of(err e)
{
    return e == ERR_ENGINE ? "runtime" : e == ERR_UNAVAILABLE ? "unavailable" : "model";
}

static int refuse(struct worker *w, uint64_t id, const struct fault *f)
{
    const err gone = talk_refused(w->talk, id, reason_of(f->code), f->text, NULL);
    return gone == OK ? WORKER_REFUSES : 1;
}

/* --- both roles --------------------------------------------------------------------------------
 */

static int say(const struct fault *f)
{
    char line[FAULT_TEXT_BYTES + 32];
    const int n = snprintf(line, sizeof line, "garrison-worker: %s\n", f->text);
    const ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
    return 1;
}

/* Walks the model on request and waits for the end. */
static int read_model(struct worker *w)
{
    struct message_frame frame;
    str payload;
    while (talk_next(w->talk, &frame, &payload, NULL) == OK && frame.number != MESSAGE_stop) {
        struct fault f = {0};
        struct arena a;
        struct scan scan;
        if (frame.number != MESSAGE_worker_scan)
            continue;
        arena_init(&a, SCAN_BYTES);
        err e = scan_model((str){w->files[0].at, w->files[0].bytes}, &a, &scan, &f);
        if (e == OK)
            e = talk_scanned(w->talk, frame.id, &scan, &f);
        arena_free(&a);
        if (e != OK)
            return refuse(w, frame.id, &f);
    }
    return 0;
}

static err come_up(struct worker *w, struct fault *f)
{
    err e = blocking(MESSAGE_CONTROL_FD, f);
    if (e == OK)
        e = talk_new(MESSAGE_CONTROL_FD, w->role, &w->talk, f);
    if (e == OK)
        e = talk_hello(w->talk, f);
    if (e == OK)
        e = take_start(w, f);
    if (e == OK)
        e = take_settings(w, f);
    const struct held *wake = held_of(w, FD_WAKE_WORKER);
    w->wake = wake ? wake->fd : -1;
    if (e == OK && w->role == ROLE_WORKER)
        e = wake ? blocking(w->wake, f) : fail(f, ERR_INPUT, "no eventfd came");
    if (e == OK)
        e = limits(w, f);
    if (e == OK)
        e = map_all(w, f);
    if (e == OK && w->role == ROLE_WORKER)
        e = open_runtime(w, f);
    if (e == OK && w->role == ROLE_WORKER)
        e = start_threads(w, f);
    if (e == OK)
        e = seal(w, f);
    return e == OK ? talk_up(w->talk, f) : e;
}

int worker_serve(enum role role)
{
    struct fault f = {0};
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return 1;
    w->role = role;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->asked, NULL);
    if (come_up(w, &f) != OK)
        return say(&f);
    if (role == ROLE_READER)
        return read_model(w);
    const uint64_t id = wait_load(w);
    if (load(w, id, &f) != OK)
        return refuse(w, id, &f);
    (void)pthread_join(w->control, NULL); /* it ends the process */
    return 0;
}
