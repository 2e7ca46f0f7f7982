/* Starting what touches a model's bytes: the reader that walks it, the worker that loads and runs
 * it; hearing what they say; and naming their deaths. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "control/gauges.h"
#include "control/parts.h"

#define BUDGET_MIN      (256ull << 20)
#define BUDGET_FACTOR   4u
#define SCAN_TIMEOUT_NS 60000000000ull
#define EXIT_IS_REFUSAL 3

/* --- settings ----------------------------------------------------------------------------------
 */

static uint64_t budget_of(const struct model *m)
{
    const uint64_t bytes = model_files_bytes(m->files);
    const uint64_t four = bytes > UINT64_MAX / BUDGET_FACTOR ? UINT64_MAX : bytes * BUDGET_FACTOR;
    if (m->cfg->s.memory_bytes)
        return m->cfg->s.memory_bytes;
    return four > BUDGET_MIN ? four : BUDGET_MIN;
}

static err make_settings(struct model *m, int *ret_fd, struct fault *f)
{
    const struct config *c = m->k->cfg;
    const struct config_settings *s = &m->cfg->s;
    SCOPED(free_undo)
    struct worker_settings *w = calloc(1, sizeof *w);
    if (!w)
        return fail(f, ERR_UNAVAILABLE, "no memory for a worker's settings");
    m->budget_bytes = budget_of(m);
    *w = (struct worker_settings){
        .budget_bytes = m->budget_bytes,
        .weights_bytes = model_files_bytes(m->files),
        .batch_delay_ns = s->batch_delay_ns,
        .load_timeout_ns = s->load_timeout_ns,
        .lane_reply_bytes = s->lane_reply_bytes,
        .threads = s->threads,
        .instances = s->instances,
        .batch_rows_max = s->batching ? m->cfg->max_batch_size : 0,
        .loops = c->server.loops,
        .spin = s->spin,
        .sandbox_required = c->worker.sandbox == CONFIG_SANDBOX_REQUIRED,
    };
    if (c->worker.runtime.len >= sizeof w->runtime)
        return fail(f, ERR_INPUT, "the path of the runtime is too long");
    if (c->worker.runtime.len > 0)
        memcpy(w->runtime, c->worker.runtime.at, c->worker.runtime.len);
    return settings_make(w, sizeof *w, ret_fd, f);
}

/* --- deaths ------------------------------------------------------------------------------------
 */

/* What a wait status means where the keeper did not kill (security.md section 3.3). */
static enum exit_reason reason_of(int status, enum child_kill why)
{
    if (why == KILL_SILENT)
        return EXIT_STALL;
    if (why == KILL_DEADLINE)
        return EXIT_DEADLINE;
    if (why == KILL_PLANNED)
        return EXIT_UNLOAD;
    if (why != KILL_NONE)
        return EXIT_CRASH;
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == EXIT_IS_REFUSAL ? EXIT_REFUSED : EXIT_CRASH;
    switch (WTERMSIG(status)) {
    case SIGSYS:
        return EXIT_SANDBOX;
    case SIGKILL:
        return EXIT_OOM;
    default:
        return EXIT_CRASH;
    }
}

/* left: by itself. What it said last tells then why, and no client's input can be in it as long as
 * it was not ready. */
static void end_text(const struct model *m, bool left, const char *text, char out[FAULT_TEXT_BYTES])
{
    const bool said = left && m->state.phase != MODEL_READY && m->output.line[0];
    (void)snprintf(out, FAULT_TEXT_BYTES, "%s%s%.200s", text, said ? ": " : "",
                   said ? m->output.line : "");
}

static void on_gone(void *arg, int status, enum child_kill why, const char *text)
{
    struct model *m = arg;
    const enum exit_reason reason = m->k->drain.phase >= DRAIN_WORKERS && why == KILL_NONE
                                        ? EXIT_UNLOAD
                                    : m->refused ? EXIT_REFUSED
                                                 : reason_of(status, why);
    const struct child_usage last = child_usage(m->child);
    char what[FAULT_TEXT_BYTES];
    timer_cancel(&m->timer);
    output_close(&m->output);
    end_text(m, why == KILL_NONE && WIFEXITED(status), text, what);
    model_lanes_drop(m, reason);
    m->child = NULL;
    m->worker = SNAPSHOT_NO_WORKER;
    loaded_free(m->loading);
    m->loading = NULL;
    if (!m->reader) {
        gauges_worker_gone(m->k->gauges, last);
        m->exits[reason]++;
        gauges_exit(m->k->gauges, m, reason);
    }
    if (m->k->drain.phase >= DRAIN_WORKERS) {
        drain_look(m->k);
        return;
    }
    if (m->state.phase == MODEL_SCANNING)
        model_refuse(m, m->refused ? "scan" : "scan_died", what);
    else if (m->state.phase == MODEL_LOADING && reason == EXIT_REFUSED)
        model_refuse(m, "refused", what);
    else if (!model_state_over(&m->state) && m->state.phase != MODEL_GATHERING)
        model_died(m, reason, what);
    else if (m->state.phase == MODEL_GATHERING)
        model_step(m);
    else
        models_turn(m->k);
}

static void on_refused(struct model *m, const struct link_message *in)
{
    struct message_worker_refused r;
    struct fault f = {0};
    char reason[33];
    char text[257];
    if (message_get_worker_refused(in->payload, &r, &f) != OK) {
        child_kill(m->child, KILL_BREACH, f.text);
        return;
    }
    (void)snprintf(reason, sizeof reason, "%.*s", STR_ARG(r.reason));
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(r.text));
    m->refused = true;
    if (m->state.phase == MODEL_SCANNING || m->state.phase == MODEL_LOADING)
        model_refuse(m, reason, text);
    child_kill(m->child, KILL_PLANNED, "it has refused its model");
}

/* --- the reader --------------------------------------------------------------------------------
 */

static void on_scanned(struct model *m, const struct link_message *in)
{
    struct message_worker_scanned s;
    struct message_file file;
    struct fault f = {0};
    if (m->state.phase != MODEL_SCANNING) {
        child_kill(m->child, KILL_BREACH, "worker_scanned out of turn");
        return;
    }
    err e = message_get_worker_scanned(in->payload, &s, &f);
    if (e != OK) {
        child_kill(m->child, KILL_BREACH, f.text);
        return;
    }
    while (e == OK && message_next_file(&s.files, &file))
        e = model_files_add(m->files, file.name, &f);
    if (e != OK) {
        model_refuse(m, "external_data", f.text);
        child_kill(m->child, KILL_PLANNED, "its model is refused");
        return;
    }
    if (in->frame.flags & MESSAGE_MORE)
        return;
    timer_cancel(&m->timer);
    model_state_next(&m->state, clock_ns()); /* GATHERING, once the reader is reaped */
    child_kill(m->child, KILL_PLANNED, "it has done its work");
}

static void on_reader_message(void *arg, const struct link_message *in)
{
    struct model *m = arg;
    if (in->frame.number == MESSAGE_worker_scanned)
        on_scanned(m, in);
    else if (in->frame.number == MESSAGE_worker_refused)
        on_refused(m, in);
}

static void on_reader_up(void *arg)
{
    struct model *m = arg;
    child_send(m->child, &(struct link_send){.number = MESSAGE_worker_scan, .id = 1}, STR(""));
}

/* --- the worker --------------------------------------------------------------------------------
 */

static void ready(struct model *m)
{
    const struct config *c = m->k->cfg;
    loaded_free(m->loaded);
    m->loaded = m->loading;
    m->loading = NULL;
    m->loaded->sig.max_batch_size = m->loaded->batches ? m->cfg->max_batch_size : 0;
    if (m->loaded->sandbox > m->k->sandbox_level)
        m->k->sandbox_level = m->loaded->sandbox;
    m->load_ns = clock_ns() - m->load_began_ns;
    timer_cancel(&m->timer);
    model_state_next(&m->state, clock_ns());
    model_files_release(m->files); /* the session has its own copy (security.md section 3.4) */
    gauges_loaded(m->k->gauges, m, true, m->load_ns);
    journal_write(
        c, &(struct journal_event){.level = JOURNAL_INFO,
                                   .message = "model is ready",
                                   .logger = "registry",
                                   JOURNAL_ARGS({"model", m->cfg->name.at, 0},
                                                {"load_ms", NULL, m->load_ns / NS_PER_MS},
                                                {"batches", m->loaded->batches ? "yes" : "no", 0},
                                                {"note", m->loaded->note, 0})});
    if (m->restarts == 0)
        journal_say("model \"%s\" version %s is ready%s (%llu ms, unsigned)", m->cfg->name.at,
                    m->cfg->version.at, m->loaded->batches ? ", batches rows" : "",
                    (unsigned long long)(m->load_ns / NS_PER_MS));
    model_lanes_offer(m);
    publish(m->k);
    models_turn(m->k);
    keeper_look(m->k);
}

static void on_loaded(struct model *m, const struct link_message *in)
{
    const bool last = !(in->frame.flags & MESSAGE_MORE);
    struct message_worker_loaded l;
    struct fault f = {0};
    if (m->state.phase != MODEL_LOADING || !m->loading) {
        child_kill(m->child, KILL_BREACH, "worker_loaded out of turn");
        return;
    }
    err e = message_get_worker_loaded(in->payload, &l, &f);
    if (e == OK)
        e = loaded_take(m->loading, &l, last, &f);
    if (e != OK)
        child_kill(m->child, KILL_BREACH, f.text);
    else if (last)
        ready(m);
}

static void on_clean(struct model *m, const struct link_message *in)
{
    struct message_lane_clean clean;
    struct fault f = {0};
    err e = message_get_lane_clean(in->payload, &clean, &f);
    if (e == OK)
        e = m->lanes ? lanes_clean(m->lanes, clean.loop, clean.generation, &f) : OK;
    if (e != OK) {
        child_kill(m->child, KILL_BREACH, f.text);
        return;
    }
    const struct front *fr = &m->k->data;
    if (fr->up && fr->generation % LANES_PARTS == clean.generation % LANES_PARTS) {
        model_lanes_offer(m);
        publish(m->k); /* the front takes a lane that came late with the next snapshot */
    }
}

static void on_worker_message(void *arg, const struct link_message *in)
{
    struct model *m = arg;
    switch (in->frame.number) {
    case MESSAGE_worker_loaded:
        on_loaded(m, in);
        return;
    case MESSAGE_worker_refused:
        on_refused(m, in);
        return;
    case MESSAGE_lane_clean:
        on_clean(m, in);
        return;
    default:
        return;
    }
}

static void on_worker_up(void *arg)
{
    struct model *m = arg;
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_worker_load load = {0};
    if (message_put_worker_load(&load, &b, NULL) == OK)
        child_send(m->child, &(struct link_send){.number = MESSAGE_worker_load, .id = 1},
                   (str){(const char *)b.at, b.len});
}

/* --- starting ----------------------------------------------------------------------------------
 */

static uint32_t inherit_files(const struct model *m, uint32_t count, struct child_fd *fds)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct model_file *file = model_files_at(m->files, i);
        fds[i] = (struct child_fd){.fd = file->fd, .what = FD_WEIGHTS, .name = file->name};
    }
    return count;
}

static uint32_t inherit_lanes(const struct model *m, struct child_fd *fds)
{
    uint32_t n = 0;
    fds[n++] = (struct child_fd){.fd = lanes_wake(m->lanes), .what = FD_WAKE_WORKER, .name = ""};
    for (uint32_t i = 0; i < m->k->data.loops; i++) {
        fds[n++] = (struct child_fd){
            .fd = m->k->wake[i], .what = FD_WAKE_LOOP, .loop = (uint8_t)i, .name = ""};
        for (uint32_t part = 0; part < LANES_PARTS; part++)
            fds[n++] = (struct child_fd){.fd = lanes_memfd(m->lanes, i, part),
                                         .what = FD_LANE,
                                         .loop = (uint8_t)i,
                                         .part = (uint8_t)part,
                                         .name = ""};
    }
    return n;
}

/* Starts reader or worker with settings, files and (a worker) lanes. */
static err start(struct model *m, enum role role, struct fault *f)
{
    const bool worker = role == ROLE_WORKER;
    SCOPED(fd_undo)
    int settings = -1;
    SCOPED(fd_undo)
    int out = -1;
    SCOPED(free_undo)
    struct child_fd *fds = calloc(MODEL_FILES_MAX + 3 * LANES_LOOPS_MAX + 8, sizeof *fds);
    m->output.pid = 0;
    err e = fds ? make_settings(m, &settings, f) : fail(f, ERR_UNAVAILABLE, "no memory");
    if (e == OK)
        e = output_open(&m->output, m->k->loop, m->k->cfg, m->cfg->name.at, &out, f);
    if (e != OK)
        return e;
    uint32_t n = 0;
    fds[n++] = (struct child_fd){.fd = settings, .what = FD_SETTINGS, .name = ""};
    n += inherit_files(m, worker ? model_files_count(m->files) : 1, &fds[n]);
    n += worker ? inherit_lanes(m, &fds[n]) : 0;
    const struct child_opts opts = {
        .role = role,
        .exe = m->k->exe_worker,
        .out = out,
        .err = out,
        .loops = worker ? 1 : 0,
        .silence_ns = worker ? m->k->cfg->worker.stall_ns : 0,
        .fds = fds,
        .fd_count = n,
        .arg = m,
        .on_up = worker ? on_worker_up : on_reader_up,
        .on_message = worker ? on_worker_message : on_reader_message,
        .on_exit = on_gone,
    };
    m->refused = false;
    m->reader = !worker;
    e = child_start(m->k->children, &opts, &m->child, f);
    if (e != OK) {
        m->child = NULL;
        output_close(&m->output);
        return e;
    }
    m->output.pid = child_pid(m->child);
    return OK;
}

void model_scan(struct model *m)
{
    struct fault f = {0};
    timer_set(&m->timer, SCAN_TIMEOUT_NS);
    if (start(m, ROLE_READER, &f) != OK)
        model_refuse(m, "unavailable", f.text);
}

void model_load(struct model *m)
{
    struct fault f = {0};
    m->load_began_ns = clock_ns();
    timer_set(&m->timer, m->cfg->s.load_timeout_ns);
    loaded_free(m->loading);
    m->loading = NULL;
    err e = loaded_new(&m->loading, &f);
    if (e == OK)
        e = lanes_new(m->k->data.loops, m->cfg->s.lane_bytes, &m->lanes, &f);
    if (e == OK)
        e = start(m, ROLE_WORKER, &f);
    if (e == OK) {
        m->worker = ++m->k->worker_last;
        return;
    }
    lanes_free(m->lanes);
    m->lanes = NULL;
    model_died(m, EXIT_CRASH, f.text); /* of the system, so it is tried again */
}
