/* A lane whose other end lies, dies or is replaced. Every check of a reply and of a submission is
 * violated once, alone, by a third mapping of the same memory; the honest case is the control. */
#include "lane_rig.h"

/* The extent of the n-th submission, as the third mapping sees it. */
static uint8_t *extent_of(const struct rig *r, uint32_t n)
{
    return r->map.area + (atomic_load(&r->map.submissions[n].where) >> 32) * LANE_LINE;
}

/* A reply as the liar may rewrite it. */
struct forged {
    struct lane_reply *reply;
    struct lane_tensor *row;
    uint8_t *room;
};

static struct forged forge(const struct rig *r, uint32_t n)
{
    uint8_t *extent = extent_of(r, n);
    struct lane_request request;
    memcpy(&request, extent, sizeof(request));
    uint8_t *reply = extent + request.reply_offset;
    return (struct forged){.reply = (void *)reply,
                           .row = (void *)(reply + sizeof(struct lane_reply)),
                           .room = reply + lane_reply_head(3)};
}

/* The lies, by number, against an honest reply of 2 rows with all three outputs. */
enum {
    LIE_NONE,
    LIE_STATUS,
    LIE_STATUS_HUGE,
    LIE_COUNT_LESS,
    LIE_COUNT_MORE,
    LIE_TEXT_LEN,
    LIE_DTYPE,
    LIE_DTYPE_OUT_OF_TABLE,
    LIE_RANK_LESS,
    LIE_RANK_HUGE,
    LIE_DIM_NEGATIVE,
    LIE_DIM_FIXED,
    LIE_DIM_PRODUCT_WRAPS,
    LIE_BYTES_LESS,
    LIE_BYTES_MORE,
    LIE_OFFSET_HUGE,
    LIE_OFFSET_PAST_ROOM,
    LIE_OFFSET_WRAPS,
    LIE_LEN_PAST_ROOM,
    LIE_RECORD_PAST_END,
    LIE_RECORDS_TOO_FEW,
    LIE_RECORDS_TRAIL,
    LIE_BOOL,
    LIE_COUNT
};

static void tell_header(struct forged *g, int lie)
{
    switch (lie) {
    case LIE_STATUS:
        g->reply->status = LANE_STATUS_COUNT;
        break;
    case LIE_STATUS_HUGE:
        g->reply->status = UINT32_MAX;
        break;
    case LIE_COUNT_LESS:
        g->reply->output_count = 2;
        break;
    case LIE_COUNT_MORE:
        g->reply->output_count = 4;
        break;
    case LIE_TEXT_LEN:
        g->reply->text_len = LANE_TEXT + 1;
        break;
    case LIE_DTYPE:
        g->row[0].dtype = DTYPE_INT32; /* as wide as FP32 */
        break;
    case LIE_DTYPE_OUT_OF_TABLE:
        g->row[0].dtype = 1u << 31;
        break;
    case LIE_RANK_LESS:
        g->row[0].rank = 1;
        break;
    case LIE_RANK_HUGE:
        g->row[0].rank = 1u << 20;
        break;
    default:
        break;
    }
}

static void tell_row(struct forged *g, int lie, uint64_t room)
{
    switch (lie) {
    case LIE_DIM_NEGATIVE:
        g->row[0].dim[0] = -2;
        break;
    case LIE_DIM_FIXED:
        g->row[0].dim[0] = 1;
        g->row[0].dim[1] = 4; /* the same number of elements */
        break;
    case LIE_DIM_PRODUCT_WRAPS:
        g->row[0].dim[0] = (1ll << 62) + 2; /* times 2 times 4 is 16 modulo 2^64 */
        break;
    case LIE_BYTES_LESS:
        g->row[0].len = 12;
        break;
    case LIE_BYTES_MORE:
        g->row[0].len = 20;
        break;
    case LIE_OFFSET_HUGE:
        g->row[0].offset = UINT64_MAX;
        break;
    case LIE_OFFSET_PAST_ROOM:
        g->row[0].offset = room - 15;
        break;
    case LIE_OFFSET_WRAPS:
        g->row[0].offset = UINT64_MAX - 7;
        break;
    case LIE_LEN_PAST_ROOM:
        g->row[0].dim[0] = (int64_t)(room / 8 + 1);
        g->row[0].len = (room / 8 + 1) * 8;
        break;
    default:
        break;
    }
}

static void tell_content(struct forged *g, int lie)
{
    uint8_t *label = g->room + g->row[1].offset;
    switch (lie) {
    case LIE_RECORD_PAST_END:
        label[6] = 3; /* the second record reaches a byte past the tensor */
        break;
    case LIE_RECORDS_TOO_FEW:
        label[0] = 8; /* one record of all bytes, two by the shape */
        break;
    case LIE_RECORDS_TRAIL:
        g->row[1].len += 1;
        break;
    case LIE_BOOL:
        g->room[g->row[2].offset + 1] = 2;
        break;
    default:
        break;
    }
}

static void lane_reap__refuses_every_lie_in_a_reply(void **state)
{
    (void)state;
    for (int lie = 0; lie < LIE_COUNT; lie++) {
        struct rig r;
        rig_open(&r);
        const uint32_t slot = rig_send(&r, 2, RIG_ALL);
        struct lane_job job = rig_take(&r);
        rig_answer(&job);
        struct forged g = forge(&r, 0);
        tell_header(&g, lie);
        tell_row(&g, lie, job.reply_bytes);
        tell_content(&g, lie);

        struct lane_done done = {.slot = 77};
        struct fault f = {0};
        const err e = lane_reap(r.lane, &done, &f);
        if (lie == LIE_NONE) {
            assert_int_equal(e, OK);
            assert_int_equal(done.slot, slot);
        } else {
            if (e != ERR_ENGINE)
                print_error("lie %d was believed\n", lie);
            assert_int_equal(e, ERR_ENGINE);
            assert_int_equal(done.slot, 77);
            assert_int_not_equal(f.text[0], '\0');
            assert_int_equal(lane_reap(r.lane, &done, NULL), ERR_ENGINE); /* never again */
            assert_false(lane_sleep(r.lane)); /* and it keeps no loop awake */
        }
        rig_close(&r);
    }
}

/* Publishes a completion as the liar pleases. */
static void complete(const struct rig *r, uint32_t index, uint32_t generation, uint32_t slot)
{
    atomic_store(&r->map.completions[index & (LANE_RING - 1)], (uint64_t)generation << 32 | slot);
    atomic_store(&r->map.shared->completed, index + 1);
}

static void lane_reap__refuses_every_lie_in_the_ring(void **state)
{
    (void)state;
    for (int lie = 0; lie < 8; lie++) {
        struct rig r;
        rig_open(&r);
        const uint32_t slot = rig_send(&r, 1, 1);
        struct lane_job job = rig_take(&r);
        rig_answer(&job);
        const uint32_t filling = rig_fill(&r, 1, 64);
        if (lie == 1)
            complete(&r, 0, 6, slot); /* of the last front */
        else if (lie == 2)
            complete(&r, 0, 7, filling); /* not sent */
        else if (lie == 3)
            complete(&r, 0, 7, slot + 5); /* free */
        else if (lie == 4)
            complete(&r, 0, 7, RIG_SLOTS); /* beyond */
        else if (lie == 5)
            complete(&r, 0, 7, UINT32_MAX);
        else if (lie == 6)
            atomic_store(&r.map.shared->completed, 2); /* more than was sent */
        else if (lie == 7)
            atomic_store(&r.map.shared->completed, UINT32_MAX); /* before what was taken */

        struct lane_done done = {.slot = 77};
        const err e = lane_reap(r.lane, &done, NULL);
        assert_int_equal(e, lie == 0 ? OK : ERR_ENGINE);
        assert_int_equal(done.slot, lie == 0 ? slot : 77);
        rig_close(&r);
    }
}

static void lane_reap__refuses_a_second_completion(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    const uint32_t slot = rig_send(&r, 1, 1);
    (void)rig_send(&r, 1, 1);
    struct lane_job job = rig_take(&r);
    struct lane_done done;

    rig_answer(&job);
    (void)rig_reap(&r);
    complete(&r, 1, 7, slot);
    assert_int_equal(lane_reap(r.lane, &done, NULL), ERR_ENGINE);
    rig_close(&r);
}

static void lane_reap__clamps_times_to_what_passed(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    (void)rig_send(&r, 1, 1);
    struct lane_job job = rig_take(&r);
    rig_answer(&job);
    const struct forged g = forge(&r, 0);

    g.reply->input_ns = UINT64_MAX;
    g.reply->compute_ns = 1;
    g.reply->output_ns = 1ull << 63;
    const struct lane_done done = rig_reap(&r);
    assert_true(done.input_ns < 60ull * 1000000000);
    assert_int_equal(done.compute_ns, 1);
    assert_true(done.output_ns < 60ull * 1000000000);
    rig_close(&r);
}

/* The check holds for the copy: what changes behind it moves no view. */
static void lane_reap__is_not_moved_by_a_later_write(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    (void)rig_send(&r, 2, RIG_ALL);
    struct lane_job job = rig_take(&r);
    rig_answer(&job);
    struct forged g = forge(&r, 0);
    const struct lane_done done = rig_reap(&r);
    const struct view before = done.views[0];

    memset(g.row, 0xff, 3 * sizeof(*g.row));
    memset(g.reply, 0xff, sizeof(*g.reply));
    assert_memory_equal(&done.views[0], &before, sizeof(before));
    rig_close(&r);
}

/* A reply of which a part was written when the writer died: its completion is not there, or what
 * is there is checked like any other. Every prefix of the reply's bytes over old noise. */
static void lane_reap__survives_torn_writes(void **state)
{
    (void)state;
    const uint64_t head = lane_reply_head(3);
    for (uint64_t cut = 0; cut <= head; cut += 4) {
        struct rig r;
        rig_open(&r);
        (void)rig_send(&r, 2, RIG_ALL);
        struct lane_job job = rig_take(&r);
        rig_answer(&job);
        struct forged g = forge(&r, 0);
        memset((uint8_t *)g.reply + cut, 0xa5, head - cut);
        struct lane_done done;
        const err e = lane_reap(r.lane, &done, NULL);
        const uint64_t rows_end = sizeof(struct lane_reply) + 3 * sizeof(struct lane_tensor);
        if (cut < 40 || (cut < rows_end - 64 && e == OK))
            assert_int_equal(e, ERR_ENGINE);
        if (cut >= rows_end)
            assert_int_equal(e, OK);
        rig_close(&r);
    }
}

/* What a front may not tell the worker: lie n about a good submission of 2 rows. */
static void tell_submission(const struct rig *r, int lie)
{
    struct lane_submission *entry = &r->map.submissions[0];
    struct lane_request *request = (void *)extent_of(r, 0);
    struct lane_tensor *row = (void *)(extent_of(r, 0) + sizeof(*request));
    const uint64_t where = atomic_load(&entry->where);

    switch (lie) {
    case 1:
        atomic_store(&r->map.shared->submitted, LANE_RING + 1);
        break;
    case 2:
        atomic_store(&entry->who, 6ull << 32);
        break;
    case 3:
        atomic_store(&entry->who, 7ull << 32 | LANE_SLOTS_MAX);
        break;
    case 4:
        atomic_store(&entry->where, (where >> 32 | 0xffffff) << 32 | (where & UINT32_MAX));
        break;
    case 5:
        atomic_store(&entry->where, where | UINT32_MAX);
        break;
    case 6:
        atomic_store(&entry->where, where >> 32 << 32 | 1);
        break;
    case 7:
        request->input_count = 3;
        break;
    case 8:
        request->outputs = 0;
        break;
    case 9:
        request->outputs = 8;
        break;
    case 10:
        request->outputs = UINT64_MAX;
        break;
    case 11:
        request->reply_offset = 64;
        break;
    case 12:
        request->reply_offset += 8;
        break;
    case 13:
        request->reply_offset = UINT64_MAX - 63;
        break;
    case 14:
        row[0].dtype = DTYPE_NONE; /* x is not optional */
        break;
    case 15:
        row[0].dtype = DTYPE_INT32;
        break;
    case 16:
        row[0].rank = 9;
        break;
    case 17:
        row[0].dim[0] = 3;
        break;
    case 18:
        row[0].dim[1] = 3;
        break;
    case 19:
        row[0].offset = UINT64_MAX - 15;
        break;
    case 20:
        row[0].offset = request->reply_offset - 8;
        break;
    case 21:
        request->flags = 2;
        break;
    default:
        break;
    }
}

static void lane_end_take__refuses_every_lie_in_a_submission(void **state)
{
    (void)state;
    for (int lie = 0; lie <= 21; lie++) {
        struct rig r;
        rig_open(&r);
        (void)rig_send(&r, 2, RIG_ALL);
        tell_submission(&r, lie);
        struct lane_job job = {.slot = 77};
        struct fault f = {0};
        const err e = lane_end_take(r.end, &job, &f);
        if (e != (lie == 0 ? OK : ERR_INPUT))
            print_error("lie %d was believed\n", lie);
        assert_int_equal(e, lie == 0 ? OK : ERR_INPUT);
        assert_int_equal(job.slot, lie == 0 ? 0 : 77);
        if (lie > 1) /* the entry is off the ring */
            assert_int_equal(lane_end_take(r.end, &job, NULL), ERR_NOT_FOUND);
        rig_close(&r);
    }
}

static void lane_end_take__refuses_a_slot_that_runs(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    (void)rig_send(&r, 1, 1);
    (void)rig_take(&r);
    struct lane_job job;

    atomic_store(&r.map.submissions[1].who, atomic_load(&r.map.submissions[0].who));
    atomic_store(&r.map.submissions[1].where, atomic_load(&r.map.submissions[0].where));
    atomic_store(&r.map.shared->submitted, 2);
    assert_int_equal(lane_end_take(r.end, &job, NULL), ERR_INPUT);
    rig_close(&r);
}

/* The front dies with one request running and one waiting; the next front finds a clean lane. */
static void lane_end_drop__makes_room_for_the_next_front(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    struct lane_end *ends[1] = {r.end};
    struct lane_done done;

    (void)rig_send(&r, 1, 1);
    (void)rig_send(&r, 1, 1);
    struct lane_job running = rig_take(&r);
    assert_false(lane_sleep(r.lane));
    lane_close(r.lane);
    r.lane = NULL;

    assert_false(lane_end_drop(r.end, 7)); /* one runs */
    assert_true(lane_end_cancelled(&running));
    struct lane_job job;
    assert_int_equal(lane_end_take(r.end, &job, NULL), ERR_NOT_FOUND); /* what waited is dropped */
    assert_false(lane_end_drop(r.end, 7));
    rig_answer(&running);
    assert_int_equal(rig_wakes(r.loop_wake), 0); /* told nobody */
    assert_false(lane_ends_sleep(ends, 1));
    assert_true(lane_end_drop(r.end, 7));

    r.opts.generation = 8;
    assert_int_equal(lane_open(&r.opts, &r.lane, NULL), OK);
    assert_int_equal(lane_reap(r.lane, &done, NULL), ERR_NOT_FOUND);
    (void)rig_send(&r, 1, 1);
    assert_int_equal(rig_wakes(r.worker_wake), 1); /* it slept through the change */
    job = rig_take(&r);
    assert_int_equal(job.generation, 8);
    assert_false(lane_end_cancelled(&job));
    assert_true(lane_end_drop(r.end, 6) == false); /* late word about another one */
    assert_false(lane_end_cancelled(&job));
    rig_answer(&job);
    assert_int_equal(rig_reap(&r).status, LANE_OK);
    rig_close(&r);
}

static void lane_end_drop__is_clean_at_once_when_nothing_ran(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);

    assert_true(lane_end_drop(r.end, 7)); /* opened, nothing sent */
    assert_true(lane_end_drop(r.end, 3)); /* never seen */
    (void)rig_send(&r, 1, 1);
    struct lane_job job = rig_take(&r);
    rig_answer(&job);
    (void)rig_reap(&r);
    assert_true(lane_end_drop(r.end, 7));
    assert_int_equal(lane_end_take(r.end, &job, NULL), ERR_NOT_FOUND);
    rig_close(&r);
}

/* The worker dies with requests in flight: the front forgets the lane; nothing is owed. */
static void lane_close__forgets_what_was_in_flight(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    (void)rig_send(&r, 1, 1);
    (void)rig_fill(&r, 1, 64);
    lane_end_close(r.end);
    r.end = NULL;
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_reap__refuses_every_lie_in_a_reply),
        cmocka_unit_test(lane_reap__refuses_every_lie_in_the_ring),
        cmocka_unit_test(lane_reap__refuses_a_second_completion),
        cmocka_unit_test(lane_reap__clamps_times_to_what_passed),
        cmocka_unit_test(lane_reap__is_not_moved_by_a_later_write),
        cmocka_unit_test(lane_reap__survives_torn_writes),
        cmocka_unit_test(lane_end_take__refuses_every_lie_in_a_submission),
        cmocka_unit_test(lane_end_take__refuses_a_slot_that_runs),
        cmocka_unit_test(lane_end_drop__makes_room_for_the_next_front),
        cmocka_unit_test(lane_end_drop__is_clean_at_once_when_nothing_ran),
        cmocka_unit_test(lane_close__forgets_what_was_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
