/* A server for test_keeper: the real keeper, with fronts that only speak its messages. What a front
 * hears it writes to stderr, a line a message, so that the test can wait for it.
 * usage: garrison CONFIG; the keeper starts it as garrison --role=data_front|ops_front */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/memfd.h"
#include "control/config_load.h"
#include "control/keeper.h"
#include "net/link.h"
#include "registry/snapshot.h"

struct fake {
    enum role role;
    struct loop *loop;
    struct link *link;
    struct timer beat;
    uint8_t bytes[4096];
};

static void tell(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void send(struct fake *f, uint16_t number, const struct message_buffer *b)
{
    (void)!link_send(f->link, &(struct link_send){.number = number},
                     (str){b ? (const char *)b->at : NULL, b ? b->len : 0}, NULL);
}

static void on_beat(void *arg)
{
    struct fake *f = arg;
    struct message_buffer b = {.at = f->bytes, .cap = sizeof f->bytes};
    const struct message_beat m = {.loops = UINT64_MAX, .anon_bytes = 4096, .cpu_ns = 1000};
    if (message_put_beat(&m, &b, NULL) == OK)
        send(f, MESSAGE_beat, &b);
    timer_set(&f->beat, NS_PER_S);
}

static void on_snapshot(struct fake *f, const struct link_message *m)
{
    struct message_snapshot in;
    const struct snapshot *s = NULL;
    void *at = NULL;
    char line[512];
    if (message_get_snapshot(m->payload, &in, NULL) != OK ||
        memfd_check(m->fds[0], in.bytes, true, NULL) != OK ||
        memfd_map(m->fds[0], in.bytes, false, &at, NULL) != OK ||
        snapshot_decode(at, in.bytes, &s, NULL) != OK)
        abort();
    for (uint32_t i = 0; i < s->model_count; i++) {
        const struct snapshot_version *v = &s->models[i].versions[0];
        (void)snprintf(line, sizeof line, "%s snapshot %.*s %s worker %d\n", role_name(f->role).at,
                       STR_ARG(s->models[i].name), version_state_name(v->state), (int)v->worker);
        tell(line);
    }
    snapshot_drop(s);
    memfd_unmap(at, in.bytes);
}

static void on_lane(const struct link_message *m)
{
    struct message_lane in;
    char line[128];
    if (message_get_lane(m->payload, &in, NULL) != OK ||
        memfd_check(m->fds[0], in.bytes, false, NULL) != OK)
        abort();
    (void)snprintf(line, sizeof line, "lane worker %u loop %u generation %u\n", in.worker, in.loop,
                   in.generation);
    tell(line);
}

static void on_drop(const struct link_message *m)
{
    struct message_lane_drop in;
    char line[128];
    if (message_get_lane_drop(m->payload, &in, NULL) != OK)
        abort();
    (void)snprintf(line, sizeof line, "lane_drop worker %u loop %u generation %u %s\n", in.worker,
                   in.loop, in.generation, exit_reason_name((enum exit_reason)in.reason).at);
    tell(line);
}

static void on_drain(struct fake *f, const struct link_message *m)
{
    struct message_front_drain in;
    char line[128];
    struct message_buffer b = {.at = f->bytes, .cap = sizeof f->bytes};
    const struct message_front_drained done = {.connections_cut = 0};
    if (message_get_front_drain(m->payload, &in, NULL) != OK)
        abort();
    (void)snprintf(line, sizeof line, "%s drain delay %s\n", role_name(f->role).at,
                   in.delay_ms ? "some" : "none");
    tell(line);
    if (in.delay_ms == 0 && message_put_front_drained(&done, &b, NULL) == OK)
        send(f, MESSAGE_front_drained, &b);
}

static void on_message(void *arg, const struct link_message *m)
{
    struct fake *f = arg;
    switch (m->frame.number) {
    case MESSAGE_start:
        send(f, MESSAGE_up, NULL);
        on_beat(f);
        return;
    case MESSAGE_snapshot:
        on_snapshot(f, m);
        return;
    case MESSAGE_lane:
        on_lane(m);
        return;
    case MESSAGE_lane_drop:
        on_drop(m);
        return;
    case MESSAGE_front_drain:
        on_drain(f, m);
        return;
    case MESSAGE_stop:
        loop_stop(f->loop);
        return;
    default:
        return;
    }
}

static void on_end(void *arg, err e, const char *why)
{
    (void)arg;
    (void)e;
    (void)why;
    _exit(0);
}

static int front(enum role role)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    struct fake *f = calloc(1, sizeof *f);
    struct message_buffer b = {.cap = sizeof f->bytes};
    const struct message_hello hello = {.build = {(const char *)build, sizeof build},
                                        .table = MESSAGE_TABLE,
                                        .role = (uint8_t)role};
    if (!f || loop_new(&f->loop, NULL) != OK)
        return 1;
    f->role = role;
    b.at = f->bytes;
    const struct link_opts opts = {.fd = MESSAGE_CONTROL_FD,
                                   .self = role,
                                   .peer = ROLE_KEEPER,
                                   .arg = f,
                                   .on_message = on_message,
                                   .on_end = on_end};
    if (link_new(f->loop, &opts, &f->link, NULL) != OK ||
        timer_init(&f->beat, f->loop, on_beat, f, NULL) != OK ||
        message_put_hello(&hello, &b, NULL) != OK)
        return 1;
    send(f, MESSAGE_hello, &b);
    loop_run(f->loop);
    _exit(0);
}

int main(int argc, char **argv)
{
    enum role role;
    struct config *cfg = NULL;
    struct config_report report = {0};
    struct fault f = {0};
    if (argc == 2 && strncmp(argv[1], "--role=", 7) == 0)
        return role_of_name(str_of(argv[1] + 7), &role) ? front(role) : 2;
    if (argc != 2)
        return 2;
    const struct config_flags flags = {.path = argv[1]};
    if (config_load(&flags, &cfg, &report, &f) != OK) {
        (void)fprintf(stderr, "config: %s\n", f.text);
        return 2;
    }
    const int status = keeper_run(cfg);
    config_free(cfg);
    config_report_free(&report);
    return status;
}
