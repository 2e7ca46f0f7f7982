/* The keeper's shard of the metrics segment: processes, states, loads, deaths. The segment belongs
 * to the keeper and lives through the deaths of those that count in it; their gauges are zeroed
 * when they die, their counters stay. */
#include "control/gauges.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/scope.h"
#include "control/parts.h"
#include "watch/series.h"

#define ROLES CELL_ROLES

struct gauges {
    struct series *series;
    struct shard own;
    uint32_t loops;
    int status_fd, fds_fd;       /* /proc/self/status and fd: not ours to open once not dumpable */
    uint64_t cpu_gone_ns[ROLES]; /* of processes that have ended */
};

err gauges_open(const struct keeper *k, struct gauges **ret, struct fault *f)
{
    const struct config_metrics *limits = &k->cfg->metrics;
    const struct series_opts opts = {.loops = k->cfg->server.loops,
                                     .versions = k->cfg->model_count,
                                     .series_max = limits->series,
                                     .series_per_family = limits->series_per_family};
    struct gauges *g = calloc(1, sizeof *g);
    if (!g)
        return fail(f, ERR_UNAVAILABLE, "no memory for figures");
    g->loops = opts.loops;
    g->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    g->fds_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const err e = series_new(&opts, &g->series, f);
    if (e != OK) {
        gauges_free(g);
        return e;
    }
    g->own = series_shard(g->series);
    cell_set_double(g->own, FIXED_START_TIME, (double)k->began_us / 1e6);
    cell_set(g->own, FIXED_CONFIG_GENERATION, 1);
    *ret = g;
    return OK;
}

void gauges_free(struct gauges *g)
{
    if (!g)
        return;
    series_free(g->series);
    fd_undo(&g->status_fd);
    fd_undo(&g->fds_fd);
    free(g);
}

uint32_t gauges_inherit(const struct gauges *g, struct child_fd *fds)
{
    fds[0] = (struct child_fd){.fd = series_cells_fd(g->series), .what = FD_CELLS, .name = ""};
    fds[1] = (struct child_fd){.fd = series_directory_fd(g->series), .what = FD_SERIES, .name = ""};
    return 2;
}

/* --- models ------------------------------------------------------------------------------------
 */

uint32_t gauges_none(void)
{
    return CELL_OTHER;
}

/* Beyond the limits of series a version counts under _OTHER, and its gauges are left out. */
static bool has_series(const struct model *m)
{
    return m->cells != CELL_OTHER;
}

void gauges_model(struct gauges *g, struct model *m)
{
    const struct config_settings *s = &m->cfg->s;
    if (m->series_asked)
        return;
    m->series_asked = true;
    m->cells = series_add(g->series, m->cfg->name, m->cfg->version, m->digest, true);
    if (!has_series(m))
        return;
    cell_set_double(g->own, m->cells + VERSION_OBJECTIVE, (double)s->slo_latency_ns / 1e9);
    cell_set(g->own, m->cells + VERSION_CAPACITY, s->queue);
    cell_set_double(g->own, m->cells + VERSION_DEPLOYED, (double)m->deployed_us / 1e6);
    cell_set_double(g->own, m->cells + VERSION_TRAFFIC, 1.0);
}

static enum cell_state state_of(const struct model *m)
{
    switch (model_state_shown(&m->state)) {
    case VERSION_READY:
        return CELL_READY;
    case VERSION_DRAINING:
        return CELL_DRAINING;
    case VERSION_FAILED:
    case VERSION_QUARANTINED:
        return CELL_FAILED;
    case VERSION_UNLOADED:
        return CELL_UNLOADED;
    default:
        return CELL_LOADING;
    }
}

void gauges_models(struct gauges *g, const struct keeper *k)
{
    for (uint32_t i = 0; i < k->model_count; i++) {
        const struct model *m = &k->models[i];
        const enum cell_state now = state_of(m);
        if (!has_series(m))
            continue;
        for (uint32_t s = 0; s < CELL_STATES; s++)
            cell_set(g->own, m->cells + VERSION_STATE + s, s == now);
        const uint32_t memory = m->cells + VERSION_MEMORY;
        cell_set(g->own, memory + CELL_WEIGHTS, m->files ? model_files_bytes(m->files) : 0);
        cell_set(g->own, memory + CELL_LANE,
                 m->lanes ? lanes_bytes(m->lanes) * k->data.loops * LANES_PARTS : 0);
    }
}

void gauges_loaded(struct gauges *g, const struct model *m, bool ok, uint64_t ns)
{
    hist_add(g->own, m->cells + VERSION_LOADS + (ok ? 0 : HIST_CELLS), ns);
}

void gauges_exit(struct gauges *g, const struct model *m, enum exit_reason reason)
{
    cell_add(g->own, m->cells + VERSION_EXITS + (uint32_t)reason, 1);
    if (reason != EXIT_UNLOAD && reason != EXIT_REFUSED)
        cell_add(g->own, FIXED_ROLE_RESTARTS + ROLE_WORKER, 1);
}

void gauges_violation(struct gauges *g, const struct model *m)
{
    cell_add(g->own, m->cells + VERSION_VIOLATIONS, 1);
}

/* --- processes ---------------------------------------------------------------------------------
 */

/* Gauges of shards that nobody writes any more. */
static void zero_gauges(struct gauges *g, const struct keeper *k, uint32_t shard)
{
    static const uint32_t fixed[] = {
        FIXED_IN_FLIGHT,
        FIXED_CONNECTIONS,
        FIXED_EVENTS_WAITING,
        FIXED_EVENTS_CAPACITY,
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        segment_zero(series_segment(g->series), shard, fixed[i], 1);
    for (uint32_t i = 0; i < k->model_count; i++)
        segment_zero(series_segment(g->series), shard, k->models[i].cells + VERSION_QUEUE,
                     VERSION_LAST_MS - VERSION_QUEUE);
}

void gauges_front_gone(struct gauges *g, const struct front *fr, struct child_usage last)
{
    const bool data = fr->role == ROLE_DATA_FRONT;
    const uint32_t first = data ? 0 : CELL_SHARD_OPS(g->loops);
    for (uint32_t i = 0; i < (data ? g->loops : 1); i++)
        zero_gauges(g, fr->k, first + i);
    g->cpu_gone_ns[fr->role] += last.cpu_ns;
    if (!fr->ending)
        cell_add(g->own, FIXED_ROLE_RESTARTS + (uint32_t)fr->role, 1);
}

void gauges_worker_gone(struct gauges *g, struct child_usage last)
{
    g->cpu_gone_ns[ROLE_WORKER] += last.cpu_ns;
}

static uint64_t status_bytes(str page, str key)
{
    for (size_t at = 0; at < page.len; at += str_find(str_cut(page, at, page.len), '\n') + 1) {
        str line = str_cut(page, at, page.len);
        line = str_cut(line, 0, str_find(line, '\n'));
        if (!str_starts(line, key))
            continue;
        str number = str_trim(str_cut(line, key.len, line.len));
        number = str_cut(number, 0, str_find(number, ' '));
        uint64_t kib = 0;
        return num_u64(number, UINT64_MAX / 1024, &kib, NULL) == OK ? kib * 1024 : 0;
    }
    return 0;
}

static uint32_t open_fds(const struct gauges *g)
{
    uint32_t count = 0;
    const int fd = fcntl(g->fds_fd, F_DUPFD_CLOEXEC, 3);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        fd_undo(&fd);
        return 0;
    }
    rewinddir(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the duplicate */
}

struct child_usage gauges_self(const struct gauges *g)
{
    char page[4096];
    struct rusage used = {0};
    struct rlimit files = {0};
    const ssize_t n = pread(g->status_fd, page, sizeof page, 0);
    const str text = {page, n > 0 ? (size_t)n : 0};
    (void)getrusage(RUSAGE_SELF, &used);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    const uint64_t us = (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    const uint64_t s = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    return (struct child_usage){.anon_bytes = status_bytes(text, STR("RssAnon:")),
                                .file_bytes = status_bytes(text, STR("RssFile:")),
                                .shmem_bytes = status_bytes(text, STR("RssShmem:")),
                                .cpu_ns = s * NS_PER_S + us * NS_PER_US,
                                .fds = open_fds(g),
                                .fds_max = files.rlim_cur > UINT32_MAX ? UINT32_MAX
                                                                       : (uint32_t)files.rlim_cur};
}

static void add(struct child_usage *sum, struct child_usage u)
{
    sum->anon_bytes += u.anon_bytes;
    sum->file_bytes += u.file_bytes;
    sum->shmem_bytes += u.shmem_bytes;
    sum->cpu_ns += u.cpu_ns;
    sum->fds += u.fds;
    sum->fds_max += u.fds_max;
}

void gauges_tick(struct gauges *g, const struct keeper *k)
{
    struct child_usage role[ROLES] = {{0}};
    uint64_t up[ROLES] = {[ROLE_KEEPER] = 1};
    struct child_usage all = {0};
    role[ROLE_KEEPER] = gauges_self(g);
    if (k->data.child)
        role[ROLE_DATA_FRONT] = child_usage(k->data.child);
    if (k->ops.child)
        role[ROLE_OPS_FRONT] = child_usage(k->ops.child);
    up[ROLE_DATA_FRONT] = k->data.up;
    up[ROLE_OPS_FRONT] = k->ops.up;
    for (uint32_t i = 0; i < k->model_count; i++) {
        const struct model *m = &k->models[i];
        const bool worker = m->child && !m->reader;
        const struct child_usage u = worker ? child_usage(m->child) : (struct child_usage){0};
        up[ROLE_WORKER] += worker && child_is_up(m->child);
        add(&role[ROLE_WORKER], u);
        if (has_series(m))
            cell_set(g->own, m->cells + VERSION_MEMORY + CELL_ARENA, u.anon_bytes);
    }
    for (uint32_t r = 0; r < ROLES; r++) {
        const uint32_t memory = FIXED_ROLE_MEMORY + r * CELL_MEMORY_KINDS;
        cell_set(g->own, FIXED_ROLE_UP + r, up[r]);
        cell_set_double(g->own, FIXED_ROLE_CPU + r,
                        (double)(role[r].cpu_ns + g->cpu_gone_ns[r]) / 1e9);
        cell_set(g->own, memory + CELL_ANON, role[r].anon_bytes);
        cell_set(g->own, memory + CELL_FILE, role[r].file_bytes);
        cell_set(g->own, memory + CELL_SHMEM, role[r].shmem_bytes);
        add(&all, role[r]);
    }
    cell_set(g->own, FIXED_OPEN_FDS, all.fds);
    cell_set(g->own, FIXED_MAX_FDS, all.fds_max);
}
