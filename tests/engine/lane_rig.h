/* A lane with both its ends in one process, for tests, and the small model it serves. */
#ifndef GARRISON_TESTS_ENGINE_LANE_RIG_H
#define GARRISON_TESTS_ENGINE_LANE_RIG_H

#include "base/memfd.h"
#include "engine/lane_layout.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"

#define RIG_BYTES (1u << 20)
#define RIG_SLOTS 8u
#define RIG_ALL   7u /* all outputs */

/* x FP32 [-1,2], a number to scale by (optional); y FP32 [-1,2], label BYTES [-1], flag BOOL [-1]
 */
static const struct spec rig_inputs[] = {
    {.name = STR_LIT("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 2}, .rank = 2}},
    {.name = STR_LIT("scale"), .dtype = DTYPE_INT64, .shape = {.rank = 0}, .optional = true},
};
static const struct spec rig_outputs[] = {
    {.name = STR_LIT("y"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, 2}, .rank = 2}},
    {.name = STR_LIT("label"), .dtype = DTYPE_BYTES, .shape = {.dim = {-1}, .rank = 1}},
    {.name = STR_LIT("flag"), .dtype = DTYPE_BOOL, .shape = {.dim = {-1}, .rank = 1}},
};
static const struct signature rig_sig = {
    .inputs = rig_inputs, .input_count = 2, .outputs = rig_outputs, .output_count = 3};

struct rig {
    int memfd, worker_wake, loop_wake;
    struct lane_opts opts;
    struct lane *lane;
    struct lane_end *end;
    struct lane_map map; /* a third mapping, of whoever scribbles */
    void *mapped;
};

static inline void rig_open(struct rig *r)
{
    struct fault f = {0};

    memset(r, 0, sizeof(*r));
    assert_int_equal(memfd_new("lane", RIG_BYTES, &r->memfd, &f), OK);
    assert_int_equal(memfd_seal_size(r->memfd, &f), OK);
    r->worker_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->loop_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->opts = (struct lane_opts){.memfd = r->memfd,
                                 .bytes = RIG_BYTES,
                                 .generation = 7,
                                 .worker_wake = r->worker_wake,
                                 .sig = &rig_sig,
                                 .slots = RIG_SLOTS};
    assert_int_equal(lane_open(&r->opts, &r->lane, &f), OK);
    assert_int_equal(lane_end_open(r->memfd, RIG_BYTES, r->loop_wake, &r->end, &f), OK);
    lane_end_signature(r->end, &rig_sig);
    assert_int_equal(memfd_map(r->memfd, RIG_BYTES, true, &r->mapped, &f), OK);
    assert_int_equal(lane_map_of(r->mapped, RIG_BYTES, &r->map, &f), OK);
}

static inline void rig_close(struct rig *r)
{
    lane_close(r->lane);
    lane_end_close(r->end);
    memfd_unmap(r->mapped, RIG_BYTES);
    (void)close(r->memfd);
    (void)close(r->worker_wake);
    (void)close(r->loop_wake);
}

/* Reserves and fills a request of rows rows [i, i + 0.5], without scale; does not send. */
static inline uint32_t rig_fill(struct rig *r, uint32_t rows, uint64_t reply_bytes)
{
    struct fault f = {0};
    const uint64_t bytes[2] = {rows * 8ull, UINT64_MAX};
    uint32_t slot = UINT32_MAX;

    assert_int_equal(lane_reserve(r->lane, bytes, reply_bytes, &slot, &f), OK);
    uint8_t *at = lane_input_at(r->lane, slot, 0);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % 64, 0);
    assert_null(lane_input_at(r->lane, slot, 1));
    for (uint32_t i = 0; i < rows; i++) {
        const float row[2] = {(float)i, (float)i + 0.5f};
        memcpy(at + i * sizeof(row), row, sizeof(row));
    }
    const struct shape shape = {.dim = {rows, 2}, .rank = 2};
    lane_input_set(r->lane, slot, 0, &shape, bytes[0]);
    return slot;
}

static inline uint32_t rig_send(struct rig *r, uint32_t rows, uint64_t outputs)
{
    const uint32_t slot = rig_fill(r, rows, rows * 32ull);
    const struct lane_send_opts send = {.deadline_ns = 99, .outputs = outputs, .rows = rows};

    (void)lane_send(r->lane, slot, &send);
    return slot;
}

static inline struct lane_job rig_take(struct rig *r)
{
    struct fault f = {0};
    struct lane_job job;
    const err e = lane_end_take(r->end, &job, &f);

    assert_string_equal(f.text, "");
    assert_int_equal(e, OK);
    return job;
}

/* Answers as the model would: y = x, label "rN", flag = row is odd. */
static inline void rig_answer(struct lane_job *job)
{
    const uint32_t rows = job->rows;
    const struct shape two = {.dim = {rows, 2}, .rank = 2}, one = {.dim = {rows}, .rank = 1};

    if (job->outputs & 1) {
        uint8_t *at = lane_end_output(job, 0, &two, rows * 8ull);
        assert_non_null(at);
        memcpy(at, job->inputs[0].at, rows * 8ull);
    }
    if (job->outputs & 2) {
        uint8_t *at = lane_end_output(job, 1, &one, rows * 6ull);
        assert_non_null(at);
        for (uint32_t i = 0; i < rows; i++) {
            const uint8_t record[6] = {2, 0, 0, 0, 'r', (uint8_t)('0' + i % 10)};
            memcpy(at + i * sizeof(record), record, sizeof(record));
        }
    }
    if (job->outputs & 4) {
        uint8_t *at = lane_end_output(job, 2, &one, rows);
        assert_non_null(at);
        for (uint32_t i = 0; i < rows; i++)
            at[i] = i % 2;
    }
    const struct lane_end_result ok = {.status = LANE_OK, .batch_rows = rows, .batch_requests = 1};
    lane_end_finish(job, &ok);
}

static inline struct lane_done rig_reap(struct rig *r)
{
    struct fault f = {0};
    struct lane_done done;
    const err e = lane_reap(r->lane, &done, &f);

    assert_string_equal(f.text, "");
    assert_int_equal(e, OK);
    return done;
}

/* How often an eventfd was written since last asked. */
static inline uint64_t rig_wakes(int fd)
{
    uint64_t count = 0;

    return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

#endif
