/* Models on their way up and down: whose turn it is to load, reading, the scan, refusals, deaths,
 * and the lanes between workers and the data front. Starting a worker is model_load.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/gauges.h"
#include "control/parts.h"

#define STEP_BYTES (8u << 20)

/* died: of its worker, which output still names; none: it could not be started. */
static void tell(const struct model *m, const char *message, bool died)
{
    const pid_t pid = died ? m->output.pid : 0;
    journal_write(m->k->cfg, &(struct journal_event){.level = JOURNAL_ERROR,
                                                     .message = message,
                                                     .process = pid ? "worker" : NULL,
                                                     .pid = pid,
                                                     .end = pid != 0,
                                                     .logger = "registry",
                                                     JOURNAL_ARGS({"model", m->cfg->name.at, 0},
                                                                  {"reason", m->state.reason, 0},
                                                                  {"text", m->state.text, 0})});
}

/* --- turns -------------------------------------------------------------------------------------
 */

void models_turn(struct keeper *k)
{
    uint32_t busy = 0;
    if (!k->sandbox_ok || k->drain.phase > DRAIN_DELAY)
        return;
    for (uint32_t i = 0; i < k->model_count; i++)
        busy += model_state_loads(&k->models[i].state);
    for (uint32_t i = 0; i < k->model_count && busy < k->cfg->worker.loads; i++) {
        struct model *m = &k->models[i];
        if (m->state.phase != MODEL_QUEUED || m->child)
            continue;
        busy++;
        model_state_turn(&m->state);
        if (m->state.phase == MODEL_LOADING)
            model_load(m);
        else
            model_step(m);
    }
}

static void on_timer(void *arg)
{
    struct model *m = arg;
    if (m->waits) {
        m->waits = false;
        model_state_again(&m->state);
        models_turn(m->k);
    } else if (m->child) {
        char text[96];
        (void)snprintf(text, sizeof text, "it did not load within %llu ms",
                       (unsigned long long)(m->cfg->s.load_timeout_ns / NS_PER_MS));
        child_kill(m->child, KILL_DEADLINE, text);
    }
}

err model_prepare(struct model *m, struct keeper *k, const struct config_model *cfg,
                  struct fault *f)
{
    *m = (struct model){.k = k, .cfg = cfg, .worker = SNAPSHOT_NO_WORKER};
    model_state_init(&m->state, k->cfg->worker.quarantine.count,
                     k->cfg->worker.quarantine.period_ns);
    m->deployed_us = k->began_us;
    m->cells = gauges_none();
    return timer_init(&m->timer, k->loop, on_timer, m, f);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* What worked before and fails for lack of memory or disk is tried again, as after a death. */
static void unreadable(struct model *m, err e, const char *text)
{
    if (!m->state.scanned) {
        model_refuse(m, "unreadable", text);
    } else if (e == ERR_UNAVAILABLE) {
        model_files_release(m->files);
        model_died(m, EXIT_CRASH, text);
    } else {
        model_refuse(m, "changed", text);
    }
}

static void read_on(struct model *m)
{
    struct fault f = {0};
    bool done = false;
    err e = m->files ? OK : model_files_open(m->cfg->path.at, &m->files, &f);
    if (e == OK)
        e = model_files_step(m->files, STEP_BYTES, &done, &f);
    if (e != OK) {
        unreadable(m, e, f.text);
        return;
    }
    if (!done) {
        model_step(m);
        return;
    }
    model_state_next(&m->state, clock_ns());
    if (m->state.phase == MODEL_SCANNING) {
        model_scan(m);
        return;
    }
    if (!m->digest_known) {
        model_files_digest(m->files, m->digest);
        m->digest_known = true;
        gauges_model(m->k->gauges, m);
        publish(m->k);
    }
    model_load(m);
}

static void on_step(void *arg)
{
    struct model *m = arg;
    m->reading = false;
    if (m->state.phase == MODEL_READING || m->state.phase == MODEL_GATHERING)
        read_on(m);
}

/* Reading goes on in the next turn of the loop, so that messages and beats are heard between. */
void model_step(struct model *m)
{
    struct fault f = {0};
    if (m->reading)
        return;
    m->reading = true;
    if (loop_post(m->k->loop, on_step, m, &f) == OK)
        return;
    m->reading = false;
    model_refuse(m, "unavailable", f.text);
}

/* --- ends --------------------------------------------------------------------------------------
 */

void model_refuse(struct model *m, const char *reason, const char *text)
{
    timer_cancel(&m->timer);
    gauges_model(m->k->gauges, m);
    gauges_loaded(m->k->gauges, m, false, m->load_began_ns ? clock_ns() - m->load_began_ns : 0);
    model_state_refused(&m->state, reason, text);
    tell(m, "model is refused", false);
    journal_say("model \"%.*s\" is refused (%s): %s", STR_ARG(m->cfg->name), reason, text);
    model_files_free(m->files); /* it is not tried again: its memory goes */
    m->files = NULL;
    publish(m->k);
    models_turn(m->k);
    keeper_look(m->k);
}

void model_died(struct model *m, enum exit_reason reason, const char *text)
{
    const uint64_t now = clock_ns();
    const char *word = exit_reason_name(reason).at;
    timer_cancel(&m->timer);
    if (m->state.phase == MODEL_LOADING)
        gauges_loaded(m->k->gauges, m, false, now - m->load_began_ns);
    m->restarts++;
    const uint64_t wait = model_state_died(&m->state, word, text, now, keeper_chance());
    if (m->state.phase == MODEL_QUARANTINED) {
        tell(m, "model is quarantined", true);
        journal_say("model \"%.*s\" is quarantined after %" PRIu32 " deaths (%s): %s; start again "
                    "to free it",
                    STR_ARG(m->cfg->name), m->state.deaths, word, text);
        model_files_free(m->files);
        m->files = NULL;
    } else {
        tell(m, "worker has died; it is started again", true);
        journal_say(
            "the worker of model \"%.*s\" has ended (%s): %s; it is started again in %" PRIu64
            " ms",
            STR_ARG(m->cfg->name), word, text, (uint64_t)(wait / NS_PER_MS));
        m->waits = true;
        timer_set(&m->timer, wait);
    }
    publish(m->k);
    models_turn(m->k);
    keeper_look(m->k);
}

void model_stop(struct model *m)
{
    timer_cancel(&m->timer);
    m->waits = false;
    if (m->child && child_is_up(m->child))
        child_send(m->child, &(struct link_send){.number = MESSAGE_stop}, STR(""));
    else if (m->child)
        child_kill(m->child, KILL_PLANNED, "the server ends");
}

void model_free(struct model *m)
{
    timer_close(&m->timer);
    output_close(&m->output);
    lanes_free(m->lanes);
    loaded_free(m->loaded);
    loaded_free(m->loading);
    model_files_free(m->files);
}

struct model *model_of_worker(struct keeper *k, uint32_t worker)
{
    for (uint32_t i = 0; i < k->model_count; i++)
        if (k->models[i].worker == worker && k->models[i].child)
            return &k->models[i];
    return NULL;
}

/* --- lanes -------------------------------------------------------------------------------------
 */

static void send_lane(struct model *m, uint32_t loop)
{
    struct front *fr = &m->k->data;
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const int fds[2] = {lanes_memfd(m->lanes, loop, fr->generation % LANES_PARTS),
                        lanes_wake(m->lanes)};
    const struct message_lane lane = {.worker = m->worker,
                                      .loop = (uint8_t)loop,
                                      .generation = fr->generation,
                                      .bytes = lanes_bytes(m->lanes)};
    if (message_put_lane(&lane, &b, NULL) == OK)
        child_send(fr->child, &(struct link_send){.number = MESSAGE_lane, .fds = 2, .fd = fds},
                   (str){(const char *)b.at, b.len});
}

void model_lanes_offer(struct model *m)
{
    const struct front *fr = &m->k->data;
    if (m->state.phase != MODEL_READY || !m->lanes || !fr->child || !fr->up)
        return;
    for (uint32_t i = 0; i < fr->loops; i++)
        if (lanes_offer(m->lanes, i, fr->generation))
            send_lane(m, i);
}

static void send_drop(struct child *to, uint32_t worker, uint32_t loop, uint32_t generation,
                      uint8_t reason)
{
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_lane_drop drop = {
        .worker = worker, .loop = (uint8_t)loop, .generation = generation, .reason = reason};
    if (message_put_lane_drop(&drop, &b, NULL) == OK)
        child_send(to, &(struct link_send){.number = MESSAGE_lane_drop},
                   (str){(const char *)b.at, b.len});
}

void models_front_lost(struct keeper *k, uint32_t generation)
{
    for (uint32_t i = 0; i < k->model_count; i++) {
        struct model *m = &k->models[i];
        if (!m->lanes || !m->child)
            continue;
        for (uint32_t loop = 0; loop < k->data.loops; loop++)
            if (lanes_lost(m->lanes, loop, generation))
                send_drop(m->child, m->worker, loop, generation, 0);
    }
}

void model_lanes_drop(struct model *m, enum exit_reason why)
{
    const struct front *fr = &m->k->data;
    if (!m->lanes)
        return;
    for (uint32_t i = 0; i < fr->loops && fr->child && fr->up; i++)
        if (lanes_used(m->lanes, i, fr->generation))
            send_drop(fr->child, m->worker, i, fr->generation, (uint8_t)why);
    lanes_free(m->lanes);
    m->lanes = NULL;
}
