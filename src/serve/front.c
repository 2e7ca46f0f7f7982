/* A front process from its first message to its last. The main thread runs loop 0, which also has
 * the link to the keeper; a snapshot or a lane that arrives there is posted to the loop it belongs
 * to. */
#include "serve/front.h"

#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include "base/memfd.h"
#include "base/scope.h"
#include "serve/http.h"

/* Shared counters -------------------------------------------------------------------------------
 */

static bool shared_is(const struct backend_shared *s, const struct snapshot_model *model,
                      const struct snapshot_version *version)
{
    return str_eq(str_of(s->model), model->name) && str_eq(str_of(s->version), version->version) &&
           memcmp(s->digest, version->digest, sizeof(s->digest)) == 0;
}

err front_share(struct front *front, const struct snapshot_model *model,
                const struct snapshot_version *version, struct backend_shared **ret,
                struct fault *f)
{
    (void)pthread_mutex_lock(&front->lock);
    struct backend_shared *s = front->shared;
    while (s && !shared_is(s, model, version))
        s = s->next;
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (s && model->name.len < sizeof(s->model) && version->version.len < sizeof(s->version)) {
            memcpy(s->model, model->name.at, model->name.len);
            memcpy(s->version, version->version.at, version->version.len);
            memcpy(s->digest, version->digest, sizeof(s->digest));
            s->next = front->shared;
            front->shared = s;
        } else {
            free(s);
            s = NULL;
        }
    }
    if (s)
        s->refs++;
    (void)pthread_mutex_unlock(&front->lock);
    if (!s)
        return fail(f, ERR_UNAVAILABLE, "no memory for a model");
    *ret = s;
    return OK;
}

void front_unshare(struct front *front, struct backend_shared *shared)
{
    (void)pthread_mutex_lock(&front->lock);
    if (--shared->refs == 0) {
        struct backend_shared **at = &front->shared;
        while (*at != shared)
            at = &(*at)->next;
        *at = shared->next;
        free(shared);
    }
    (void)pthread_mutex_unlock(&front->lock);
}

/* To the loops ----------------------------------------------------------------------------------
 */

/* One thing for one loop, carried by loop_post. */
struct parcel {
    struct front_loop *to;
    const struct snapshot *snapshot;
    uint64_t generation;
    struct lane_offer *offer;
    uint32_t worker, lane_generation;
    uint8_t loop, reason;
    bool closing;
    char text[FAULT_TEXT_BYTES];
};

static struct parcel *parcel_new(struct front_loop *to) /* NULL: no memory */
{
    struct parcel *p = calloc(1, sizeof(*p));
    if (p)
        p->to = to;
    return p;
}

/* Without memory for a parcel a loop would go on with a stale view for ever: the process ends and
 * the keeper starts another. */
static void post(struct front_loop *l, void (*fn)(void *arg), struct parcel *p)
{
    if (!p || loop_post(l->loop, fn, p, NULL) != OK)
        _exit(err_exit(ERR_UNAVAILABLE));
}

static void say_serving(void *arg)
{
    struct parcel *p = arg;
    struct front *front = p->to->front;
    const struct message_serving m = {.what = 0, .generation = p->generation};
    FRONT_TELL(front, serving, 0, &m);
    free(p);
}

static void take_snapshot(void *arg)
{
    struct parcel *p = arg;
    struct front_loop *l = p->to;
    struct front *front = l->front;
    front_loop_route(l, p->snapshot);
    if (l->index + 1 < front->loop_count) { /* handed on, so that the last one speaks for all */
        p->to = &front->loops[l->index + 1];
        p->snapshot = snapshot_take(l->routing->snapshot);
        post(p->to, take_snapshot, p);
        return;
    }
    p->to = &front->loops[0];
    post(p->to, say_serving, p);
}

static void take_offer(void *arg)
{
    struct parcel *p = arg;
    p->offer->next = p->to->offers;
    p->to->offers = p->offer;
    free(p);
}

static void take_drop(void *arg)
{
    struct parcel *p = arg;
    front_loop_lane_lost(p->to, p->worker, p->lane_generation);
    free(p);
}

static void take_drain(void *arg)
{
    struct parcel *p = arg;
    front_loop_drain(p->to, p->closing);
    free(p);
}

/* From the keeper -------------------------------------------------------------------------------
 */

void front_on_snapshot(struct front *front, const struct link_message *m)
{
    struct message_snapshot in = {0};
    struct fault f = {0};
    void *bytes = NULL;
    const struct snapshot *s = NULL;
    err e = message_get_snapshot(m->payload, &in, &f);
    if (e == OK)
        e = memfd_check(m->fds[0], in.bytes, true, &f);
    if (e == OK)
        e = memfd_map(m->fds[0], in.bytes, false, &bytes, &f);
    if (e == OK)
        e = snapshot_decode(bytes, in.bytes, &s, &f);
    memfd_unmap(bytes, in.bytes);
    if (e != OK) {
        const struct message_serving no = {
            .generation = in.generation, .row = (uint8_t)e, .text = str_of(f.text)};
        FRONT_TELL(front, serving, 0, &no);
        return;
    }
    struct parcel *p = parcel_new(&front->loops[0]);
    if (p) {
        p->snapshot = s;
        p->generation = in.generation;
    }
    post(&front->loops[0], take_snapshot, p);
}

void front_on_lane(struct front *front, const struct link_message *m)
{
    struct message_lane in;
    if (message_get_lane(m->payload, &in, NULL) != OK || in.loop >= front->loop_count)
        return;
    struct front_loop *l = &front->loops[in.loop];
    struct lane_offer *offer = calloc(1, sizeof(*offer));
    struct parcel *p = parcel_new(l);
    if (!offer || !p)
        _exit(err_exit(ERR_UNAVAILABLE));
    *offer = (struct lane_offer){.worker = in.worker,
                                 .generation = in.generation,
                                 .bytes = in.bytes,
                                 .memfd = fd_give(&m->fds[0]),
                                 .wake = fd_give(&m->fds[1])};
    p->offer = offer;
    post(l, take_offer, p);
}

void front_on_lane_drop(struct front *front, const struct link_message *m)
{
    struct message_lane_drop in;
    if (message_get_lane_drop(m->payload, &in, NULL) != OK || in.loop >= front->loop_count)
        return;
    struct parcel *p = parcel_new(&front->loops[in.loop]);
    if (p) {
        p->worker = in.worker;
        p->lane_generation = in.generation;
    }
    post(&front->loops[in.loop], take_drop, p);
}

void front_drain_loops(struct front *front, bool closing)
{
    for (uint32_t i = 0; i < front->loop_count; i++) {
        struct parcel *p = parcel_new(&front->loops[i]);
        if (p)
            p->closing = closing;
        post(&front->loops[i], take_drain, p);
    }
}

static void take_cut(void *arg)
{
    struct parcel *p = arg;
    front_loop_cut(p->to);
    free(p);
}

void front_cut_loops(struct front *front)
{
    for (uint32_t i = 0; i < front->loop_count; i++)
        post(&front->loops[i], take_cut, parcel_new(&front->loops[i]));
}

bool front_started(const struct routing *r)
{
    if (!r)
        return false;
    for (uint32_t i = 0; i < r->backend_count; i++) {
        if (r->backends[i]->version->state == VERSION_LOADING)
            return false;
    }
    return true;
}

bool front_ready(const struct front *front, const struct routing *r)
{
    if (!r || atomic_load(&front->draining))
        return false;
    if (r->backend_count == 0)
        return true;
    for (uint32_t i = 0; i < r->backend_count; i++) {
        if (r->backends[i]->version->state == VERSION_READY)
            return true;
    }
    return false;
}

static void say_lane_fault(void *arg)
{
    struct parcel *p = arg;
    const struct message_lane_fault m = {.worker = p->worker,
                                         .loop = p->loop,
                                         .generation = p->lane_generation,
                                         .reason = p->reason,
                                         .text = str_of(p->text)};
    FRONT_TELL(p->to->front, lane_fault, 0, &m);
    free(p);
}

void front_lane_fault(struct front_loop *l, uint32_t worker, uint32_t generation,
                      enum lane_fault reason, const char *text)
{
    struct front_loop *first = &l->front->loops[0];
    struct parcel *p = parcel_new(first);
    if (p) {
        p->worker = worker;
        p->lane_generation = generation;
        p->loop = (uint8_t)l->index;
        p->reason = (uint8_t)reason;
        (void)snprintf(p->text, sizeof(p->text), "%s", text);
    }
    post(first, say_lane_fault, p);
}
