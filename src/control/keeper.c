/* The keeper's start, its loop's events, and its end. The order of the start is that of
 * reliability.md section 5: lock, listeners, fronts, then the proof of the sandbox, then models. */
#include "control/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/scope.h"
#include "control/gauges.h"
#include "control/parts.h"
#include "control/spawn.h"
#include "engine/sandbox.h"

uint32_t keeper_chance(void)
{
    uint32_t v = 0;
    if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
        v = (uint32_t)clock_ns();
    return v;
}

static bool models_settled(const struct keeper *k)
{
    for (uint32_t i = 0; i < k->model_count; i++)
        if (k->models[i].state.phase != MODEL_READY && !model_state_over(&k->models[i].state))
            return false;
    return true;
}

bool keeper_ready(const struct keeper *k)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < k->model_count; i++)
        ready += k->models[i].state.phase == MODEL_READY;
    return k->data.up && k->ops.up && k->drain.phase == DRAIN_NOT &&
           (ready > 0 || k->model_count == 0);
}

void keeper_look(struct keeper *k)
{
    uint32_t ready = 0;
    if (k->announced || !k->data.up || !k->ops.up || !models_settled(k))
        return;
    k->announced = true;
    for (uint32_t i = 0; i < k->model_count; i++)
        ready += k->models[i].state.phase == MODEL_READY;
    journal_say("%" PRIu32 " of %" PRIu32 " models ready", ready, k->model_count);
    journal_write(k->cfg,
                  &(struct journal_event){
                      .level = JOURNAL_INFO,
                      .message = "the server has started",
                      JOURNAL_ARGS({"models_ready", NULL, ready}, {"models", NULL, k->model_count},
                                   {"start_ms", NULL, (clock_ns() - k->began_ns) / NS_PER_MS})});
}

/* --- events ------------------------------------------------------------------------------------
 */

static void on_child_signal(void *arg, int number)
{
    struct keeper *k = arg;
    (void)number;
    children_reap(k->children);
}

static void on_end_signal(void *arg, int number)
{
    drain_signal(arg, number);
}

static void on_other_reaped(void *arg, pid_t pid, int status)
{
    probes_reaped(arg, pid, status);
}

static void on_tick(void *arg)
{
    struct keeper *k = arg;
    children_reap(k->children); /* a signal that was merged away is made up for */
    children_watch(k->children);
    probes_tick(k);
    gauges_tick(k->gauges, k);
    timer_set(&k->tick, NS_PER_S);
}

static void on_probed(struct keeper *k, err e, const char *why)
{
    const bool required = k->cfg->worker.sandbox == CONFIG_SANDBOX_REQUIRED;
    k->sandbox_ok = e == OK || !required;
    if (e != OK) {
        k->sandbox_level = SANDBOX_DEGRADED;
        (void)snprintf(k->sandbox_why, sizeof k->sandbox_why, "%s", why);
        journal_say("the sandbox does not hold here: %s; %s", why,
                    required ? "no model is loaded (worker.sandbox: best-effort is for debugging)"
                             : "models are loaded all the same (worker.sandbox: best-effort)");
        journal_write(k->cfg,
                      &(struct journal_event){.level = required ? JOURNAL_ERROR : JOURNAL_WARN,
                                              .message = "the sandbox does not hold",
                                              JOURNAL_ARGS({"why", why, 0})});
    }
    for (uint32_t i = 0; i < k->model_count && !k->sandbox_ok; i++)
        model_refuse(&k->models[i], "sandbox", why);
    models_turn(k);
    keeper_look(k);
}

/* --- start -------------------------------------------------------------------------------------
 */

static void limits_raise(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

static void harden(void)
{
    const struct rlimit none = {0, 0};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static err open_wakes(struct keeper *k, struct fault *f)
{
    for (uint32_t i = 0; i < k->cfg->server.loops; i++) {
        k->wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (k->wake[i] < 0)
            return fail(f, ERR_UNAVAILABLE, "no eventfd for a loop: %s", strerror(errno));
    }
    return OK;
}

static int by_name(const void *a, const void *b)
{
    const struct config_model *const *x = a;
    const struct config_model *const *y = b;
    const str p = (*x)->name;
    const str q = (*y)->name;
    const int d = memcmp(p.at, q.at, p.len < q.len ? p.len : q.len);
    return d ? d : (p.len > q.len) - (p.len < q.len);
}

static err open_models(struct keeper *k, struct fault *f)
{
    const uint32_t count = k->cfg->model_count;
    SCOPED(free_undo)
    const struct config_model **order = calloc(count + 1, sizeof *order);
    k->models = calloc(count + 1, sizeof *k->models);
    if (!order || !k->models)
        return fail(f, ERR_UNAVAILABLE, "no memory for models");
    for (uint32_t i = 0; i < count; i++)
        order[i] = &k->cfg->models[i];
    qsort(order, count, sizeof order[0], by_name);
    err e = OK;
    while (e == OK && k->model_count < count) {
        e = model_prepare(&k->models[k->model_count], k, order[k->model_count], f);
        k->model_count += e == OK;
    }
    return e;
}

static err open_signals(struct keeper *k, struct fault *f)
{
    err e = loop_signal_init(&k->on_child, k->loop, SIGCHLD, on_child_signal, k, f);
    if (e == OK)
        e = loop_signal_init(&k->on_term, k->loop, SIGTERM, on_end_signal, k, f);
    if (e == OK)
        e = loop_signal_init(&k->on_int, k->loop, SIGINT, on_end_signal, k, f);
    if (e == OK)
        e = timer_init(&k->tick, k->loop, on_tick, k, f);
    return e;
}

static err open_all(struct keeper *k, struct fault *f)
{
    must(k->cfg->server.loops >= 1 && k->cfg->server.loops <= LANES_LOOPS_MAX);
    err e = spawn_open_self(&k->exe_self, f);
    if (e == OK)
        e = spawn_open_worker(NULL, &k->exe_worker, f);
    if (e == OK)
        e = data_dir_open(k->cfg, &k->dir, f);
    if (e == OK)
        e = loop_new(&k->loop, f);
    if (e == OK)
        e = children_new(k->loop, k->boot, &k->children, f);
    if (e == OK)
        e = gauges_open(k, &k->gauges, f);
    if (e == OK)
        e = open_wakes(k, f);
    if (e == OK)
        e = front_prepare(&k->data, k, ROLE_DATA_FRONT, f);
    if (e == OK)
        e = front_prepare(&k->ops, k, ROLE_OPS_FRONT, f);
    if (e == OK)
        e = admin_open(k, &k->admin, f);
    if (e == OK)
        e = open_models(k, f);
    return e == OK ? open_signals(k, f) : e;
}

static void say_where(const struct keeper *k)
{
    for (uint32_t i = 0; i < k->data.address_count; i++)
        journal_say("data on http://%s", k->data.address[i]);
    for (uint32_t i = 0; i < k->ops.address_count; i++)
        journal_say("ops on http://%s (/metrics, /readyz)", k->ops.address[i]);
    journal_say("local socket %s", k->dir.socket);
}

static err start(struct keeper *k, struct fault *f)
{
    err e = open_all(k, f);
    if (e != OK)
        return e;
    children_on_other(k->children, on_other_reaped, k);
    say_where(k);
    publish(k);
    front_start(&k->data);
    front_start(&k->ops);
    timer_set(&k->tick, NS_PER_S);
    return probes_start(k, on_probed, f);
}

static void close_all(struct keeper *k)
{
    for (uint32_t i = 0; i < k->model_count; i++)
        model_free(&k->models[i]);
    free(k->models);
    if (k->loop) {
        admin_free(k->admin);
        front_free(&k->data);
        front_free(&k->ops);
        timer_close(&k->tick);
        timer_close(&k->drain.timer);
        loop_signal_close(&k->on_child);
        loop_signal_close(&k->on_term);
        loop_signal_close(&k->on_int);
    }
    gauges_free(k->gauges);
    children_free(k->children);
    loop_free(k->loop);
    for (uint32_t i = 0; i < LANES_LOOPS_MAX; i++)
        fd_undo(&k->wake[i]);
    fd_undo(&k->snapshot);
    fd_undo(&k->probes.out);
    fd_undo(&k->exe_self);
    fd_undo(&k->exe_worker);
    data_dir_close(&k->dir);
}

int keeper_run(const struct config *cfg)
{
    struct fault f = {0};
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return err_exit(ERR_UNAVAILABLE);
    *k = (struct keeper){.cfg = cfg,
                         .began_ns = clock_ns(),
                         .began_us = clock_wall_us(),
                         .exe_self = -1,
                         .exe_worker = -1,
                         .snapshot = -1,
                         .probes = {.out = -1},
                         .dir = {.lock = -1}};
    for (uint32_t i = 0; i < LANES_LOOPS_MAX; i++)
        k->wake[i] = -1;
    k->boot = (uint64_t)keeper_chance() << 32 | keeper_chance();
    limits_raise();
    const err e = start(k, &f);
    harden();
    if (e == OK) {
        loop_run(k->loop);
    } else {
        journal_say("%s", f.text);
        k->exit = err_exit(e);
    }
    const int status = k->exit;
    close_all(k);
    free(k);
    return status;
}
