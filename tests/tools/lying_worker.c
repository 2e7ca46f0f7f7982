/* A worker that keeps to the rules until a request asks it for a lie: garrison-worker with another
 * lane_end_finish. The first number of a request's first tensor (FP32) names the lie: LIE_FIRST + n
 * for row n of `lies`; all else is answered as it should be. It writes through a mapping of its
 * own, as a worker that a model has taken over could. usage: tests/e2e/test_320_run.py lays it
 * beside a copy of garrison as `garrison-worker` */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/message.h"
#include "engine/lane_layout.h"

#define LIE_FIRST 7000.0f
#define ENDS_MAX  512u

err __real_lane_end_open(int memfd, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                         struct fault *f);
err __wrap_lane_end_open(int memfd, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                         struct fault *f);
void __real_lane_end_finish(struct lane_job *j, const struct lane_end_result *result);
void __wrap_lane_end_finish(struct lane_job *j, const struct lane_end_result *result);

struct end {
    struct lane_end *end;
    struct lane_map map;
    int wake;
    uint64_t bytes;
    void *at;
};

static struct end ends[ENDS_MAX];
static unsigned end_count;

err __wrap_lane_end_open(int memfd, uint64_t bytes, int loop_wake, struct lane_end **ret_end,
                         struct fault *f)
{
    const err e = __real_lane_end_open(memfd, bytes, loop_wake, ret_end, f);
    if (e != OK || end_count == ENDS_MAX)
        return e;
    struct end *mine = &ends[end_count];
    mine->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (mine->at == MAP_FAILED || lane_map_of(mine->at, bytes, &mine->map, f) != OK)
        return e;
    mine->end = *ret_end;
    mine->wake = loop_wake;
    mine->bytes = bytes;
    end_count++;
    return e;
}

/* Where the request of a job lies, found in the submissions. */
static uint8_t *extent_of(const struct end *e, const struct lane_job *j)
{
    const uint64_t who = (uint64_t)j->generation << 32 | j->slot;
    uint8_t *found = NULL;
    for (uint32_t i = 0; i < LANE_RING; i++)
        if (atomic_load(&e->map.submissions[i].who) == who)
            found = e->map.area + (atomic_load(&e->map.submissions[i].where) >> 32) * LANE_LINE;
    return found;
}

static void complete(const struct end *e, uint32_t generation, uint32_t slot)
{
    const uint32_t at = atomic_load(&e->map.shared->completed);
    atomic_store(&e->map.completions[at % LANE_RING], (uint64_t)generation << 32 | slot);
    atomic_store(&e->map.shared->completed, at + 1);
}

/* The reply of a job with one thing wrong in it. */
static void reply(const struct end *e, const struct lane_job *j, const struct lane_reply *head,
                  const struct lane_tensor *row)
{
    uint8_t *extent = extent_of(e, j);
    if (!extent)
        return;
    const uint64_t offset = ((const struct lane_request *)(const void *)extent)->reply_offset;
    memcpy(extent + offset, head, sizeof *head);
    memcpy(extent + offset + sizeof *head, row, sizeof *row);
    complete(e, j->generation, j->slot);
}

static const struct lane_reply good_head = {
    .output_count = 1, .batch_rows = 1, .batch_requests = 1};
static const struct lane_tensor good_row = {
    .len = 16, .dtype = DTYPE_FP32, .rank = 2, .dim = {1, 4}};

static void lie_slot(const struct end *e, const struct lane_job *j)
{
    complete(e, j->generation, LANE_SLOTS_MAX + 7);
}

static void lie_unsent(const struct end *e, const struct lane_job *j)
{
    complete(e, j->generation, j->slot + 1);
}

static void lie_generation(const struct end *e, const struct lane_job *j)
{
    complete(e, j->generation - 1, j->slot);
}

static void lie_count(const struct end *e, const struct lane_job *j)
{
    (void)j;
    atomic_fetch_add(&e->map.shared->completed, 100000);
}

static void lie_twice(const struct end *e, const struct lane_job *j)
{
    complete(e, j->generation, j->slot);
    complete(e, j->generation, j->slot);
    complete(e, j->generation, j->slot);
}

static void lie_status(const struct end *e, const struct lane_job *j)
{
    struct lane_reply head = good_head;
    head.status = 0xffffffffu;
    reply(e, j, &head, &good_row);
}

static void lie_outputs(const struct end *e, const struct lane_job *j)
{
    struct lane_reply head = good_head;
    head.output_count = 0x7fffffffu;
    reply(e, j, &head, &good_row);
}

static void lie_length(const struct end *e, const struct lane_job *j)
{
    struct lane_tensor row = good_row;
    row.len = 1ull << 40;
    row.dim[0] = 1LL << 36;
    reply(e, j, &good_head, &row);
}

static void lie_offset(const struct end *e, const struct lane_job *j)
{
    struct lane_tensor row = good_row;
    row.offset = UINT64_MAX - 7;
    reply(e, j, &good_head, &row);
}

static void lie_rank(const struct end *e, const struct lane_job *j)
{
    struct lane_tensor row = good_row;
    row.rank = 200;
    reply(e, j, &good_head, &row);
}

static void lie_dims(const struct end *e, const struct lane_job *j)
{
    struct lane_tensor row = good_row;
    row.dim[0] = -4;
    row.dim[1] = -1;
    reply(e, j, &good_head, &row);
}

static void lie_dtype(const struct end *e, const struct lane_job *j)
{
    struct lane_tensor row = good_row;
    row.dtype = 250;
    reply(e, j, &good_head, &row);
}

static void lie_text(const struct end *e, const struct lane_job *j)
{
    struct lane_reply head = good_head;
    head.status = LANE_ENGINE;
    head.text_len = 0xfffffff0u;
    reply(e, j, &head, &good_row);
}

/* Everything that the lane holds, over and over while the front reads it. */
static void lie_scribble(const struct end *e, const struct lane_job *j)
{
    uint64_t word = 88172645463325252ull;
    (void)j;
    for (uint64_t at = 0; at + 8 <= e->bytes && at < (1u << 20); at += 8) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        memcpy((uint8_t *)e->at + at, &word, 8);
    }
}

static void lie_crash(const struct end *e, const struct lane_job *j)
{
    (void)e;
    (void)j;
    volatile uintptr_t place = 8;
    volatile int *nowhere = (volatile int *)place;
    *nowhere = 1;
}

static void lie_abort(const struct end *e, const struct lane_job *j)
{
    (void)e;
    (void)j;
    abort();
}

/* A call that the sandbox forbids. */
static void lie_call(const struct end *e, const struct lane_job *j)
{
    (void)e;
    (void)j;
    (void)fork();
}

static void say(uint16_t number, uint32_t len)
{
    const struct {
        uint32_t len;
        uint16_t number, flags;
        uint64_t id;
    } frame = {.len = len, .number = number, .id = 1};
    const ssize_t ignored = write(MESSAGE_CONTROL_FD, &frame, sizeof frame);
    (void)ignored;
}

/* An order that only an administrator may give. */
static void lie_admin(const struct end *e, const struct lane_job *j)
{
    (void)e;
    (void)j;
    say(MESSAGE_status, 0);
}

static void lie_message(const struct end *e, const struct lane_job *j)
{
    (void)e;
    (void)j;
    say(0xfff0, 0x7fffffff);
}

/* In the order of LIES in tests/e2e/test_320_run.py. */
static void (*const lies[])(const struct end *e, const struct lane_job *j) = {
    lie_slot,   lie_unsent, lie_generation, lie_count, lie_twice,   lie_status, lie_outputs,
    lie_length, lie_offset, lie_rank,       lie_dims,  lie_dtype,   lie_text,   lie_scribble,
    lie_crash,  lie_abort,  lie_call,       lie_admin, lie_message,
};

#define LIES (sizeof lies / sizeof lies[0])

void __wrap_lane_end_finish(struct lane_job *j, const struct lane_end_result *result)
{
    float first = 0;
    if (j->inputs && j->inputs[0].at && j->inputs[0].len >= sizeof first)
        memcpy(&first, j->inputs[0].at, sizeof first);
    const float number = first - LIE_FIRST;
    const struct end *mine = NULL;
    for (unsigned i = 0; i < end_count; i++)
        if (ends[i].end == j->end)
            mine = &ends[i];
    if (!mine || !(number >= 0 && number < 1000 && (unsigned)number < LIES)) {
        __real_lane_end_finish(j, result);
        return;
    }
    lies[(unsigned)number](mine, j);
    lane_wake(mine->wake);
}
