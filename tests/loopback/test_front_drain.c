/* The end of a front, as the keeper asks for it: what is under way ends within the grace or is
 * answered when that is over, and each request is counted once. */
#include "front_client.h"

#define ASKED 6u

static int setup(void **state)
{
    struct front_settings s = rig_settings();
    s.loops = 2; /* drain and cut are handed from loop to loop */
    *state = rig_new(&s);
    return 0;
}

static int teardown(void **state)
{
    rig_end(*state);
    return 0;
}

struct told {
    bool drained;
    uint64_t requests_cut;
};

static void look(struct rig *r, void *arg)
{
    *(struct told *)arg =
        (struct told){.drained = r->front.drained, .requests_cut = r->front.requests_cut};
}

/* Waits until the keeper would be told that nothing is left. */
static struct told wait_drained(struct rig *r)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    struct told told = {0};
    while (!told.drained && clock_ns() < end)
        rig_in_loop(r, look, &told);
    assert_true(told.drained);
    return told;
}

static void drain(struct rig *r, uint32_t grace_ms)
{
    struct message_front_drain m = {.delay_ms = 0, .grace_ms = grace_ms};
    rig_in_loop(r, rig_drain, &m);
}

/* Requests that lanes and queues hold, since the worker answers none. */
static void hold_some(struct rig *r, int fds[ASKED])
{
    char bytes[2048];
    const size_t len = rig_request(bytes, sizeof(bytes), "", RIG_BODY(3), strlen(RIG_BODY(3)));
    atomic_store(&r->hold, true);
    for (uint32_t i = 0; i < ASKED; i++) {
        fds[i] = rig_connect(r);
        atomic_fetch_add(&r->sent, 1);
        assert_true(rig_send(fds[i], bytes, len));
    }
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    for (uint32_t held = 0; held < ASKED;) {
        assert_true(clock_ns() < end);
        (void)pthread_mutex_lock(&r->front.lock);
        const struct backend_shared *s = r->front.shared;
        held = s ? atomic_load(&s->waiting) + atomic_load(&s->in_flight) : 0;
        (void)pthread_mutex_unlock(&r->front.lock);
    }
}

static void drain__cuts_what_outlasts_the_grace(void **state)
{
    struct rig *r = *state;
    struct reply a;
    int fds[ASKED];
    hold_some(r, fds);
    drain(r, 50);
    for (uint32_t i = 0; i < ASKED; i++) {
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 503);
        assert_non_null(strstr(a.bytes, "Connection: close\r\n"));
        assert_non_null(strstr(a.bytes + a.head, "the server is shutting down"));
        (void)close(fds[i]);
    }
    assert_int_equal(wait_drained(r).requests_cut, ASKED);
    assert_int_equal(rig_pair(r, PAIR_REJECTED_DRAINING), ASKED);
    rig_identity(r);
    rig_wait_lane(r, 0, 0); /* the worker lets go of what was cut */
}

static void drain__waits_for_what_ends_in_the_grace(void **state)
{
    struct rig *r = *state;
    struct reply a;
    int fds[ASKED];
    hold_some(r, fds);
    drain(r, 600000);
    atomic_store(&r->hold, false);
    rig_poke(r->worker->wake);
    for (uint32_t i = 0; i < ASKED; i++) {
        rig_read(fds[i], &a);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.bytes, "Connection: close\r\n"));
        (void)close(fds[i]);
    }
    assert_int_equal(wait_drained(r).requests_cut, 0);
    assert_int_equal(rig_pair(r, PAIR_OK_NONE), ASKED);
    rig_identity(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(drain__cuts_what_outlasts_the_grace, setup, teardown),
        cmocka_unit_test_setup_teardown(drain__waits_for_what_ends_in_the_grace, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
