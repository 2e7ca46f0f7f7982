/* The worker's end of a lane. The one complication: fronts come and go while runs go on, so a
 * generation is taken up with the first submission and ended by lane_end_drop; what a finished run
 * of an ended generation would say is said to nobody. */
#include "engine/lane_layout.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memfd.h"
#include "base/must.h"
#include "base/scope.h"

#define GONE_NONE UINT64_MAX

/* A request that was taken and not finished. */
struct run {
    bool running;
    uint64_t outputs; /* of the mask, still to come */
    uint32_t output_count;
    uint8_t *reply; /* struct lane_reply, rows, text, room */
    uint64_t room, used;
    struct view *inputs; /* made when the slot is first used, then kept */
    _Atomic(const _Atomic uint32_t *) cancelled;
};

struct lane_end {
    struct lane_map map;
    void *mapped; /* NULL: the mapping is the caller's */
    uint64_t bytes;
    int loop_wake;
    const struct signature *sig;
    bool adopted; /* generation is that of the present front */
    bool quiet;   /* finished without a wake since the last kick */
    uint32_t generation;
    _Atomic uint64_t gone; /* generation whose front is dead, or GONE_NONE */
    uint32_t taken, completed;
    uint32_t running;
    struct run run[LANE_SLOTS_MAX];
};

err lane_end_open_at(void *at, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                     struct fault *f)
{
    struct lane_map map;
    const err e = lane_map_of(at, bytes, &map, f);
    if (e != OK)
        return e;
    struct lane_end *end = calloc(1, sizeof(*end));
    if (!end)
        return fail(f, ERR_UNAVAILABLE, "no room for a lane's end");
    end->map = map;
    end->loop_wake = loop_wake;
    atomic_store_explicit(&end->gone, GONE_NONE, memory_order_relaxed);
    *ret_end = end;
    return OK;
}

err lane_end_open(int memfd, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                  struct fault *f)
{
    void *at = NULL;
    err e = memfd_check(memfd, bytes, false, f);
    if (e == OK)
        e = memfd_map(memfd, bytes, true, &at, f);
    if (e != OK)
        return e;
    struct lane_end *end = NULL;
    e = lane_end_open_at(at, bytes, loop_wake, &end, f);
    if (e != OK) {
        memfd_unmap(at, bytes);
        return e;
    }
    end->mapped = at;
    end->bytes = bytes;
    *ret_end = end;
    return OK;
}

void lane_end_close(struct lane_end *e)
{
    if (!e)
        return;
    memfd_unmap(e->mapped, e->bytes);
    for (uint32_t i = 0; i < LANE_SLOTS_MAX; i++)
        free(e->run[i].inputs);
    free(e);
}

void lane_end_signature(struct lane_end *e, const struct signature *sig)
{
    must(!e->sig && e->running == 0);
    e->sig = sig;
}

/* Checks one input's row (a private copy) against signature and extent. The contents of BOOL and
 * BYTES are the front's business; who reads them stays in bounds. */
static err check_input(const struct spec *spec, const struct lane_tensor *row, uint64_t end,
                       struct view *ret_view, struct fault *f)
{
    struct view v = {.dtype = spec->dtype, .len = row->len};
    if (row->dtype == DTYPE_NONE && spec->optional) {
        *ret_view = v;
        ret_view->len = 0;
        return OK;
    }
    if (row->dtype != (uint32_t)spec->dtype || row->rank > SHAPE_RANK_MAX)
        return fail(f, ERR_INPUT, "lane: input \"%.*s\" has datatype %" PRIu32 " and rank %" PRIu32,
                    STR_ARG(str_cut(spec->name, 0, 80)), row->dtype, row->rank);
    v.shape.rank = row->rank;
    memcpy(v.shape.dim, row->dim, sizeof(v.shape.dim));
    err e = shape_fits(&v.shape, &spec->shape, spec->name, f);
    uint64_t want = row->len;
    if (e == OK && spec->dtype != DTYPE_BYTES)
        e = shape_bytes(&v.shape, spec->dtype, UINT64_MAX, &want, f);
    if (e != OK)
        return ERR_INPUT;
    if (want != row->len || row->offset > end || row->len > end - row->offset)
        return fail(f, ERR_INPUT, "lane: input \"%.*s\" has %" PRIu64 " bytes at %" PRIu64,
                    STR_ARG(str_cut(spec->name, 0, 80)), row->len, row->offset);
    *ret_view = v;
    return OK;
}

static err check_inputs(const struct lane_end *e, const uint8_t *extent, uint64_t end,
                        struct view *views, struct fault *f)
{
    const struct lane_tensor *rows = (const void *)(extent + sizeof(struct lane_request));
    for (uint32_t i = 0; i < e->sig->input_count; i++) {
        struct lane_tensor row;
        lane_fetch(&row, &rows[i], sizeof(row));
        const err bad = check_input(&e->sig->inputs[i], &row, end, &views[i], f);
        if (bad != OK)
            return bad;
        views[i].at = row.dtype == DTYPE_NONE ? NULL : extent + row.offset;
    }
    return OK;
}

/* Checks a submission's extent and its request, and fills the run. request is a private copy. */
static err check_request(struct lane_end *e, uint64_t where, const struct lane_request *request,
                         struct run *run, struct fault *f)
{
    uint8_t *extent = e->map.area + (where >> 32) * LANE_LINE;
    const uint64_t bytes = (where & UINT32_MAX) * LANE_LINE;
    const uint64_t reply_head = lane_reply_head(e->sig->output_count);
    if (request->input_count != e->sig->input_count || request->flags > LANE_FLAG_ALONE)
        return fail(f, ERR_INPUT, "lane: %" PRIu32 " inputs, flags %" PRIx32, request->input_count,
                    request->flags);
    if (request->outputs == 0 ||
        (e->sig->output_count < 64 && request->outputs >> e->sig->output_count != 0))
        return fail(f, ERR_INPUT, "lane: outputs %" PRIx64 " of %" PRIu32, request->outputs,
                    e->sig->output_count);
    if (request->reply_offset % LANE_LINE != 0 || request->reply_offset > bytes ||
        request->reply_offset < lane_request_head(e->sig->input_count) ||
        reply_head > bytes - request->reply_offset)
        return fail(f, ERR_INPUT, "lane: reply at %" PRIu64 " of %" PRIu64 " bytes",
                    request->reply_offset, bytes);
    run->outputs = request->outputs;
    run->output_count = 0;
    run->reply = extent + request->reply_offset;
    run->room = bytes - request->reply_offset - reply_head;
    run->used = 0;
    return check_inputs(e, extent, request->reply_offset, run->inputs, f);
}

static void publish(struct lane_end *e, uint32_t slot, bool quiet)
{
    atomic_store_explicit(&e->map.completions[e->completed & (LANE_RING - 1)],
                          (uint64_t)e->generation << 32 | slot, memory_order_relaxed);
    e->completed++;
    atomic_store_explicit(&e->map.shared->completed, e->completed,
                          memory_order_release); /* model: publish */
    e->quiet = true;
    if (!quiet)
        lane_end_kick(e);
}

/* Takes one entry, which is off the ring whatever becomes of it. */
static err take_entry(struct lane_end *e, struct lane_job *ret_job, struct fault *f)
{
    const struct lane_submission *entry = &e->map.submissions[e->taken & (LANE_RING - 1)];
    const uint64_t who = atomic_load_explicit(&entry->who, memory_order_relaxed);
    const uint64_t where = atomic_load_explicit(&entry->where, memory_order_relaxed);
    const uint32_t slot = (uint32_t)who;
    const uint64_t units = where & UINT32_MAX;
    e->taken++;
    if ((uint32_t)(who >> 32) != e->generation)
        return fail(f, ERR_INPUT, "lane: a submission of generation %" PRIu32 ", want %" PRIu32,
                    (uint32_t)(who >> 32), e->generation);
    if (slot >= LANE_SLOTS_MAX || e->run[slot].running)
        return fail(f, ERR_INPUT, "lane: a submission of slot %" PRIu32, slot);
    if (units * LANE_LINE < lane_request_head(e->sig->input_count) ||
        (where >> 32) + units > e->map.units)
        return fail(f, ERR_INPUT, "lane: an extent of %" PRIu64 " units at %" PRIu64, units,
                    where >> 32);
    struct run *run = &e->run[slot];
    if (!run->inputs)
        run->inputs = calloc((size_t)e->sig->input_count + 1, sizeof(*run->inputs));
    if (!run->inputs)
        return fail(f, ERR_UNAVAILABLE, "no room for the inputs of slot %" PRIu32, slot);
    const uint8_t *extent = e->map.area + (where >> 32) * LANE_LINE;
    struct lane_request request;
    lane_fetch(&request, extent, offsetof(struct lane_request, cancelled));
    const err bad = check_request(e, where, &request, run, f);
    if (bad != OK)
        return bad;
    const struct lane_request *shared = (const void *)extent;
    atomic_store_explicit(&run->cancelled, &shared->cancelled, memory_order_relaxed);
    run->running = true;
    e->running++;
    *ret_job = (struct lane_job){
        .end = e,
        .slot = slot,
        .generation = e->generation,
        .deadline_ns = request.deadline_ns,
        .outputs = request.outputs,
        .rows = request.rows,
        .alone = (request.flags & LANE_FLAG_ALONE) != 0,
        .inputs = run->inputs,
        .reply_bytes = run->room,
    };
    return OK;
}

err lane_end_take(struct lane_end *e, struct lane_job *ret_job, struct fault *f)
{
    must(e->sig);
    const uint32_t submitted =
        atomic_load_explicit(&e->map.shared->submitted, memory_order_acquire); /* model: look */
    const uint32_t waiting = submitted - e->taken;
    if (waiting == 0)
        return ERR_NOT_FOUND;
    if (waiting > LANE_RING)
        return fail(f, ERR_INPUT, "lane: %" PRIu32 " submissions in a ring of %u", waiting,
                    LANE_RING);
    if (!e->adopted) {
        e->generation = atomic_load_explicit(&e->map.shared->generation, memory_order_relaxed);
        e->adopted = true;
        atomic_store_explicit(&e->gone, GONE_NONE, memory_order_relaxed);
    }
    return take_entry(e, ret_job, f);
}

static bool is_gone(const struct lane_job *j)
{
    return atomic_load_explicit(&j->end->gone, memory_order_relaxed) == j->generation;
}

bool lane_end_cancelled(const struct lane_job *j)
{
    const _Atomic uint32_t *cancelled =
        atomic_load_explicit(&j->end->run[j->slot].cancelled, memory_order_relaxed);
    return atomic_load_explicit(cancelled, memory_order_relaxed) != 0 || is_gone(j);
}

uint8_t *lane_end_output(struct lane_job *j, uint32_t output, const struct shape *shape,
                         uint64_t bytes)
{
    const struct signature *sig = j->end->sig;
    struct run *run = &j->end->run[j->slot];
    must(run->running && run->outputs != 0 && output == (uint32_t)__builtin_ctzll(run->outputs) &&
         shape->rank <= SHAPE_RANK_MAX);
    if (bytes > run->room - run->used)
        return NULL;
    struct lane_tensor *row =
        (struct lane_tensor *)(void *)(run->reply + sizeof(struct lane_reply)) + run->output_count;
    row->offset = run->used;
    row->len = bytes;
    row->dtype = (uint32_t)sig->outputs[output].dtype;
    row->rank = shape->rank;
    memcpy(row->dim, shape->dim, sizeof(row->dim));
    uint8_t *at = run->reply + lane_reply_head(sig->output_count) + run->used;
    const uint64_t used = lane_line_up(run->used + bytes);
    run->used = used < run->room ? used : run->room;
    run->outputs &= run->outputs - 1;
    run->output_count++;
    return at;
}

void lane_end_finish(struct lane_job *j, const struct lane_end_result *result)
{
    struct lane_end *e = j->end;
    struct run *run = &e->run[j->slot];
    must(run->running && (result->status != LANE_OK || run->outputs == 0));
    run->running = false;
    e->running--;
    if (is_gone(j))
        return;
    struct lane_reply *reply = (void *)run->reply;
    const size_t len = result->text ? strnlen(result->text, LANE_TEXT) : 0;
    reply->status = (uint32_t)result->status;
    reply->output_count = run->output_count;
    reply->batch_rows = result->batch_rows;
    reply->batch_requests = result->batch_requests;
    reply->input_ns = result->input_ns;
    reply->compute_ns = result->compute_ns;
    reply->output_ns = result->output_ns;
    reply->text_len = (uint32_t)len;
    if (len > 0)
        memcpy(run->reply + sizeof(*reply) +
                   (size_t)e->sig->output_count * sizeof(struct lane_tensor),
               result->text, len);
    publish(e, j->slot, result->quiet);
}

void lane_end_kick(struct lane_end *e)
{
    if (e->quiet && lane_flag_clear(&e->map.shared->front_sleeps))
        lane_wake(e->loop_wake);
    e->quiet = false;
}

bool lane_end_drop(struct lane_end *e, uint32_t generation)
{
    struct lane_shared *shared = e->map.shared;
    const uint32_t now = e->adopted
                             ? e->generation
                             : atomic_load_explicit(&shared->generation, memory_order_relaxed);
    if (now != generation)
        return e->running == 0; /* late word: another front may have the lane already */
    atomic_store_explicit(&e->gone, generation, memory_order_relaxed);
    e->taken = atomic_load_explicit(&shared->submitted, memory_order_relaxed);
    if (e->running > 0)
        return false;
    e->taken = 0;
    e->completed = 0;
    e->adopted = false;
    atomic_store_explicit(&shared->submitted, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->completed, 0, memory_order_relaxed);
    /* worker_sleeps stays: a thread of ours may wait behind it */
    (void)lane_flag_clear(&shared->front_sleeps);
    return true;
}

bool lane_ends_sleep(struct lane_end *const *ends, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        lane_flag_raise(&ends[i]->map.shared->worker_sleeps);
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++)
        found = atomic_load_explicit(&ends[i]->map.shared->submitted, memory_order_acquire) !=
                ends[i]->taken; /* model: look again */
    return found;
}

void lane_ends_awake(struct lane_end *const *ends, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        lane_flag_lower(&ends[i]->map.shared->worker_sleeps);
}

void lane_end_beat(struct lane_end *e)
{
    (void)atomic_fetch_add_explicit(&e->map.shared->beats, 1, memory_order_relaxed);
}
