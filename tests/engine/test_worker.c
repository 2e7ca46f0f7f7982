/* The spine without HTTP: a real garrison-worker in its sandbox, driven over a lane. */
#include "check.h"

#include "worker_rig.h"

static const char *dir;

static struct worker_settings settings(void)
{
    struct worker_settings s = {.budget_bytes = 256ull << 20,
                                .threads = 1,
                                .instances = 1,
                                .loops = 1,
                                .sandbox_required = 1};
    char path[4096];
    if (!realpath(MODELS_RUNTIME, path))
        fail_msg("no %s", MODELS_RUNTIME);
    memcpy(s.runtime, path, strlen(path));
    return s;
}

static const struct lane_send_opts plain = {.outputs = 1, .rows = 1};

static void worker__refuses_a_model_with_its_reason(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    assert_false(rig_open(&r, dir, "sequence_output", &s));
    assert_non_null(strstr(r.text, "export it as one tensor"));
    const int status = rig_wait(&r);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    rig_close(&r);
}

static void worker__refuses_a_bomb_that_goes_off_at_load(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    const uint64_t begun = clock_ns();
    const bool loaded = rig_open(&r, dir, "bomb_load", &s); /* or refused, by the runtime */
    if (loaded) {
        const float row[4] = {0};
        const struct view input = {DTYPE_FP32, {{1, 4}, 2}, (const void *)row, sizeof row};
        (void)rig_send_job(&r, &input, &plain);
        const struct lane_done done = rig_reap(&r);
        assert_int_equal(done.status, LANE_ENGINE);
        lane_release(r.lane, done.slot);
    }
    assert_true(clock_ns() - begun < 5 * NS_PER_S);
    rig_close(&r);
}

static void worker__refuses_batches_that_the_trial_denies(void **state)
{
    static const char *const names[] = {"lstm", "mean_rows"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig r;
        struct worker_settings s = settings();
        s.batch_rows_max = 8;
        assert_false(rig_open(&r, dir, names[i], &s));
        assert_non_null(strstr(r.text, "take max_batch_size out"));
        rig_close(&r);
    }
}

static void worker__survives_a_load_that_never_ends(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    assert_true(rig_open(&r, dir, "endless", &s));
    assert_int_equal(r.run_ns[0], 0);
    rig_close(&r);
}

/* The answer of a model to its stored inputs, over the lane, count times. */
static void exchange(const char *name, const struct worker_settings *s, int count)
{
    struct models_tensor all[8];
    struct view inputs[8] = {0};
    struct rig r;
    if (!rig_open(&r, dir, name, s))
        fail_msg("%s: %s", name, r.text);
    assert_int_equal(r.loaded.sandbox, 0);
    const uint32_t tensors = models_tensors(dir, name, all, 8);
    uint64_t outputs = 0;
    for (uint32_t i = 0; i < tensors; i++) {
        const int at = all[i].output ? signature_output(&r.sig, all[i].name)
                                     : signature_input(&r.sig, all[i].name);
        assert_true(at >= 0);
        if (all[i].output)
            outputs |= 1ull << at;
        else
            inputs[at] = all[i].view;
    }
    const struct lane_send_opts opts = {.outputs = outputs, .rows = 1};
    for (int turn = 0; turn < count; turn++) {
        (void)rig_send_job(&r, inputs, &opts);
        const struct lane_done done = rig_reap(&r);
        if (done.status != LANE_OK)
            fail_msg("%s: status %d, %s", name, done.status, done.text);
        uint32_t at = 0;
        for (uint32_t i = 0; i < tensors; i++) {
            if (!all[i].output)
                continue;
            const struct view *got = &done.views[at++];
            assert_true(shape_eq(&got->shape, &all[i].view.shape));
            assert_int_equal(got->len, all[i].view.len);
            assert_memory_equal(got->at, all[i].view.at, got->len);
        }
        lane_release(r.lane, done.slot);
    }
    rig_send(&r, MESSAGE_stop, 0, NULL, 0);
    const int status = rig_wait(&r);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    models_free(all, tensors);
    rig_close(&r);
}

static void worker__answers_as_the_runtime_in_python(void **state)
{
    static const char *const names[] = {
        "simple",  "simple_string", "zipmap_string",  "boost_int64",   "external",    "scalar",
        "nonzero", "default_input", "identity_bytes", "identity_bf16", "matmul_fp16", "lstm"};
    (void)state;
    const struct worker_settings s = settings();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        exchange(names[i], &s, 3);
}

static void worker__makes_a_thousand_exchanges(void **state)
{
    (void)state;
    const struct worker_settings s = settings();
    exchange("identity", &s, 1000);
}

static void worker__runs_with_threads_instances_and_spin(void **state)
{
    (void)state;
    struct worker_settings s = settings();
    s.threads = 2;
    s.instances = 3;
    exchange("matmul", &s, 200);
    s.spin = 1;
    exchange("matmul", &s, 20);
}

static void worker__stacks_rows_and_hands_them_back(void **state)
{
    (void)state;
    struct rig r;
    struct worker_settings s = settings();
    struct models_tensor all[2];
    uint32_t slots[32];
    uint32_t most = 0;
    s.batch_rows_max = 8;
    if (!rig_open(&r, dir, "matmul", &s))
        fail_msg("%s", r.text);
    assert_int_equal(r.loaded.batches, 1);
    assert_true(r.run_ns[0] > 0 && r.run_ns[3] > 0 && r.run_ns[4] == 0);
    r.sig.max_batch_size = 8;
    assert_int_equal(models_tensors(dir, "matmul", all, 2), 2);
    const uint64_t in_row = all[0].view.len / 7, out_row = all[1].view.len / 7;
    for (uint32_t i = 0; i < 28; i++) {
        struct view row = all[0].view;
        row.shape.dim[0] = 1;
        row.at += in_row * (i % 7);
        row.len = in_row;
        slots[i] = rig_send_job(&r, &row, &plain);
    }
    for (uint32_t n = 0; n < 28; n++) {
        const struct lane_done done = rig_reap(&r);
        uint32_t i = 0;
        assert_int_equal(done.status, LANE_OK);
        while (slots[i] != done.slot)
            i++;
        const float *got = (const void *)done.views[0].at;
        const float *want = (const void *)(all[1].view.at + out_row * (i % 7));
        assert_int_equal(done.views[0].shape.dim[0], 1);
        for (uint64_t k = 0; k < out_row / 4; k++) {
            const float d = got[k] > want[k] ? got[k] - want[k] : want[k] - got[k];
            assert_true(d <= 1e-5f + 1e-5f * (want[k] < 0 ? -want[k] : want[k]));
        }
        assert_true(done.batch_rows >= 1 && done.batch_rows <= 8);
        if (done.batch_requests > most)
            most = done.batch_requests;
        lane_release(r.lane, done.slot);
        slots[i] = UINT32_MAX;
    }
    assert_true(most > 1);
    models_free(all, 2);
    rig_close(&r);
}

/* One bad index must not fail the requests that it was stacked with. */
static void worker__fails_only_the_bad_row_of_a_batch(void **state)
{
    (void)state;
    struct rig r;
    struct worker_settings s = settings();
    const int64_t good = 2, bad = 9;
    const struct view fine = {DTYPE_INT64, {{1}, 1}, (const void *)&good, 8};
    const struct view wrong = {DTYPE_INT64, {{1}, 1}, (const void *)&bad, 8};
    s.batch_rows_max = 8;
    assert_true(rig_open(&r, dir, "gather", &s));
    assert_int_equal(r.loaded.batches, 1);
    for (int turn = 0; turn < 20; turn++) {
        const uint32_t culprit = rig_send_job(&r, &wrong, &plain);
        for (int i = 0; i < 7; i++)
            (void)rig_send_job(&r, &fine, &plain);
        for (int i = 0; i < 8; i++) {
            const struct lane_done done = rig_reap(&r);
            assert_int_equal(done.status, done.slot == culprit ? LANE_ENGINE : LANE_OK);
            lane_release(r.lane, done.slot);
        }
    }
    rig_close(&r);
}

static void worker__ends_over_a_chain_of_functions(void **state)
{
    (void)state;
    struct rig r = {.pid = -1};
    uint64_t len = 0;
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct worker_settings s = settings();
    const struct message_worker_load load = {0};
    uint8_t *model = models_read(dir, "chain_3000", ".onnx", &len);
    const int file = rig_file("model", model, len);
    const char *name = "";
    free(model);
    rig_start(&r, &s, "worker", &file, &name, 1);
    RIG_MUST(message_put_worker_load(&load, &b, NULL) == OK);
    rig_send(&r, MESSAGE_worker_load, 1, b.at, b.len);
    const int status = rig_wait(&r); /* 1.32 refuses beyond 100, older runtimes crash */
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WEXITSTATUS(status) == 3);
    (void)close(file);
    rig_close(&r);
}

static void worker__refuses_to_start_by_hand(void **state)
{
    (void)state;
    char path[4096], command[8192];
    (void)snprintf(path, sizeof path, "%s/garrison-worker", rig_build());
    RIG_MUST(access(path, X_OK) == 0);
    (void)snprintf(command, sizeof command, "%s --role=worker 3<&- 2>&1 | grep -q 'not by hand'",
                   path);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof command, "%s --role=worker 3<&- 2>/dev/null", path);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

static void worker__ends_a_run_on_cancellation_and_deadline(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    const int64_t many = 1000000, few = 1;
    const struct view long_run = {DTYPE_INT64, {{1}, 1}, (const void *)&many, 8};
    const struct view short_run = {DTYPE_INT64, {{1}, 1}, (const void *)&few, 8};
    assert_true(rig_open(&r, dir, "spin", &s));
    const uint32_t slot = rig_send_job(&r, &long_run, &plain);
    const uint64_t begun = clock_ns();
    lane_cancel(r.lane, slot);
    struct lane_done done = rig_reap(&r);
    assert_int_equal(done.status, LANE_TERMINATED);
    lane_release(r.lane, done.slot);
    const struct lane_send_opts late = {
        .outputs = 1, .rows = 1, .deadline_ns = clock_ns() + 50 * NS_PER_MS};
    (void)rig_send_job(&r, &long_run, &late);
    done = rig_reap(&r);
    assert_int_equal(done.status, LANE_TERMINATED);
    lane_release(r.lane, done.slot);
    (void)rig_send_job(&r, &short_run, &plain);
    done = rig_reap(&r);
    assert_int_equal(done.status, LANE_OK);
    lane_release(r.lane, done.slot);
    assert_true(clock_ns() - begun < 3 * NS_PER_S);
    rig_close(&r);
}

static void worker__outlives_a_bomb(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    const int64_t huge = 1ll << 33, small = 10;
    struct view input = {DTYPE_INT64, {{1}, 1}, (const void *)&huge, 8};
    assert_true(rig_open(&r, dir, "bomb", &s));
    (void)rig_send_job(&r, &input, &plain);
    struct lane_done done = rig_reap(&r);
    assert_int_equal(done.status, LANE_ENGINE);
    lane_release(r.lane, done.slot);
    input.at = (const void *)&small;
    (void)rig_send_job(&r, &input, &plain);
    done = rig_reap(&r);
    assert_int_equal(done.status, LANE_OK);
    lane_release(r.lane, done.slot);
    rig_close(&r);
}

static void worker__hands_a_lane_to_the_next_front(void **state)
{
    (void)state;
    struct rig r;
    const struct worker_settings s = settings();
    uint8_t bytes[64];
    const int64_t many = 1000000, few = 1;
    const struct view long_run = {DTYPE_INT64, {{1}, 1}, (const void *)&many, 8};
    const struct view short_run = {DTYPE_INT64, {{1}, 1}, (const void *)&few, 8};
    assert_true(rig_open(&r, dir, "spin", &s));
    for (uint32_t generation = 4; generation < 10; generation += 2) {
        struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
        const struct message_lane_drop drop = {.loop = 0, .generation = generation};
        struct message_lane_clean clean;
        (void)rig_send_job(&r, &long_run, &plain);
        (void)rig_send_job(&r, &long_run, &plain);
        RIG_MUST(message_put_lane_drop(&drop, &b, NULL) == OK);
        rig_send(&r, MESSAGE_lane_drop, 0, b.at, b.len);
        const struct message_frame frame = rig_next(&r);
        assert_int_equal(frame.number, MESSAGE_lane_clean);
        RIG_MUST(message_get_lane_clean(rig_payload(&r, &frame), &clean, NULL) == OK);
        assert_int_equal(clean.generation, generation);
        lane_close(r.lane);
        rig_lane(&r, generation + 2);
        (void)rig_send_job(&r, &short_run, &plain);
        const struct lane_done done = rig_reap(&r);
        assert_int_equal(done.status, LANE_OK);
        lane_release(r.lane, done.slot);
    }
    rig_close(&r);
}

static void reader__names_the_files_of_a_model(void **state)
{
    (void)state;
    struct rig r = {.pid = -1};
    uint64_t len = 0;
    const struct worker_settings s = settings();
    uint8_t *bytes = models_read(dir, "external", ".onnx", &len);
    const int file = rig_file("model", bytes, len);
    const char *name = "";
    struct message_worker_scanned scanned;
    struct message_file row;
    free(bytes);
    rig_start(&r, &s, "reader", &file, &name, 1);
    rig_send(&r, MESSAGE_worker_scan, 5, NULL, 0);
    const struct message_frame frame = rig_next(&r);
    assert_int_equal(frame.number, MESSAGE_worker_scanned);
    RIG_MUST(message_get_worker_scanned(rig_payload(&r, &frame), &scanned, NULL) == OK);
    assert_true(message_next_file(&scanned.files, &row));
    assert_true(str_eq(row.name, STR("external.bin")));
    assert_false(message_next_file(&scanned.files, &row));
    (void)close(file);
    rig_close(&r);
}

static int set_up(void **state)
{
    (void)state;
    dir = models_dir();
    return dir ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker__refuses_to_start_by_hand),
        cmocka_unit_test(worker__ends_over_a_chain_of_functions),
        cmocka_unit_test(worker__fails_only_the_bad_row_of_a_batch),
        cmocka_unit_test(worker__refuses_a_model_with_its_reason),
        cmocka_unit_test(worker__refuses_a_bomb_that_goes_off_at_load),
        cmocka_unit_test(worker__refuses_batches_that_the_trial_denies),
        cmocka_unit_test(worker__survives_a_load_that_never_ends),
        cmocka_unit_test(reader__names_the_files_of_a_model),
        cmocka_unit_test(worker__answers_as_the_runtime_in_python),
        cmocka_unit_test(worker__makes_a_thousand_exchanges),
        cmocka_unit_test(worker__runs_with_threads_instances_and_spin),
        cmocka_unit_test(worker__stacks_rows_and_hands_them_back),
        cmocka_unit_test(worker__ends_a_run_on_cancellation_and_deadline),
        cmocka_unit_test(worker__outlives_a_bomb),
        cmocka_unit_test(worker__hands_a_lane_to_the_next_front),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
