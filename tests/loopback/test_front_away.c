/* Calls that are with somebody else (CALL_AWAY): the keeper's status, the watch thread's page. The
 * answer comes, or does not, or finds its client gone; nothing is answered twice and nothing is
 * kept. */
#include "front_client.h"

struct asked { /* of the watch side; done is read once count says that it is there */
    void (*done)(void *arg, const struct watch_page *page);
    void *arg;
    _Atomic uint32_t count;
    _Atomic bool busy;
};
static struct asked asked;

static err page(struct watch_side *w, str accept,
                void (*done)(void *arg, const struct watch_page *page), void *arg, struct fault *f)
{
    (void)w;
    (void)accept;
    if (atomic_load(&asked.busy))
        return fail(f, ERR_BUSY, "two pages are being made");
    asked.done = done;
    asked.arg = arg;
    atomic_fetch_add(&asked.count, 1);
    return OK;
}

static int setup(void **state)
{
    static const struct watch_calls calls = {
        .open = rig_watch_open, .ring = rig_watch_ring, .page = page};
    const struct front_settings s = rig_settings();
    struct rig *r = rig_bare(&s, ROLE_OPS_FRONT, &calls);
    rig_publish(r);
    atomic_store(&asked.count, 0);
    atomic_store(&asked.busy, false);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_end(*state);
    return 0;
}

static int get(struct rig *r, const char *path)
{
    char bytes[256];
    const int n =
        snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    const int fd = rig_connect(r);
    assert_true(n > 0 && rig_send(fd, bytes, (size_t)n));
    return fd;
}

static void wait_count(const _Atomic uint32_t *count, uint32_t want)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    while (atomic_load(count) < want && clock_ns() < end)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(count), want);
}

/* Leaves, and waits until the front has seen it. */
static void leave(struct rig *r, int fd)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    (void)close(fd);
    while (rig_conns(r) > 0 && clock_ns() < end)
        (void)poll(NULL, 0, 1);
    assert_int_equal(rig_conns(r), 0);
}

/* The keeper ------------------------------------------------------------------------------------
 */

struct answer {
    struct message_reply m;
    uint64_t id;
    int fd; /* of a memfd; -1: none */
};

static void count_asks(struct rig *r, void *arg)
{
    *(uint64_t *)arg = r->front.ask_id;
}

static void any_asks(struct rig *r, void *arg)
{
    *(bool *)arg = r->front.asks != NULL;
}

static void answer(struct rig *r, void *arg)
{
    struct answer *a = arg;
    uint8_t room[4096];
    struct message_buffer b = {.at = room, .cap = sizeof(room)};
    must(message_put_reply(&a->m, &b, NULL) == OK);
    const struct link_message in = {
        .frame = {.number = MESSAGE_reply, .id = a->id, .fds = a->fd >= 0},
        .payload = {(char *)room, b.len},
        .fds = &a->fd,
    };
    front_on_reply(&r->front, &in);
}

static void too_late(struct rig *r, void *arg)
{
    (void)arg;
    front_asks_late(&r->front, clock_ns() + 3600 * NS_PER_S);
}

/* A client whose question, the id-th of this front, is with the keeper. */
static int ask_keeper(struct rig *r, uint64_t id)
{
    const uint64_t end = clock_ns() + RIG_WAIT_NS;
    const int fd = get(r, "/api/v1/status");
    uint64_t asks = 0;
    while (asks < id && clock_ns() < end)
        rig_in_loop(r, count_asks, &asks);
    assert_int_equal(asks, id);
    return fd;
}

static void assert_nothing_waits(struct rig *r)
{
    bool any = true;
    rig_in_loop(r, any_asks, &any);
    assert_false(any);
    rig_quiet(r);
}

static void status__gives_the_keepers_refusals(void **state)
{
    struct rig *r = *state;
    struct reply a;
    static const struct {
        uint8_t row;
        int status;
        const char *name;
    } rows[] = {{ERR_BUSY, 429, "BUSY"}, {ERR_DENIED, 403, "DENIED"}, {ERR_COUNT, 500, "INTERNAL"}};
    for (uint64_t i = 0; i < 3; i++) {
        struct answer told = {
            .m = {.row = rows[i].row, .reason = STR("because")}, .id = i + 1, .fd = -1};
        char field[64];
        const int fd = ask_keeper(r, i + 1);
        rig_in_loop(r, answer, &told);
        rig_in_loop(r, answer, &told); /* a second one is to nobody */
        rig_read(fd, &a);
        assert_int_equal(a.status, rows[i].status);
        (void)snprintf(field, sizeof(field), "x-garrison-error: %s\r\n", rows[i].name);
        assert_non_null(strstr(a.bytes, field));
        assert_non_null(strstr(a.bytes + a.head, "because"));
        (void)close(fd);
    }
    assert_nothing_waits(r);
}

static void status__gives_the_keepers_document(void **state)
{
    struct rig *r = *state;
    struct reply a;
    static char text[] = "{\"a\":1}";
    const str json = {text, sizeof(text) - 1};
    int memfd = -1;
    must(memfd_new("reply", json.len, &memfd, NULL) == OK);
    must(memfd_write(memfd, 0, json.at, json.len, NULL) == OK);
    must(memfd_seal(memfd, NULL) == OK);
    struct answer inside = {.m = {.json = json}, .id = 1, .fd = -1};
    struct answer apart = {.m = {.bytes = json.len}, .id = 2, .fd = memfd};
    struct answer *const told[] = {&inside, &apart};
    for (uint64_t i = 0; i < 2; i++) {
        const int fd = ask_keeper(r, i + 1);
        rig_in_loop(r, answer, told[i]);
        rig_read(fd, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.bytes + a.head, text);
        (void)close(fd);
    }
    (void)close(memfd);
    assert_nothing_waits(r);
}

static void status__is_late_without_an_answer(void **state)
{
    struct rig *r = *state;
    struct reply a;
    const int fd = ask_keeper(r, 1);
    rig_in_loop(r, too_late, NULL);
    rig_read(fd, &a);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.bytes + a.head, "the keeper does not answer"));
    (void)close(fd);
    assert_nothing_waits(r);
}

/* An answer, and a deadline, for somebody who has left. */
static void status__forgets_who_has_left(void **state)
{
    struct rig *r = *state;
    struct answer told = {.m = {.json = STR("{}")}, .id = 1, .fd = -1};
    leave(r, ask_keeper(r, 1));
    rig_in_loop(r, answer, &told);
    leave(r, ask_keeper(r, 2));
    rig_in_loop(r, too_late, NULL);
    assert_nothing_waits(r);
}

/* The page --------------------------------------------------------------------------------------
 */

static struct watch_page page_of(const char *text)
{
    const struct watch_page p = {
        .bytes = strdup(text), .len = strlen(text), .type = "text/plain; version=0.0.4"};
    must(p.bytes);
    return p;
}

static void page__is_refused_where_two_are_being_made(void **state)
{
    struct rig *r = *state;
    struct reply a;
    atomic_store(&asked.busy, true);
    const int fd = get(r, "/metrics");
    rig_read(fd, &a);
    assert_int_equal(a.status, 429);
    (void)close(fd);
    rig_quiet(r);
}

/* Made on another thread than the loop's: this one. */
static void page__comes_from_another_thread(void **state)
{
    struct rig *r = *state;
    struct reply a;
    const struct watch_page pages[] = {page_of("a 1\n"), {.type = "text/plain"}};
    static const int status[] = {200, 503};
    for (uint32_t i = 0; i < 2; i++) {
        const int fd = get(r, "/metrics");
        wait_count(&asked.count, i + 1);
        asked.done(asked.arg, &pages[i]);
        rig_read(fd, &a);
        assert_int_equal(a.status, status[i]);
        if (i == 0)
            assert_string_equal(a.bytes + a.head, "a 1\n");
        (void)close(fd);
    }
    rig_quiet(r);
}

static void page__is_dropped_for_who_has_left(void **state)
{
    struct rig *r = *state;
    const struct watch_page made = page_of("a 1\n");
    const int fd = get(r, "/metrics");
    wait_count(&asked.count, 1);
    leave(r, fd);
    asked.done(asked.arg, &made);
    rig_quiet(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(status__gives_the_keepers_refusals),        T(status__gives_the_keepers_document),
        T(status__is_late_without_an_answer),         T(status__forgets_who_has_left),
        T(page__is_refused_where_two_are_being_made), T(page__comes_from_another_thread),
        T(page__is_dropped_for_who_has_left),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
