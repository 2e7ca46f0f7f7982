/* fuzz: engine lane.c lane_layout.c extents.c */
/* What a hostile worker can leave in a lane: after some sends the bytes of the input become the
 * shared memory (published index, ring entries, replies, rows, contents), then everything is
 * reaped and every view is read to its end. The lane is a heap block of its exact size, so that one
 * byte past it is seen; a view must also lie inside its own request's extent.
 *
 * Input: byte 0 signature and mask, byte 1 how many are sent; then records {u8 where, u8 len,
 * bytes}: where 0 the published index, 1 ring entries, 2 + n the reply of request n; the two top
 * bits of len choose its header, its first row, its second row or its room. */
#include "engine/lane_layout.h"

#include <stdlib.h>

#include "base/must.h"

#define FUZZ_BYTES (LANE_BYTES_MIN + 16384u)
#define FUZZ_SENDS 4u
#define FUZZ_ROOM  256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct spec inputs[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1}, .rank = 1}}};
static const struct spec outputs[] = {
    {.name = STR_LIT("text"), .dtype = DTYPE_BYTES, .shape = {.dim = {-1}, .rank = 1}},
    {.name = STR_LIT("y"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 2}, .rank = 2}},
    {.name = STR_LIT("flag"), .dtype = DTYPE_BOOL, .shape = {.dim = {-1, -1, -1}, .rank = 3}},
    {.name = STR_LIT("scalar"), .dtype = DTYPE_FP64, .shape = {.rank = 0}},
};
static const struct signature sig = {
    .inputs = inputs, .input_count = 1, .outputs = outputs, .output_count = 4};

/* What of the shared memory a worker owns, for one run. */
struct target {
    struct lane_map map;
    uint8_t *reply[FUZZ_SENDS];
    uint8_t *reply_end[FUZZ_SENDS];
    uint32_t sent;
};

static void send_one(struct lane *l, struct target *t, uint64_t mask)
{
    const uint64_t bytes = 8;
    const struct shape shape = {.dim = {2}, .rank = 1};
    const struct lane_send_opts send = {.outputs = mask, .rows = 1};
    uint32_t slot;
    if (lane_reserve(l, &bytes, FUZZ_ROOM, &slot, NULL) != OK)
        return;
    memset(lane_input_at(l, slot, 0), 0, bytes);
    lane_input_set(l, slot, 0, &shape, bytes);
    (void)lane_send(l, slot, &send);
    const uint64_t where = atomic_load(&t->map.submissions[t->sent].where);
    uint8_t *extent = t->map.area + (where >> 32) * LANE_LINE;
    const struct lane_request *request = (const void *)extent;
    t->reply[t->sent] = extent + request->reply_offset;
    t->reply_end[t->sent] = extent + (where & UINT32_MAX) * LANE_LINE;
    t->sent++;
}

/* An honest start: every request is completed with empty outputs, so that a few changed bytes get
 * far. Offsets, ranks and types fit. */
static void complete_all(struct target *t, uint64_t mask)
{
    for (uint32_t i = 0; i < t->sent; i++) {
        struct lane_reply *reply = (void *)t->reply[i];
        struct lane_tensor *row = (void *)(t->reply[i] + sizeof(*reply));
        memset(reply, 0, sizeof(*reply));
        for (uint32_t output = 0; output < sig.output_count; output++) {
            if (!(mask >> output & 1))
                continue;
            *row = (struct lane_tensor){.offset = output * 64ull,
                                        .len = output == 3 ? 8 : 0,
                                        .dtype = (uint32_t)outputs[output].dtype,
                                        .rank = outputs[output].shape.rank,
                                        .dim = {0, 2}};
            row++;
            reply->output_count++;
        }
        atomic_store(&t->map.completions[i], atomic_load(&t->map.submissions[i].who));
    }
    atomic_store(&t->map.shared->completed, t->sent);
}

static void put(uint8_t *at, const uint8_t *end, const uint8_t *bytes, size_t len)
{
    const size_t room = (size_t)(end - at);
    memcpy(at, bytes, len < room ? len : room);
}

/* Writes one record of the input where a worker could; returns what it used of it. */
static size_t scribble(struct target *t, const uint8_t *data, size_t len)
{
    const uint8_t where = data[0];
    const size_t want = data[1] & 0x3f;
    const size_t count = want < len - 2 ? want : len - 2;
    const uint8_t *bytes = data + 2;
    if (where == 0) {
        uint32_t completed = 0;
        memcpy(&completed, bytes, count < 4 ? count : 4);
        atomic_store(&t->map.shared->completed, completed);
    } else if (where == 1) {
        put(t->map.area - LANE_RING * 8u, t->map.area, bytes, count);
    } else if (t->sent > 0) {
        const uint32_t n = (where - 2u) % t->sent;
        uint8_t *at = t->reply[n];
        if (data[1] >> 6 == 1)
            at += sizeof(struct lane_reply);
        else if (data[1] >> 6 == 2)
            at += sizeof(struct lane_reply) + sizeof(struct lane_tensor);
        else if (data[1] >> 6 == 3)
            at += lane_reply_head(sig.output_count);
        put(at, t->reply_end[n], bytes, count);
    }
    return 2 + count;
}

/* Reads a view as serving does: numbers by the byte, BYTES by the record. */
static uint64_t read_view(const struct view *v)
{
    uint64_t sum = 0;
    uint64_t records = 0;
    str rest = {(const char *)v->at, v->len}, record;
    if (v->dtype == DTYPE_BYTES) {
        while (view_record(&rest, &record)) {
            records++;
            for (size_t i = 0; i < record.len; i++)
                sum += (uint8_t)record.at[i];
        }
        must(rest.len == 0 && v->shape.rank == 1 && (int64_t)records == v->shape.dim[0]);
        return sum;
    }
    for (uint64_t i = 0; i < v->len; i++)
        sum += v->at[i];
    return sum;
}

static uint64_t reap_all(struct lane *l, const struct target *t, uint64_t mask)
{
    uint64_t sum = 0;
    struct lane_done done;
    for (uint32_t i = 0; i <= FUZZ_SENDS; i++) {
        if (lane_reap(l, &done, NULL) != OK)
            return sum;
        must(done.slot < t->sent && done.status < LANE_STATUS_COUNT);
        must(done.view_count ==
             (done.status == LANE_OK ? (uint32_t)__builtin_popcountll(mask) : 0u));
        for (uint32_t v = 0; v < done.view_count; v++) {
            const struct view *view = &done.views[v];
            must(view->at >= t->reply[done.slot] + lane_reply_head(sig.output_count));
            must(view->len <= (uint64_t)(t->reply_end[done.slot] - view->at));
            sum += read_view(view);
        }
        for (const char *c = done.text; *c; c++)
            must(*c >= 0x20 && *c < 0x7f);
        lane_release(l, done.slot);
    }
    never("more completions than requests");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    const uint64_t mask = data[0] % 15 + 1u;
    struct target t = {.sent = 0};
    struct lane *l = NULL;
    void *at = aligned_alloc(128, FUZZ_BYTES);
    must(at && lane_map_of(at, FUZZ_BYTES, &t.map, NULL) == OK);
    memset(at, 0, LANE_SUBMISSIONS);
    memset(t.map.area, 0, FUZZ_BYTES - LANE_AREA);
    const struct lane_opts opts = {
        .bytes = FUZZ_BYTES, .generation = 1, .worker_wake = -1, .sig = &sig, .slots = FUZZ_SENDS};
    must(lane_open_at(at, &opts, &l, NULL) == OK);
    for (uint32_t i = 0; i <= data[1] % FUZZ_SENDS; i++)
        send_one(l, &t, mask);
    complete_all(&t, mask);
    for (size_t used = 2; len - used >= 2;)
        used += scribble(&t, data + used, len - used);
    const volatile uint64_t sum = reap_all(l, &t, mask);
    (void)sum;
    lane_close(l);
    free(at);
    return 0;
}
