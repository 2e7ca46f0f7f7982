/* Calls against a server of one thread that says what it is told and remembers what it heard. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/fetch.h"

/* One connection: reads until the body has come, answers, closes. answer NULL: stays silent until
 * the caller leaves. */
struct peer {
    int listener;
    char url[64];
    const char *answer;
    char heard[4096];
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct peer *p = arg;
    size_t len = 0;
    const int fd = accept(p->listener, NULL, NULL);
    while (fd >= 0 && len + 1 < sizeof(p->heard)) {
        const ssize_t n = read(fd, p->heard + len, sizeof(p->heard) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        p->heard[len] = '\0';
        const char *body = strstr(p->heard, "\r\n\r\n");
        const char *length = strcasestr(p->heard, "content-length: ");
        const size_t wanted = length ? strtoul(length + 16, NULL, 10) : 0;
        if (body && p->answer && strlen(body + 4) >= wanted) {
            (void)!write(fd, p->answer, strlen(p->answer));
            break;
        }
    }
    (void)close(fd);
    return NULL;
}

static void peer_start(struct peer *p, const char *answer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    *p = (struct peer){.answer = answer};
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(p->listener, 1), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u/x", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void peer_stop(struct peer *p)
{
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
}

static err call(const struct peer *p, const str *body, struct fetch_reply *ret, struct fault *f)
{
    const struct fetch_call how = {.url = p->url,
                                   .post = body != NULL,
                                   .body = body ? *body : (str){0},
                                   .deadline_ns = 300 * NS_PER_MS,
                                   .reply_bytes_max = 16};
    return fetch(&how, ret, f);
}

static void fetch__refuses_a_longer_reply(void **state)
{
    (void)state;
    struct peer p;
    struct fetch_reply r = {.status = 77};
    struct fault f = {0};
    peer_start(&p, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n12345678901234567");
    assert_int_equal(call(&p, NULL, &r, &f), ERR_TOO_BIG);
    assert_int_equal(r.status, 77);
    peer_stop(&p);
}

static void fetch__ends_at_its_deadline(void **state)
{
    (void)state;
    struct peer p;
    struct fetch_reply r;
    struct fault f = {0};
    peer_start(&p, NULL);
    const uint64_t begun = clock_ns();
    assert_int_equal(call(&p, NULL, &r, &f), ERR_LATE);
    assert_true(clock_ns() - begun < 5 * NS_PER_S);
    peer_stop(&p);
}

static void fetch__says_that_nobody_answers(void **state)
{
    (void)state;
    struct peer p;
    struct fetch_reply r;
    struct fault f = {0};
    peer_start(&p, "");
    assert_int_equal(call(&p, NULL, &r, &f), ERR_UNAVAILABLE); /* closed without a reply */
    peer_stop(&p);
    f = (struct fault){0};
    assert_int_equal(call(&p, NULL, &r, &f), ERR_UNAVAILABLE); /* nobody listens any more */
    assert_non_null(strstr(f.text, "want a running server"));
}

static void fetch__refuses_other_schemes(void **state)
{
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd", "https://127.0.0.1:1/",
                                       "ftp://127.0.0.1/"};
    for (size_t i = 0; i < 3; i++) {
        struct fetch_reply r;
        struct fault f = {0};
        const struct fetch_call how = {.url = urls[i], .deadline_ns = NS_PER_S};
        assert_int_equal(fetch(&how, &r, &f), ERR_INPUT);
    }
}

static void fetch__does_not_follow_and_takes_no_proxy(void **state)
{
    (void)state;
    struct peer p;
    struct fetch_reply r;
    struct fault f = {0};
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    peer_start(&p, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                   "X-Garrison-Error: NOT_FOUND\r\nContent-Length: 2\r\n\r\nno");
    assert_int_equal(call(&p, NULL, &r, &f), OK);
    assert_int_equal(r.status, 302);
    assert_string_equal(r.row, "NOT_FOUND");
    assert_string_equal(r.body, "no");
    fetch_reply_free(&r);
    peer_stop(&p);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void fetch__posts_a_body_and_takes_the_json_length(void **state)
{
    (void)state;
    struct peer p;
    struct fetch_reply r;
    struct fault f = {0};
    const str body = STR("a=1");
    peer_start(&p, "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 2\r\n"
                   "Content-Length: 6\r\n\r\n{}1234");
    assert_int_equal(call(&p, &body, &r, &f), OK);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.len, 6);
    assert_int_equal(r.json_len, 2);
    fetch_reply_free(&r);
    peer_stop(&p);
    assert_true(strncmp(p.heard, "POST /x HTTP/1.1\r\n", 18) == 0);
    assert_non_null(strstr(p.heard, "\r\n\r\na=1"));
    assert_null(strcasestr(p.heard, "expect:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetch__refuses_a_longer_reply),
        cmocka_unit_test(fetch__ends_at_its_deadline),
        cmocka_unit_test(fetch__says_that_nobody_answers),
        cmocka_unit_test(fetch__refuses_other_schemes),
        cmocka_unit_test(fetch__does_not_follow_and_takes_no_proxy),
        cmocka_unit_test(fetch__posts_a_body_and_takes_the_json_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
