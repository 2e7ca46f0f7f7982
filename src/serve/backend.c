/* Queue and lane of one version on one loop. The one complication: a lane must stay mapped while a
 * reply is written out of one of its extents, also when its worker is long gone; so the lane hangs
 * on a counted hold. */
#include "serve/backend.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "serve/call.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/infer.h"

#define OVERDUE_NS (1 * NS_PER_S)    /* a run that was told to end has this long */
#define QUIET_NS   (200 * NS_PER_US) /* a sent request waits no longer for its neighbours */
#define AHEAD_NS   (500 * NS_PER_US) /* work in the lane ahead of a worker, where runs are short */
#define AHEAD_MAX  64u

/* Holds -----------------------------------------------------------------------------------------
 */

void lane_hold_drop(struct lane_hold *hold)
{
    if (--hold->refs > 0)
        return;
    lane_close(hold->lane);
    snapshot_drop(hold->snapshot);
    (void)close(hold->wake);
    free(hold->flights);
    free(hold);
}

void lane_hold_release(struct lane_hold *hold, uint32_t slot)
{
    lane_release(hold->lane, slot);
    lane_hold_drop(hold);
}

/* Requests that may be in the lane of one loop: two batches a worker, shared by the loops. */
static uint32_t credits(const struct backend *b, const struct snapshot_version *v)
{
    const uint64_t rows = v->batches && v->sig.max_batch_size ? v->sig.max_batch_size : 1;
    const uint64_t loops = b->owner->front->loop_count;
    const uint64_t all = 2 * rows * v->instances;
    const uint64_t each = (all + loops - 1) / loops;
    if (each < 2)
        return 2;
    return each > LANE_SLOTS_MAX ? LANE_SLOTS_MAX : (uint32_t)each;
}

/* Of the lane's slots, how many may be in use now. Where two batches are done before the loop has
 * turned once, the worker would sleep and be woken for each: then as many as run in AHEAD_NS. */
static uint32_t ahead(const struct backend *b)
{
    const uint32_t least = credits(b, b->version);
    if (b->admit.runs < ADMIT_RUNS_KNOWN)
        return least;
    const double runs = (double)AHEAD_NS / (b->admit.run_ns + 1.0) / b->owner->front->loop_count;
    const uint32_t many = runs < AHEAD_MAX ? (uint32_t)runs : AHEAD_MAX;
    return many > least ? many : least;
}

static err hold_new(struct backend *b, struct routing *routing, const struct snapshot_version *v,
                    const struct lane_offer *offer, struct lane_hold **ret, struct fault *f)
{
    struct lane_hold *hold = calloc(1, sizeof(*hold));
    if (!hold)
        return fail(f, ERR_UNAVAILABLE, "no memory for a lane");
    const uint32_t least = credits(b, v);
    hold->slots = least > AHEAD_MAX ? least : AHEAD_MAX;
    hold->worker = offer->worker;
    hold->generation = offer->generation;
    hold->refs = 1;
    hold->flights = calloc(hold->slots, sizeof(*hold->flights));
    const struct lane_opts opts = {
        .memfd = offer->memfd,
        .bytes = offer->bytes,
        .generation = offer->generation,
        .worker_wake = offer->wake,
        .sig = &v->sig,
        .slots = hold->slots,
    };
    const err e = hold->flights ? lane_open(&opts, &hold->lane, f)
                                : fail(f, ERR_UNAVAILABLE, "no memory for a lane");
    if (e != OK) {
        free(hold->flights);
        free(hold);
        return e;
    }
    hold->snapshot = snapshot_take(routing->snapshot);
    hold->wake = offer->wake;
    *ret = hold;
    return OK;
}

/* Life ------------------------------------------------------------------------------------------
 */

err backend_new(struct front_loop *owner, const struct snapshot_model *model,
                const struct snapshot_version *version, struct backend **ret, struct fault *f)
{
    struct backend *b = calloc(1, sizeof(*b));
    if (!b)
        return fail(f, ERR_UNAVAILABLE, "no memory for a model");
    b->owner = owner;
    b->refs = 1;
    b->version = version;
    admit_init(&b->admit, version->run_ns[0]);
    const err e = front_share(owner->front, model, version, &b->shared, f);
    if (e != OK) {
        free(b);
        return e;
    }
    *ret = b;
    return OK;
}

void backend_release(struct backend *b)
{
    if (--b->refs > 0)
        return;
    must(!b->first);
    if (b->hold) {
        front_loop_inactive(b->owner, b);
        lane_hold_drop(b->hold);
    }
    front_unshare(b->owner->front, b->shared);
    free(b);
}

static void fail_waiting(struct backend *b)
{
    while (b->first) {
        struct call *c = b->first;
        backend_remove(b, c);
        (void)!call_not_ready(c, b->version);
        call_fail(c);
    }
}

static void lose(struct backend *b)
{
    struct lane_hold *hold = b->hold;
    b->hold = NULL;
    front_loop_inactive(b->owner, b);
    for (uint32_t i = 0; i < hold->slots; i++) {
        struct call *c = hold->flights[i].call;
        if (hold->flights[i].sent_ns == 0)
            continue;
        hold->flights[i] = (struct flight){0};
        (void)atomic_fetch_sub_explicit(&b->shared->in_flight, 1, memory_order_relaxed);
        if (!c)
            continue;
        c->hold = NULL;
        call_fail_pair(c, PAIR_SERVER_ERROR_WORKER_DIED,
                       "the model's worker ended while it ran this request; it may be repeated");
    }
    hold->in_flight = 0;
    lane_hold_drop(hold);
}

void backend_update(struct backend *b, struct routing *routing,
                    const struct snapshot_version *version)
{
    const uint64_t known = b->version->run_ns[0];
    b->version = version;
    if (known == 0 && b->admit.runs == 0)
        admit_init(&b->admit, version->run_ns[0]);
    if (version_state_over(version->state))
        fail_waiting(b);
    if (version->worker == SNAPSHOT_NO_WORKER || (b->hold && b->hold->worker == version->worker))
        return;
    struct lane_offer *offer = front_loop_offer(b->owner, version->worker);
    if (!offer)
        return;
    struct fault f = {0};
    struct lane_hold *hold = NULL;
    if (hold_new(b, routing, version, offer, &hold, &f) == OK) {
        if (b->hold)
            lose(b);
        b->hold = hold;
        b->faults = 0;
        offer->wake = -1;
    } else {
        front_lane_fault(b->owner, version->worker, offer->generation, LANE_FAULT_RULE, f.text);
    }
    front_loop_offer_drop(b->owner, offer);
    if (b->hold)
        backend_dispatch(b);
}

void backend_lane_lost(struct backend *b, uint32_t worker, uint32_t generation)
{
    if (b->hold && b->hold->worker == worker && b->hold->generation == generation)
        lose(b);
}

/* Queue -----------------------------------------------------------------------------------------
 */

void backend_push(struct backend *b, struct call *c)
{
    c->prev = b->last;
    c->next = NULL;
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    b->last = c;
    b->waiting++;
    (void)atomic_fetch_add_explicit(&b->shared->waiting, 1, memory_order_relaxed);
    c->state = CALL_QUEUED;
}

void backend_remove(struct backend *b, struct call *c)
{
    must(c->state == CALL_QUEUED);
    if (c->prev)
        c->prev->next = c->next;
    else
        b->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        b->last = c->prev;
    c->prev = NULL;
    c->next = NULL;
    b->waiting--;
    (void)atomic_fetch_sub_explicit(&b->shared->waiting, 1, memory_order_relaxed);
    c->state = CALL_BODY;
}

uint32_t backend_all_waiting(const struct backend *b)
{
    return atomic_load_explicit(&b->shared->waiting, memory_order_relaxed);
}

void backend_dispatch(struct backend *b)
{
    if (b->dispatching)
        return; /* an answer below may bring the next request of the same connection here */
    b->dispatching = true;
    b->refs++; /* an answer below may drop the last routing that names it */
    while (b->first && b->hold && b->hold->in_flight < ahead(b) &&
           lane_free_slots(b->hold->lane) > 0) {
        struct call *c = b->first;
        backend_remove(b, c);
        const enum infer_sent sent = infer_send(c, b->hold);
        if (sent == INFER_WAIT) {
            c->next = b->first; /* back to the head: nobody overtakes */
            c->prev = NULL;
            if (b->first)
                b->first->prev = c;
            else
                b->last = c;
            b->first = c;
            b->waiting++;
            (void)atomic_fetch_add_explicit(&b->shared->waiting, 1, memory_order_relaxed);
            c->state = CALL_QUEUED;
            break;
        }
        if (sent == INFER_SENT) {
            (void)atomic_fetch_add_explicit(&b->shared->in_flight, 1, memory_order_relaxed);
            front_loop_active(b->owner, b);
            if (b->hold->quiet_ns == 0)
                b->hold->quiet_ns = c->sent_ns;
            else if (c->sent_ns - b->hold->quiet_ns > QUIET_NS)
                backend_kick(b);
        }
    }
    b->dispatching = false;
    backend_release(b);
}

/* Lane ------------------------------------------------------------------------------------------
 */

void backend_kick(struct backend *b)
{
    if (!b->hold || b->hold->quiet_ns == 0)
        return;
    b->hold->quiet_ns = 0;
    lane_kick(b->hold->lane);
}

static void landed(struct backend *b, struct lane_hold *hold, const struct lane_done *done)
{
    struct flight *flight = &hold->flights[done->slot];
    struct call *c = flight->call;
    must(flight->sent_ns != 0);
    *flight = (struct flight){0};
    hold->in_flight--;
    (void)atomic_fetch_sub_explicit(&b->shared->in_flight, 1, memory_order_relaxed);
    if (done->status == LANE_OK)
        admit_ran(&b->admit, done->input_ns + done->compute_ns + done->output_ns,
                  done->batch_requests);
    if (c)
        infer_landed(c, done);
    else
        lane_release(hold->lane, done->slot);
}

void backend_reap(struct backend *b)
{
    struct lane_hold *hold = b->hold;
    struct fault f = {0};
    struct lane_done done;
    if (!hold)
        return;
    hold->refs++;
    b->refs++;
    err e = OK;
    while (b->hold == hold && (e = lane_reap(hold->lane, &done, &f)) == OK)
        landed(b, hold, &done);
    const bool same = b->hold == hold;
    if (same && e == ERR_ENGINE) {
        front_lane_fault(b->owner, hold->worker, hold->generation, LANE_FAULT_RULE, f.text);
        lose(b);
    }
    lane_hold_drop(hold);
    if (b->hold && b->hold->in_flight == 0)
        front_loop_inactive(b->owner, b);
    backend_dispatch(b);
    backend_release(b);
}

void backend_orphan(struct backend *b, struct lane_hold *hold, uint32_t slot)
{
    struct flight *flight = &hold->flights[slot];
    flight->call = NULL;
    flight->end_ns = clock_ns() + OVERDUE_NS;
    lane_cancel(hold->lane, slot);
    (void)b;
}
