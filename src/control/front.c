/* The two fronts: their listeners, which the keeper binds and holds so that a front's death loses
 * no queued connection, their start, their end and their next start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/scope.h"
#include "control/gauges.h"
#include "control/parts.h"
#include "net/socket.h"

#define FRONT_SILENCE_NS 10000000000ull

static const char *name_of(const struct front *fr)
{
    return fr->role == ROLE_DATA_FRONT ? "data_front" : "ops_front";
}

/* --- what it inherits --------------------------------------------------------------------------
 */

static err listen_on(struct front *fr, const struct config_address *a, struct fault *f)
{
    struct socket_address at = {.port = a->port, .family = a->family};
    int fds[LANES_LOOPS_MAX];
    uint16_t port = 0;
    memcpy(at.ip, a->ip, sizeof at.ip);
    struct fault why = {0};
    const err e = socket_listen(&at, fr->loops, fds, &port, &why);
    if (e != OK)
        return fail(f, e, "%s: %s; name another with %s", a->text, why.text,
                    fr->role == ROLE_DATA_FRONT ? "--listen" : "--ops-listen");
    const uint32_t n = fr->address_count++;
    const char *colon = strrchr(a->text, ':');
    must(colon);
    (void)snprintf(fr->address[n], sizeof fr->address[n], "%.*s:%u", (int)(colon - a->text),
                   a->text, port);
    for (uint32_t i = 0; i < fr->loops; i++)
        fr->listeners[fr->listener_count++] =
            (struct listener){.fd = fds[i], .loop = (uint8_t)i, .address = (uint8_t)n};
    return OK;
}

static void copy_text(char *to, size_t cap, str from)
{
    (void)snprintf(to, cap, "%.*s", STR_ARG(from));
}

static void settings_of(const struct keeper *k, struct front_settings *s)
{
    const struct config *c = k->cfg;
    const struct config_limits *l = &c->limits;
    *s = (struct front_settings){
        .magic = FRONT_SETTINGS_MAGIC,
        .started_us = (uint64_t)k->began_us,
        .nonfinite_string = c->server.json_nonfinite == CONFIG_NONFINITE_STRING,
        .headers_short = c->server.headers == CONFIG_HEADERS_SHORT,
        .log_access = (c->logs.stdout_set >> CONFIG_STREAM_ACCESS & 1) != 0,
        .log_app = (c->logs.stdout_set >> CONFIG_STREAM_APP & 1) != 0,
        .log_level = (uint8_t)c->logs.level,
        .loops = c->server.loops,
        .event_ring = c->logs.event_ring,
        .log_buffer = c->logs.buffer_bytes,
        .connections = l->connections,
        .header_count = l->header_count,
        .request_line = (uint32_t)l->request_line_bytes,
        .header_bytes = (uint32_t)l->headers_bytes,
        .decode_ratio = l->decode_ratio,
        .connection_requests = l->requests,
        .body = l->body_bytes,
        .decoded_body = l->decoded_body_bytes,
        .arena = l->arena_bytes,
        .header_time_ns = l->header_time_ns,
        .idle_time_ns = l->idle_time_ns,
        .write_stall_ns = l->write_stall_ns,
        .body_rate = l->body_rate_bytes_per_s,
        .body_rate_after_ns = l->body_rate_after_ns,
        .output = l->output_bytes,
        .inputs = l->inputs,
        .outputs = l->outputs,
        .parameters = l->parameters,
        .rank = l->rank,
        .name_length = (uint32_t)l->name_length_bytes,
        .json_depth = l->json_depth,
        .json_number = (uint32_t)l->json_number_bytes,
        .request_timeout_max_ns = c->admission.request_timeout_max_ns,
        .body_waiting_max = (uint64_t)(c->admission.body_share * (double)c->memory.limit_bytes),
        .drain_idle_ns = c->drain.idle_ns,
    };
    copy_text(s->server_name, sizeof s->server_name, c->server.name);
    copy_text(s->node_name, sizeof s->node_name, c->site.replica);
    copy_text(s->environment, sizeof s->environment, c->site.environment);
}

static void on_again(void *arg)
{
    front_start(arg);
}

err front_prepare(struct front *fr, struct keeper *k, enum role role, struct fault *f)
{
    const bool data = role == ROLE_DATA_FRONT;
    const struct config_listener *from = data ? &k->cfg->listeners.data : &k->cfg->listeners.ops;
    struct front_settings s;
    *fr = (struct front){.k = k, .role = role, .settings = -1};
    fr->loops = data ? k->cfg->server.loops : 1;
    fr->listeners = calloc((size_t)fr->loops * CONFIG_ADDRESSES_MAX, sizeof *fr->listeners);
    if (!fr->listeners)
        return fail(f, ERR_UNAVAILABLE, "no memory for listeners");
    err e = timer_init(&fr->again, k->loop, on_again, fr, f);
    for (uint32_t i = 0; e == OK && i < from->addresses.count; i++)
        e = listen_on(fr, &from->addresses.at[i], f);
    settings_of(k, &s);
    return e == OK ? settings_make(&s, sizeof s, &fr->settings, f) : e;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void on_up(void *arg)
{
    struct front *fr = arg;
    struct keeper *k = fr->k;
    fr->up = true;
    backoff_up(&fr->backoff, clock_ns());
    if (fr->role == ROLE_DATA_FRONT)
        for (uint32_t i = 0; i < k->model_count; i++)
            model_lanes_offer(&k->models[i]);
    publish_to(k, fr);
    drain_front_up(k, fr);
    keeper_look(k);
}

static void on_lane_fault(struct keeper *k, struct child *c, const struct link_message *m)
{
    struct message_lane_fault fault;
    struct fault f = {0};
    if (message_get_lane_fault(m->payload, &fault, &f) != OK || fault.reason >= LANE_FAULT_COUNT) {
        child_kill(c, KILL_BREACH, f.code != OK ? f.text : "lane_fault without a known reason");
        return;
    }
    struct model *model = model_of_worker(k, fault.worker);
    char text[257];
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(fault.text));
    if (!model)
        return; /* it has died meanwhile */
    if (fault.reason == LANE_FAULT_RULE) {
        model->violations++;
        gauges_violation(k->gauges, model);
    }
    child_kill(model->child, fault.reason == LANE_FAULT_RULE ? KILL_FAULT : KILL_DEADLINE, text);
}

static void on_serving(struct front *fr, const struct link_message *m)
{
    struct message_serving s;
    struct fault f = {0};
    if (message_get_serving(m->payload, &s, &f) != OK) {
        child_kill(fr->child, KILL_BREACH, f.text);
        return;
    }
    char text[257];
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(s.text));
    journal_write(fr->k->cfg,
                  &(struct journal_event){
                      .level = s.row == OK ? JOURNAL_DEBUG : JOURNAL_ERROR,
                      .message = s.row == OK ? "snapshot serves" : "snapshot was not taken",
                      .process = name_of(fr),
                      .pid = child_pid(fr->child),
                      JOURNAL_ARGS({"generation", NULL, s.generation}, {"text", text, 0})});
}

static void on_message(void *arg, const struct link_message *m)
{
    struct front *fr = arg;
    struct fault f = {0};
    switch (m->frame.number) {
    case MESSAGE_serving:
        on_serving(fr, m);
        return;
    case MESSAGE_lane_fault:
        on_lane_fault(fr->k, fr->child, m);
        return;
    case MESSAGE_front_drained:
        if (message_get_front_drained(m->payload, &fr->cut, &f) != OK) {
            child_kill(fr->child, KILL_BREACH, f.text);
            return;
        }
        fr->drained = true;
        drain_look(fr->k);
        return;
    default:
        if (m->frame.number >= MESSAGE_ADMIN)
            admin_of_front(fr->k, m);
        return;
    }
}

static void on_gone(void *arg, int status, enum child_kill why, const char *text)
{
    struct front *fr = arg;
    struct keeper *k = fr->k;
    const pid_t pid = child_pid(fr->child);
    (void)why;
    gauges_front_gone(k->gauges, fr, child_usage(fr->child));
    fr->child = NULL;
    fr->up = false;
    if (fr->role == ROLE_DATA_FRONT)
        models_front_lost(k, fr->generation);
    if (fr->ending) {
        drain_look(k);
        return;
    }
    fr->restarts++;
    /* The first death after a time of health is answered at once: half a second is all that a
     * client should see of it. */
    uint64_t wait = backoff_died(&fr->backoff, clock_ns(), keeper_chance());
    wait = fr->backoff.deaths <= 1 ? 0 : wait;
    journal_write(k->cfg, &(struct journal_event){
                              .level = JOURNAL_ERROR,
                              .message = "a front has died; it is started again",
                              .process = name_of(fr),
                              .pid = pid,
                              .end = true,
                              JOURNAL_ARGS({"why", text, 0},
                                           {"wait_status", NULL, (uint64_t)(unsigned)status},
                                           {"again_in_ms", NULL, wait / NS_PER_MS})});
    journal_say("%s has ended: %s; it is started again in %" PRIu64 " ms", name_of(fr), text,
                (uint64_t)(wait / NS_PER_MS));
    timer_set(&fr->again, wait);
    drain_look(k);
}

static uint32_t inherit(struct front *fr, struct child_fd *fds)
{
    struct keeper *k = fr->k;
    uint32_t n = 0;
    fds[n++] = (struct child_fd){.fd = fr->settings, .what = FD_SETTINGS, .name = ""};
    n += gauges_inherit(k->gauges, &fds[n]);
    for (uint32_t i = 0; i < fr->loops && fr->role == ROLE_DATA_FRONT; i++)
        fds[n++] = (struct child_fd){
            .fd = k->wake[i], .what = FD_WAKE_LOOP, .loop = (uint8_t)i, .name = ""};
    for (uint32_t i = 0; i < fr->listener_count; i++)
        fds[n++] = (struct child_fd){.fd = fr->listeners[i].fd,
                                     .what = FD_LISTENER,
                                     .loop = fr->listeners[i].loop,
                                     .name = fr->address[fr->listeners[i].address]};
    return n;
}

void front_start(struct front *fr)
{
    struct keeper *k = fr->k;
    struct fault f = {0};
    if (fr->ending || fr->child)
        return;
    SCOPED(free_undo)
    struct child_fd *fds = calloc(KEEPER_LISTENERS_MAX + LANES_LOOPS_MAX + 8, sizeof *fds);
    const uint32_t count = fds ? inherit(fr, fds) : 0;
    const struct child_opts opts = {.role = fr->role,
                                    .exe = k->exe_self,
                                    .out = STDOUT_FILENO,
                                    .err = STDERR_FILENO,
                                    .loops = fr->loops,
                                    .silence_ns = FRONT_SILENCE_NS,
                                    .fds = fds,
                                    .fd_count = count,
                                    .arg = fr,
                                    .on_up = on_up,
                                    .on_message = on_message,
                                    .on_exit = on_gone};
    fr->generation++;
    fr->drained = false;
    err e = fds ? child_start(k->children, &opts, &fr->child, &f)
                : fail(&f, ERR_UNAVAILABLE, "no memory for a front");
    if (e == OK)
        return;
    fr->child = NULL;
    journal_write(k->cfg, &(struct journal_event){.level = JOURNAL_ERROR,
                                                  .message = "a front could not be started",
                                                  .process = name_of(fr),
                                                  JOURNAL_ARGS({"why", f.text, 0})});
    journal_say("%s could not be started: %s; it is tried again", name_of(fr), f.text);
    timer_set(&fr->again, backoff_died(&fr->backoff, clock_ns(), keeper_chance()));
}

void front_send(struct front *fr, uint16_t number, str payload)
{
    if (fr->child && fr->up)
        child_send(fr->child, &(struct link_send){.number = number}, payload);
}

void front_close_listeners(struct front *fr)
{
    for (uint32_t i = 0; i < fr->listener_count; i++)
        (void)close(fr->listeners[i].fd);
    fr->listener_count = 0;
}

void front_free(struct front *fr)
{
    front_close_listeners(fr);
    timer_close(&fr->again);
    free(fr->listeners);
    fr->listeners = NULL;
    if (fr->settings > 0)
        (void)close(fr->settings);
}
