/* The front's end of a lane. The one complication: the other end may lie, and may lie at any time.
 * So what a slot is for, where its extent lies and how much room it has are private; of the shared
 * memory only a published index, a ring entry, a reply's header and its tensor rows are read, each
 * copied once before it is looked at. */
#include "engine/lane_layout.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/must.h"
#include "base/scope.h"
#include "engine/extents.h"

enum slot_state { SLOT_FREE = 0, SLOT_FILLING, SLOT_SENT, SLOT_DONE };

struct slot {
    enum slot_state state;
    uint32_t at, units;    /* its extent */
    uint64_t reply_offset; /* from the extent's start */
    uint64_t room;         /* bytes for outputs */
    uint64_t outputs;      /* mask */
    uint64_t sent_ns;
    uint32_t unset; /* inputs reserved whose shape is not stated yet */
};

/* Of an input in its extent. */
struct place {
    uint64_t offset;
    uint64_t bytes; /* UINT64_MAX: left out */
};

struct lane {
    struct lane_map map;
    void *mapped; /* NULL: the mapping is the caller's */
    uint64_t bytes;
    int worker_wake;
    uint32_t generation;
    const struct signature *sig;
    uint32_t slots, sent;
    uint32_t submitted; /* published */
    uint32_t completed; /* taken */
    bool broken;        /* the worker lied: nothing is read any more */
    bool quiet;         /* sent without a wake since the last kick */
    uint32_t idle_count;
    uint32_t *idle; /* free slots, the last one goes out next */
    struct slot *slot;
    struct place *places; /* slots x inputs */
    struct view *views;   /* slots x outputs */
    struct extents *extents;
};

static uint8_t *extent_at(const struct lane *l, const struct slot *s)
{
    return l->map.area + (uint64_t)s->at * LANE_LINE;
}

static struct slot *slot_at(struct lane *l, uint32_t slot, enum slot_state state)
{
    must(slot < l->slots && l->slot[slot].state == state);
    return &l->slot[slot];
}

static void lane_undo(struct lane **l)
{
    lane_close(*l);
}

err lane_open_at(void *at, const struct lane_opts *opts, struct lane **ret_lane, struct fault *f)
{
    if (opts->slots == 0 || opts->slots > LANE_SLOTS_MAX)
        return fail(f, ERR_INPUT, "lane of %" PRIu32 " slots, want 1..%u", opts->slots,
                    LANE_SLOTS_MAX);
    SCOPED(lane_undo)
    struct lane *l = calloc(1, sizeof(*l));
    if (!l)
        return fail(f, ERR_UNAVAILABLE, "no room for a lane");
    const err e = lane_map_of(at, opts->bytes, &l->map, f);
    if (e != OK)
        return e;
    l->worker_wake = opts->worker_wake;
    l->generation = opts->generation;
    l->sig = opts->sig;
    l->slots = opts->slots;
    l->idle = calloc(l->slots, sizeof(*l->idle));
    l->slot = calloc(l->slots, sizeof(*l->slot));
    l->places = calloc((size_t)l->slots * (l->sig->input_count + 1), sizeof(*l->places));
    l->views = calloc((size_t)l->slots * (l->sig->output_count + 1), sizeof(*l->views));
    l->extents = extents_new(l->map.units, l->slots);
    if (!l->idle || !l->slot || !l->places || !l->views || !l->extents)
        return fail(f, ERR_UNAVAILABLE, "no room for a lane of %" PRIu32 " slots", l->slots);
    while (l->idle_count < l->slots) {
        l->idle[l->idle_count] = l->slots - 1 - l->idle_count;
        l->idle_count++;
    }
    atomic_store_explicit(&l->map.shared->submitted, 0, memory_order_relaxed);
    atomic_store_explicit(&l->map.shared->generation, l->generation, memory_order_release);
    *ret_lane = GIVE(l);
    return OK;
}

err lane_open(const struct lane_opts *opts, struct lane **ret_lane, struct fault *f)
{
    void *at = NULL;
    err e = memfd_check(opts->memfd, opts->bytes, false, f);
    if (e == OK)
        e = memfd_map(opts->memfd, opts->bytes, true, &at, f);
    if (e != OK)
        return e;
    struct lane *l = NULL;
    e = lane_open_at(at, opts, &l, f);
    if (e != OK) {
        memfd_unmap(at, opts->bytes);
        return e;
    }
    l->mapped = at;
    l->bytes = opts->bytes;
    *ret_lane = l;
    return OK;
}

void lane_close(struct lane *l)
{
    if (!l)
        return;
    memfd_unmap(l->mapped, l->bytes);
    extents_free(l->extents);
    free(l->views);
    free(l->places);
    free(l->slot);
    free(l->idle);
    free(l);
}

uint32_t lane_free_slots(const struct lane *l)
{
    return l->idle_count;
}

/* Bytes of a request's extent before its reply, or UINT64_MAX where one input alone is larger than
 * any lane. 1024 inputs of at most LANE_BYTES_MAX cannot overflow the sum. */
static uint64_t request_bytes(const struct lane *l, const uint64_t *input_bytes)
{
    uint64_t total = lane_request_head(l->sig->input_count);
    for (uint32_t i = 0; i < l->sig->input_count; i++) {
        if (input_bytes[i] == UINT64_MAX)
            continue;
        if (input_bytes[i] > LANE_BYTES_MAX)
            return UINT64_MAX;
        total += lane_line_up(input_bytes[i]);
    }
    return total;
}

/* Lays the inputs of a new extent out. Left-out inputs are stated here, the others by the caller.
 */
static void place_inputs(struct lane *l, uint32_t slot, const uint64_t *input_bytes)
{
    struct slot *s = &l->slot[slot];
    struct place *place = &l->places[(size_t)slot * l->sig->input_count];
    struct lane_tensor *rows = (void *)(extent_at(l, s) + sizeof(struct lane_request));
    uint64_t offset = lane_request_head(l->sig->input_count);
    s->unset = 0;
    for (uint32_t i = 0; i < l->sig->input_count; i++) {
        place[i] = (struct place){.offset = offset, .bytes = input_bytes[i]};
        if (input_bytes[i] == UINT64_MAX) {
            rows[i].dtype = DTYPE_NONE;
            continue;
        }
        offset += lane_line_up(input_bytes[i]);
        s->unset++;
    }
}

err lane_reserve(struct lane *l, const uint64_t *input_bytes, uint64_t reply_bytes,
                 uint32_t *ret_slot, struct fault *f)
{
    const uint64_t reply_offset = request_bytes(l, input_bytes);
    /* outputs start lines, so each may lose one line to the round-up */
    const uint64_t room =
        reply_bytes > LANE_BYTES_MAX
            ? UINT64_MAX
            : lane_line_up(reply_bytes) + (uint64_t)LANE_LINE * l->sig->output_count;
    const uint64_t area = (uint64_t)l->map.units * LANE_LINE;
    if (reply_offset > area || room > area ||
        reply_offset + lane_reply_head(l->sig->output_count) + room > area)
        return fail(f, ERR_TOO_BIG,
                    "a request with %" PRIu64 " bytes of reply does not fit a lane of %" PRIu64,
                    reply_bytes, area);
    if (l->idle_count == 0)
        return fail(f, ERR_BUSY, "all %" PRIu32 " slots of the lane are taken", l->slots);
    const uint64_t total = reply_offset + lane_reply_head(l->sig->output_count) + room;
    const uint32_t units = (uint32_t)(total / LANE_LINE);
    const uint32_t slot = l->idle[l->idle_count - 1];
    struct slot *s = &l->slot[slot];
    if (!extents_take(l->extents, units, &s->at))
        return fail(f, ERR_BUSY, "no room in the lane for %" PRIu64 " bytes now", total);
    l->idle_count--;
    s->state = SLOT_FILLING;
    s->units = units;
    s->reply_offset = reply_offset;
    s->room = room;
    place_inputs(l, slot, input_bytes);
    *ret_slot = slot;
    return OK;
}

uint8_t *lane_input_at(struct lane *l, uint32_t slot, uint32_t input)
{
    const struct slot *s = slot_at(l, slot, SLOT_FILLING);
    must(input < l->sig->input_count);
    const struct place *place = &l->places[(size_t)slot * l->sig->input_count + input];
    return place->bytes == UINT64_MAX ? NULL : extent_at(l, s) + place->offset;
}

void lane_input_set(struct lane *l, uint32_t slot, uint32_t input, const struct shape *shape,
                    uint64_t len)
{
    struct slot *s = slot_at(l, slot, SLOT_FILLING);
    must(input < l->sig->input_count && s->unset > 0 && shape->rank <= SHAPE_RANK_MAX);
    const struct place *place = &l->places[(size_t)slot * l->sig->input_count + input];
    must(place->bytes != UINT64_MAX && len <= place->bytes);
    struct lane_tensor *row =
        (struct lane_tensor *)(void *)(extent_at(l, s) + sizeof(struct lane_request)) + input;
    row->offset = place->offset;
    row->len = len;
    row->dtype = (uint32_t)l->sig->inputs[input].dtype;
    row->rank = shape->rank;
    memcpy(row->dim, shape->dim, sizeof(row->dim));
    s->unset--;
}

uint64_t lane_send(struct lane *l, uint32_t slot, const struct lane_send_opts *opts)
{
    struct slot *s = slot_at(l, slot, SLOT_FILLING);
    must(s->unset == 0 && opts->outputs != 0);
    must(l->sig->output_count >= 64 || opts->outputs >> l->sig->output_count == 0);
    struct lane_request *request = (void *)extent_at(l, s);
    request->deadline_ns = opts->deadline_ns;
    request->outputs = opts->outputs;
    request->reply_offset = s->reply_offset;
    request->rows = opts->rows;
    request->flags = opts->alone ? LANE_FLAG_ALONE : 0;
    request->input_count = l->sig->input_count;
    request->reserved = 0;
    atomic_store_explicit(&request->cancelled, 0, memory_order_relaxed);
    s->outputs = opts->outputs;
    s->sent_ns = clock_ns();
    s->state = SLOT_SENT;
    l->sent++;
    struct lane_submission *entry = &l->map.submissions[l->submitted & (LANE_RING - 1)];
    atomic_store_explicit(&entry->who, (uint64_t)l->generation << 32 | slot, memory_order_relaxed);
    atomic_store_explicit(&entry->where, (uint64_t)s->at << 32 | s->units, memory_order_relaxed);
    l->submitted++;
    atomic_store_explicit(&l->map.shared->submitted, l->submitted,
                          memory_order_release); /* model: publish */
    l->quiet = true;
    if (!opts->quiet)
        lane_kick(l);
    return s->sent_ns;
}

void lane_kick(struct lane *l)
{
    if (l->quiet && lane_flag_clear(&l->map.shared->worker_sleeps))
        lane_wake(l->worker_wake);
    l->quiet = false;
}

void lane_cancel(struct lane *l, uint32_t slot)
{
    const struct slot *s = slot_at(l, slot, SLOT_SENT);
    struct lane_request *request = (void *)extent_at(l, s);
    atomic_store_explicit(&request->cancelled, 1, memory_order_relaxed);
}

/* Checks one output's row and makes the view. row is a private copy. */
static err check_output(const struct lane *l, const struct slot *s, uint32_t output,
                        const struct lane_tensor *row, struct view *ret_view, struct fault *f)
{
    const struct spec *spec = &l->sig->outputs[output];
    if (row->dtype != (uint32_t)spec->dtype)
        return fail(f, ERR_ENGINE, "lane breach: output %" PRIu32 " has datatype %" PRIu32, output,
                    row->dtype);
    if (row->rank > SHAPE_RANK_MAX || row->rank != spec->shape.rank)
        return fail(f, ERR_ENGINE, "lane breach: output %" PRIu32 " has rank %" PRIu32, output,
                    row->rank);
    struct view v = {.dtype = spec->dtype, .len = row->len};
    v.shape.rank = row->rank;
    for (uint32_t i = 0; i < row->rank; i++) {
        v.shape.dim[i] = row->dim[i];
        if (row->dim[i] < 0 || (spec->shape.dim[i] >= 0 && row->dim[i] != spec->shape.dim[i]))
            return fail(f, ERR_ENGINE,
                        "lane breach: output %" PRIu32 " has shape[%" PRIu32 "] = %" PRId64, output,
                        i, row->dim[i]);
    }
    if (row->offset > s->room || row->len > s->room - row->offset)
        return fail(f, ERR_ENGINE, "lane breach: output %" PRIu32 " lies outside its room", output);
    v.at = extent_at(l, s) + s->reply_offset + lane_reply_head(l->sig->output_count) + row->offset;
    if (view_check(&v, spec->name, NULL) != OK)
        return fail(f, ERR_ENGINE, "lane breach: output %" PRIu32 " is not what its shape says",
                    output);
    *ret_view = v;
    return OK;
}

static err check_outputs(const struct lane *l, const struct slot *s, uint32_t count,
                         struct view *views, struct fault *f)
{
    const uint32_t wanted = (uint32_t)__builtin_popcountll(s->outputs);
    if (count != wanted)
        return fail(f, ERR_ENGINE,
                    "lane breach: a reply of %" PRIu32 " outputs, %" PRIu32 " wanted", count,
                    wanted);
    const struct lane_tensor *rows =
        (const void *)(extent_at(l, s) + s->reply_offset + sizeof(struct lane_reply));
    uint64_t left = s->outputs;
    for (uint32_t i = 0; i < wanted; i++) {
        struct lane_tensor row;
        lane_fetch(&row, &rows[i], sizeof(row));
        const uint32_t output = (uint32_t)__builtin_ctzll(left);
        left &= left - 1;
        const err e = check_output(l, s, output, &row, &views[i], f);
        if (e != OK)
            return e;
    }
    return OK;
}

/* The worker's reason, made harmless for a log. */
static void copy_text(const struct lane *l, const struct slot *s, uint32_t len, char *ret_text)
{
    char text[LANE_TEXT];
    lane_fetch(text,
               extent_at(l, s) + s->reply_offset + sizeof(struct lane_reply) +
                   (uint64_t)l->sig->output_count * sizeof(struct lane_tensor),
               sizeof(text));
    for (uint32_t i = 0; i < len; i++)
        ret_text[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    ret_text[len] = '\0';
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* Reads the reply of a slot that is sent, and tells it. */
static err take_reply(struct lane *l, uint32_t slot, struct lane_done *ret_done, struct fault *f)
{
    struct slot *s = &l->slot[slot];
    struct view *views = &l->views[(size_t)slot * l->sig->output_count];
    struct lane_reply reply;
    lane_fetch(&reply, extent_at(l, s) + s->reply_offset, sizeof(reply));
    if (reply.status >= LANE_STATUS_COUNT)
        return fail(f, ERR_ENGINE, "lane breach: status %" PRIu32, reply.status);
    if (reply.text_len > LANE_TEXT)
        return fail(f, ERR_ENGINE, "lane breach: a text of %" PRIu32 " bytes", reply.text_len);
    if (reply.status == LANE_OK) {
        const err e = check_outputs(l, s, reply.output_count, views, f);
        if (e != OK)
            return e;
    }
    const uint64_t now = clock_ns();
    const uint64_t limit = now > s->sent_ns ? now - s->sent_ns : 0;
    s->state = SLOT_DONE;
    ret_done->slot = slot;
    ret_done->reaped_ns = now;
    ret_done->status = (enum lane_status)reply.status;
    ret_done->views = reply.status == LANE_OK ? views : NULL;
    ret_done->view_count = reply.status == LANE_OK ? reply.output_count : 0;
    ret_done->input_ns = at_most(reply.input_ns, limit);
    ret_done->compute_ns = at_most(reply.compute_ns, limit);
    ret_done->output_ns = at_most(reply.output_ns, limit);
    ret_done->batch_rows = reply.batch_rows ? reply.batch_rows : 1;
    ret_done->batch_requests = reply.batch_requests ? reply.batch_requests : 1;
    ret_done->text[0] = '\0';
    if (reply.status != LANE_OK && reply.text_len > 0)
        copy_text(l, s, reply.text_len, ret_done->text);
    return OK;
}

/* Takes the completion at hand off the ring. */
static err take_completion(struct lane *l, struct lane_done *ret_done, struct fault *f)
{
    const uint32_t completed =
        atomic_load_explicit(&l->map.shared->completed, memory_order_acquire); /* model: look */
    const uint32_t waiting = completed - l->completed;
    if (waiting == 0)
        return ERR_NOT_FOUND;
    if (waiting > l->sent)
        return fail(f, ERR_ENGINE,
                    "lane breach: %" PRIu32 " completions of %" PRIu32 " sent requests", waiting,
                    l->sent);
    const uint64_t entry = atomic_load_explicit(&l->map.completions[l->completed & (LANE_RING - 1)],
                                                memory_order_relaxed);
    const uint32_t slot = (uint32_t)entry;
    if (slot >= l->slots || l->slot[slot].state != SLOT_SENT)
        return fail(f, ERR_ENGINE, "lane breach: a completion of slot %" PRIu32, slot);
    if ((uint32_t)(entry >> 32) != l->generation)
        return fail(f, ERR_ENGINE,
                    "lane breach: a completion of generation %" PRIu32 ", want %" PRIu32,
                    (uint32_t)(entry >> 32), l->generation);
    const err e = take_reply(l, slot, ret_done, f);
    if (e != OK)
        return e;
    l->completed++;
    l->sent--;
    return OK;
}

err lane_reap(struct lane *l, struct lane_done *ret_done, struct fault *f)
{
    if (l->broken)
        return fail(f, ERR_ENGINE, "the worker broke a rule of this lane before");
    const err e = take_completion(l, ret_done, f);
    l->broken = e == ERR_ENGINE;
    return e;
}

void lane_release(struct lane *l, uint32_t slot)
{
    must(slot < l->slots);
    struct slot *s = &l->slot[slot];
    must(s->state == SLOT_FILLING || s->state == SLOT_DONE);
    s->state = SLOT_FREE;
    extents_give(l->extents, s->at, s->units);
    l->idle[l->idle_count++] = slot;
}

bool lane_sleep(struct lane *l)
{
    if (l->broken)
        return false; /* a lying index must not keep the loop awake */
    lane_flag_raise(&l->map.shared->front_sleeps);
    return atomic_load_explicit(&l->map.shared->completed, memory_order_acquire) !=
           l->completed; /* model: look again */
}

void lane_awake(struct lane *l)
{
    lane_flag_lower(&l->map.shared->front_sleeps);
}

struct lane_counters lane_counters(const struct lane *l)
{
    return (struct lane_counters){
        .beats = atomic_load_explicit(&l->map.shared->beats, memory_order_relaxed),
    };
}
