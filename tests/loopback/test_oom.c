/* The k-th allocation of the loop's thread fails, or the k-th and the three behind it, for every k
 * that one connection and its request make: the client is answered or disconnected, nothing is held
 * afterwards, and the next request succeeds. Linked with --wrap for the allocators
 * (CMakeLists.txt). */
#include "front_client.h"

#include <limits.h>

#define OOM_STEPS_MAX 500

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static _Thread_local bool is_loop;
#define OOM_NEVER INT_MAX

static _Atomic int countdown = OOM_NEVER; /* allocations that still succeed */
static _Atomic int burst;                 /* so many then fail */
static _Atomic bool failed;

static bool fails(void)
{
    if (!is_loop || atomic_load(&countdown) == OOM_NEVER)
        return false;
    const int left = atomic_fetch_sub(&countdown, 1);
    if (left > 0 || left <= -atomic_load(&burst))
        return false;
    atomic_store(&failed, true);
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    return fails() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static void mark_loop(void *arg)
{
    is_loop = true;
    atomic_store((_Atomic bool *)arg, true);
}

/* Sends bytes in two pieces, the second of which comes when the first is being worked on. */
static int ask(struct rig *r, const char *bytes, size_t len, struct reply *a)
{
    const int fd = rig_connect(r);
    (void)!(rig_send(fd, bytes, len / 2) && rig_send(fd, bytes + len / 2, len - len / 2));
    rig_read(fd, a);
    (void)close(fd);
    return a->status;
}

static void fail_each(struct rig *r, int count, const char *bytes, size_t len)
{
    atomic_store(&burst, count);
    struct reply *a = malloc(sizeof(*a));
    assert_non_null(a);
    assert_int_equal(ask(r, bytes, len, a), 200);
    rig_quiet(r);
    for (int k = 0;; k++) {
        assert_true(k < OOM_STEPS_MAX);
        atomic_store(&failed, false);
        atomic_store(&countdown, k);
        const int status = ask(r, bytes, len, a);
        atomic_store(&countdown, OOM_NEVER);
        rig_quiet(r);
        if (!atomic_load(&failed)) {
            assert_int_equal(status, 200);
            assert_true(k > 3); /* else nothing was tried */
            break;
        }
        if (status != 0 && status != 200 && status != 413 && status != 503)
            fail_msg("allocation %d failed: status %d: %s", k, status, a->bytes);
        assert_int_equal(ask(r, bytes, len, a), 200);
        rig_quiet(r);
    }
    free(a);
}

static void every_allocation_may_fail(struct rig *r, const char *bytes, size_t len)
{
    fail_each(r, 1, bytes, len);
    fail_each(r, 4, bytes, len); /* the answer to the first failure fails too */
}

static struct rig *started(void)
{
    const struct front_settings s = rig_settings();
    struct rig *r = rig_new(&s);
    static _Atomic bool marked;
    atomic_store(&marked, false);
    assert_int_equal(loop_post(r->front.loops[0].loop, mark_loop, &marked, NULL), OK);
    while (!atomic_load(&marked))
        (void)poll(NULL, 0, 1);
    return r;
}

static void json_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct rig *r = started();
    char bytes[2048];
    every_allocation_may_fail(
        r, bytes, rig_request(bytes, sizeof(bytes), "", RIG_BODY(1), strlen(RIG_BODY(1))));
    rig_end(r);
}

static void chunked_body_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct rig *r = started();
    static char bytes[32768], body[16384];
    size_t at = (size_t)snprintf(body, sizeof(body),
                                 "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":"
                                 "[1000,4],\"data\":[1");
    for (int i = 1; i < 4000; i++)
        at += (size_t)snprintf(body + at, sizeof(body) - at, ",1");
    at += (size_t)snprintf(body + at, sizeof(body) - at, "]}]}");
    size_t len = (size_t)snprintf(bytes, sizeof(bytes),
                                  "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < at; i += 1000)
        len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "%zx\r\n%.*s\r\n",
                                at - i < 1000 ? at - i : 1000, (int)(at - i < 1000 ? at - i : 1000),
                                body + i);
    len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "0\r\n\r\n");
    every_allocation_may_fail(r, bytes, len);
    rig_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_survives_every_failed_allocation),
        cmocka_unit_test(chunked_body_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
