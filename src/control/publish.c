/* Snapshots: what is live, told to the fronts. Every change of a model's state makes a new one. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/scope.h"
#include "control/gauges.h"
#include "control/parts.h"

static void version_of(const struct model *m, struct snapshot_version *v)
{
    const struct config_settings *s = &m->cfg->s;
    *v = (struct snapshot_version){
        .version = m->cfg->version,
        .is_unsigned = true,
        .state = model_state_shown(&m->state),
        .worker = m->state.phase == MODEL_READY ? m->worker : SNAPSHOT_NO_WORKER,
        .reason = str_of(m->state.text),
        .cells = m->cells,
        .instances = s->instances,
        .queue = s->queue,
        .request_timeout_ns = s->request_timeout_ns,
        .slo_ns = s->slo_latency_ns,
        .lane_bytes = s->lane_bytes,
        .lane_reply_bytes = s->lane_reply_bytes,
        .deployed_us = m->deployed_us,
    };
    memcpy(v->digest, m->digest, sizeof v->digest);
    if (!m->loaded)
        return;
    v->sig = m->loaded->sig;
    v->batches = m->loaded->batches;
    memcpy(v->run_ns, m->loaded->run_ns, sizeof v->run_ns);
}

static err encode(struct keeper *k, void **ret_bytes, uint64_t *ret_len, struct fault *f)
{
    static const struct snapshot_arm whole = {.version = 0, .weight = SNAPSHOT_WEIGHT_ONE};
    SCOPED(free_undo)
    struct snapshot_version *versions = calloc(k->model_count + 1, sizeof *versions);
    SCOPED(free_undo)
    struct snapshot_model *models = calloc(k->model_count + 1, sizeof *models);
    if (!versions || !models)
        return fail(f, ERR_UNAVAILABLE, "no memory for a snapshot");
    for (uint32_t i = 0; i < k->model_count; i++) {
        version_of(&k->models[i], &versions[i]);
        models[i] = (struct snapshot_model){.name = k->models[i].cfg->name,
                                            .versions = &versions[i],
                                            .version_count = 1,
                                            .arms = &whole,
                                            .arm_count = 1};
    }
    const struct snapshot s = {
        .generation = k->generation + 1, .models = models, .model_count = k->model_count};
    return snapshot_encode(&s, ret_bytes, ret_len, f);
}

static err make(struct keeper *k, struct fault *f)
{
    SCOPED(free_undo)
    void *bytes = NULL;
    SCOPED(fd_undo)
    int fd = -1;
    uint64_t len = 0;
    err e = encode(k, &bytes, &len, f);
    if (e == OK)
        e = memfd_new("snapshot", len, &fd, f);
    if (e == OK)
        e = memfd_write(fd, 0, bytes, len, f);
    if (e == OK)
        e = memfd_seal(fd, f);
    if (e != OK)
        return e;
    fd_undo(&k->snapshot);
    k->snapshot = fd_give(&fd);
    k->snapshot_bytes = len;
    k->generation++;
    return OK;
}

void publish_to(struct keeper *k, struct front *fr)
{
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_snapshot m = {.generation = k->generation, .bytes = k->snapshot_bytes};
    if (!fr->child || !fr->up || k->snapshot < 0 || message_put_snapshot(&m, &b, NULL) != OK)
        return;
    child_send(fr->child,
               &(struct link_send){.number = MESSAGE_snapshot, .fds = 1, .fd = &k->snapshot},
               (str){(const char *)b.at, b.len});
}

void publish(struct keeper *k)
{
    struct fault f = {0};
    gauges_models(k->gauges, k);
    if (make(k, &f) != OK) {
        journal_write(k->cfg, &(struct journal_event){.level = JOURNAL_ERROR,
                                                      .message = "no snapshot could be made",
                                                      JOURNAL_ARGS({"why", f.text, 0})});
        return;
    }
    publish_to(k, &k->data);
    publish_to(k, &k->ops);
}
