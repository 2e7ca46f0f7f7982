/* Inference from a whole body to a reply. The one complication: elements are converted straight
 * into the extent of the lane, so a value that breaks its type is found only when the request
 * leaves the queue, after admission. */
#include "serve/infer.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/num.h"
#include "serve/account.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/handler.h"

#define TIMEOUT_MS_MAX  3600000u
#define BODY_SLOW_BYTES 65536u /* what was sent before is not to wait for the reading of more */

/* Admission -------------------------------------------------------------------------------------
 */

static err in_service(struct call *c)
{
    const struct snapshot_version *v = c->target.version;
    if (c->owner->closing)
        return fail_pair(&c->fault, PAIR_REJECTED_DRAINING, "the server is shutting down");
    return v->state == VERSION_READY && c->target.backend->hold ? OK : call_not_ready(c, v);
}

err infer_early(struct call *c)
{
    const err e = in_service(c);
    if (e != OK)
        return e;
    if (backend_all_waiting(c->target.backend) >= c->target.version->queue)
        return fail_pair(&c->fault, PAIR_REJECTED_QUEUE_FULL, "Exceeds maximum queue size");
    return OK;
}

/* The earliest of what the caller and the configuration say, from the first byte on. */
static err set_deadline(struct call *c)
{
    uint64_t ns = 0;
    str value;
    if (request_field(c->head, STR("x-request-timeout-ms"), &value)) {
        uint64_t ms = 0;
        if (num_u64(value, TIMEOUT_MS_MAX, &ms, NULL) != OK || ms == 0)
            return fail(&c->fault, ERR_INPUT,
                        "x-request-timeout-ms is \"%.*s\", want a whole number from 1 to %u",
                        STR_ARG(str_cut(value, 0, 40)), TIMEOUT_MS_MAX);
        ns = ms * NS_PER_MS;
    }
    if (c->infer.timeout_us > 0) {
        const uint64_t most = UINT64_MAX / NS_PER_US;
        const uint64_t us = c->infer.timeout_us < most ? c->infer.timeout_us : most;
        if (ns == 0 || us * NS_PER_US < ns)
            ns = us * NS_PER_US;
    }
    if (ns == 0)
        ns = c->target.version->request_timeout_ns;
    const uint64_t most = c->owner->front->settings->request_timeout_max_ns;
    c->deadline_ns = c->first_ns + (ns < most ? ns : most);
    return OK;
}

static err admit(struct call *c)
{
    const struct snapshot_version *v = c->target.version;
    struct backend *b = c->target.backend;
    err e = in_service(c);
    if (e != OK)
        return e;
    const uint64_t now = clock_ns();
    if (now >= c->deadline_ns)
        return fail_pair(&c->fault, PAIR_TIMEOUT_QUEUED, "Request timeout expired");
    const struct admit_ask ask = {
        .left_ns = c->deadline_ns - now,
        .waiting = backend_all_waiting(b),
        .queue_max = v->queue,
        .instances = v->instances ? v->instances : 1,
    };
    e = admit_decide(&b->admit, &ask, &c->reply.retry_s, &c->fault);
    c->admitted_ns = now;
    return e;
}

static err read_body(struct call *c, struct oip_body *body)
{
    str value;
    *body = (struct oip_body){.bytes = STR("")}; /* never NULL: the reader counts from it */
    if (c->body_len > 0)
        body->bytes = (str){(const char *)c->body.at, c->body_len};
    if (request_field(c->head, STR("inference-header-content-length"), &value)) {
        body->has_header = true;
        if (num_u64(value, c->body_len, &body->json_len, NULL) != OK)
            return fail(&c->fault, ERR_INPUT,
                        "Inference-Header-Content-Length is \"%.*s\", want a whole number of at "
                        "most the body's %" PRIu64 " bytes",
                        STR_ARG(str_cut(value, 0, 40)), c->body_len);
    }
    return OK;
}

void serve_infer(struct call *c, const struct permit *permit)
{
    (void)permit;
    struct oip_body body;
    if (c->body_len > BODY_SLOW_BYTES)
        front_loop_kick(c->owner);
    err e = in_service(c); /* a version that was never loaded has no signature to read by */
    if (e == OK)
        e = read_body(c, &body);
    if (e == OK)
        e = oip_index(&body, &c->target.version->sig, &c->owner->front->limits, &c->arena,
                      &c->infer, &c->fault);
    if (e == OK)
        e = set_deadline(c);
    c->parsed_ns = clock_ns();
    if (e == OK)
        e = admit(c);
    if (e != OK) {
        call_fail(c);
        return;
    }
    front_loop_deadline(c->owner, c->deadline_ns);
    backend_push(c->target.backend, c);
    backend_dispatch(c->target.backend);
}

/* Sending ---------------------------------------------------------------------------------------
 */

static uint64_t wanted(const struct call *c)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < c->infer.output_count; i++)
        mask |= 1ull << c->infer.outputs[i].index;
    return mask;
}

/* Room for all wanted outputs, each on its own 64-byte line. */
static uint64_t reply_room(const struct call *c, uint64_t mask, const struct shape *shapes)
{
    const struct snapshot_version *v = c->target.version;
    uint64_t room = 0;
    bool open = false;
    for (uint32_t i = 0; i < v->sig.output_count; i++) {
        uint64_t bytes = 0;
        if (!(mask >> i & 1))
            continue;
        if (signature_output_bytes(&v->sig, i, shapes, &bytes))
            room += (bytes + 63) & ~63ull;
        else
            open = true;
    }
    return open ? room + v->lane_reply_bytes : room;
}

static err fill(struct call *c, struct lane *lane, uint32_t slot)
{
    for (uint32_t i = 0; i < c->target.version->sig.input_count; i++) {
        const struct infer_input *in = &c->infer.inputs[i];
        uint64_t len = 0;
        if (in->source == INFER_ABSENT)
            continue;
        const err e =
            oip_fill(&c->infer, i, lane_input_at(lane, slot, i), in->bytes, &len, &c->fault);
        if (e != OK)
            return e;
        lane_input_set(lane, slot, i, &in->shape, len);
    }
    return OK;
}

/* The body is in the extent now; what the reply still needs of it moves to the arena. */
static err let_body_go(struct call *c)
{
    if (c->infer.id.len > 0) {
        const str id = arena_str(&c->arena, c->infer.id);
        if (!id.at)
            return fail(&c->fault, ERR_TOO_BIG, "the request's arena is spent");
        c->infer.id = id;
    }
    pool_give(&c->owner->pool, &c->body);
    return OK;
}

/* Computed once: a request may look for room many times before there is some. */
static err lane_need(struct call *c, uint64_t mask)
{
    const uint32_t count = c->target.version->sig.input_count;
    if (c->lane_bytes)
        return OK;
    uint64_t *bytes = arena_new(&c->arena, uint64_t, count);
    struct shape *shapes = arena_new(&c->arena, struct shape, count);
    if (!bytes || !shapes)
        return fail(&c->fault, ERR_TOO_BIG, "the request's arena is spent");
    for (uint32_t i = 0; i < count; i++) {
        const struct infer_input *in = &c->infer.inputs[i];
        bytes[i] = in->source == INFER_ABSENT ? UINT64_MAX : in->bytes;
        shapes[i] = in->shape;
    }
    c->lane_bytes = bytes;
    c->lane_room = reply_room(c, mask, shapes);
    return OK;
}

static err reserve(struct call *c, struct lane *lane, uint64_t mask, uint32_t *ret_slot)
{
    const err known = lane_need(c, mask);
    if (known != OK)
        return known;
    const err e = lane_reserve(lane, c->lane_bytes, c->lane_room, ret_slot, NULL);
    if (e == OK || e == ERR_BUSY) /* busy is no fault, and comes often */
        return e;
    return lane_reserve(lane, c->lane_bytes, c->lane_room, ret_slot, &c->fault); /* now say why */
}

enum infer_sent infer_send(struct call *c, struct lane_hold *hold)
{
    const uint64_t mask = wanted(c);
    uint32_t slot = 0;
    c->dispatched_ns = clock_ns();
    err e = reserve(c, hold->lane, mask, &slot);
    if (e == ERR_BUSY)
        return INFER_WAIT;
    if (e == OK) {
        e = fill(c, hold->lane, slot);
        if (e == OK)
            e = let_body_go(c);
        if (e != OK)
            lane_release(hold->lane, slot);
    }
    if (e != OK) {
        call_fail(c);
        return INFER_ENDED;
    }
    c->state = CALL_RUNNING;
    c->hold = hold;
    c->slot = slot;
    const struct lane_send_opts opts = {
        .deadline_ns = c->deadline_ns,
        .outputs = mask,
        .rows = (uint32_t)c->infer.rows,
        .alone = !c->target.version->batches,
        .quiet = true,
    };
    c->sent_ns = lane_send(hold->lane, slot, &opts);
    hold->flights[slot] =
        (struct flight){.call = c, .sent_ns = c->sent_ns, .rows = (uint32_t)c->infer.rows};
    hold->in_flight++;
    return INFER_SENT;
}

/* Landing ---------------------------------------------------------------------------------------
 */

static void keep_stages(struct call *c, const struct lane_done *done)
{
    const uint64_t total = c->reaped_ns - c->sent_ns;
    const uint64_t worker = done->input_ns + done->compute_ns + done->output_ns;
    c->stage_ns[STAGE_PARSE] = c->parsed_ns - c->first_ns;
    c->stage_ns[STAGE_GATE] = c->admitted_ns - c->parsed_ns;
    c->stage_ns[STAGE_QUEUE] =
        c->dispatched_ns - c->admitted_ns + (total > worker ? total - worker : 0);
    c->stage_ns[STAGE_INPUT] = c->sent_ns - c->dispatched_ns + done->input_ns;
    c->stage_ns[STAGE_COMPUTE] = done->compute_ns;
    c->stage_ns[STAGE_OUTPUT] = done->output_ns;
    c->batch_rows = done->batch_rows;
    c->batch_requests = done->batch_requests;
}

static err encode(struct call *c, const struct lane_done *done)
{
    struct view *views = arena_new(&c->arena, struct view, c->infer.output_count);
    if (!views)
        return fail(&c->fault, ERR_TOO_BIG, "the request's arena is spent");
    const uint64_t mask = wanted(c);
    for (uint32_t i = 0; i < c->infer.output_count; i++) {
        const uint64_t below = mask & ((1ull << c->infer.outputs[i].index) - 1);
        views[i] = done->views[__builtin_popcountll(below)];
    }
    const struct reply_ask ask = {
        .request = &c->infer,
        .outputs = views,
        .facts = {.model = c->target.model->name, .version = c->target.version->version},
        .opts = {.nonfinite_string = c->owner->front->settings->nonfinite_string},
    };
    struct reply_form form;
    const err e = oip_reply(&c->body_chain, &ask, &form, &c->fault);
    if (e != OK)
        return e;
    if (form.binary) {
        c->reply.type = "application/octet-stream";
        c->reply.has_json_len = true;
        c->reply.json_len = form.json_len;
    }
    return OK;
}

static err judge(struct call *c, const struct lane_done *done)
{
    switch (done->status) {
    case LANE_OK:
        return encode(c, done);
    case LANE_TERMINATED:
        return fail_pair(&c->fault, PAIR_TIMEOUT_RUNNING, "Request timeout expired");
    case LANE_REPLY_TOO_BIG:
        return fail_pair(&c->fault, PAIR_SERVER_ERROR_REPLY_TOO_BIG,
                         "the reply needs more room than lane_reply, %" PRIu64
                         " bytes; raise defaults.lane_reply or the model's own",
                         c->target.version->lane_reply_bytes);
    case LANE_OUTPUT_INVALID:
        return fail_pair(&c->fault, PAIR_SERVER_ERROR_OUTPUT_INVALID,
                         "the model gave an output that breaks its own signature");
    case LANE_ENGINE:
    case LANE_STATUS_COUNT:
        break;
    }
    return fail_pair(&c->fault, PAIR_SERVER_ERROR_ENGINE, "the model failed on this input");
}

void infer_landed(struct call *c, const struct lane_done *done)
{
    c->reaped_ns = done->reaped_ns;
    keep_stages(c, done);
    c->hold->refs++; /* until the reply is written: call_reset gives slot and hold back */
    c->state = CALL_REPLYING;
    if (done->status != LANE_OK && done->status != LANE_TERMINATED)
        account_run_failed(c, done->text);
    if (judge(c, done) != OK)
        call_fail(c);
    else
        call_answer(c);
}
