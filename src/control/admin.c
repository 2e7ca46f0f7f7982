/* admin.sock and the answers to admin messages. A caller is known by the uid of its socket alone:
 * root and our own user may ask, nobody else yet. */
#include <stdlib.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/memfd.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/parts.h"
#include "net/socket.h"

#define CALLERS_MAX       32u
#define CALLERS_A_UID_MAX 8u
#define HELLO_NS          (2 * NS_PER_S)
#define STATUS_BYTES_MAX  (4u << 20)
#define INLINE_BYTES_MAX  65536u

struct caller {
    struct caller *next;
    struct admin *a;
    struct link *link;
    struct timer hello; /* until then it must have said hello */
    uint32_t uid;
    bool greeted;
};

struct admin {
    struct keeper *k;
    int fd;
    struct poll poll;
    struct caller *callers;
    uint32_t count;
};

/* --- answers -----------------------------------------------------------------------------------
 */

typedef err (*send_fn)(void *to, const struct link_send *how, str payload, struct fault *f);

static err send_to_caller(void *to, const struct link_send *how, str payload, struct fault *f)
{
    struct caller *c = to;
    return link_send(c->link, how, payload, f);
}

static err send_to_front(void *to, const struct link_send *how, str payload, struct fault *f)
{
    struct keeper *k = to;
    (void)f;
    if (k->ops.child)
        child_send(k->ops.child, how, payload);
    return OK;
}

/* A longer answer goes in sealed memory. */
static err answer(send_fn send, void *to, uint64_t id, const struct message_reply *reply, str json,
                  struct fault *f)
{
    SCOPED(free_undo)
    uint8_t *bytes = malloc(MESSAGE_PAYLOAD_MAX);
    SCOPED(fd_undo)
    int fd = -1;
    struct message_buffer b = {.at = bytes, .cap = MESSAGE_PAYLOAD_MAX};
    struct message_reply m = *reply;
    err e = bytes ? OK : fail(f, ERR_UNAVAILABLE, "no memory for an answer");
    if (e == OK && json.len > INLINE_BYTES_MAX) {
        e = memfd_new("reply", json.len, &fd, f);
        if (e == OK)
            e = memfd_write(fd, 0, json.at, json.len, f);
        if (e == OK)
            e = memfd_seal(fd, f);
        m.bytes = json.len;
    } else {
        m.json = json;
    }
    if (e == OK)
        e = message_put_reply(&m, &b, f);
    const struct link_send how = {
        .number = MESSAGE_reply, .flags = MESSAGE_ANSWER, .id = id, .fds = fd >= 0, .fd = &fd};
    return e == OK ? send(to, &how, (str){(const char *)b.at, b.len}, f) : e;
}

static err answer_status(struct keeper *k, send_fn send, void *to, uint64_t id, struct fault *f)
{
    SCOPED(free_undo)
    char *page = malloc(STATUS_BYTES_MAX);
    if (!page)
        return fail(f, ERR_UNAVAILABLE, "no memory for an answer");
    struct text t = text_over(page, STATUS_BYTES_MAX);
    status_write(k, &t);
    const struct message_reply ok = {.row = OK, .type = STR("application/json")};
    return answer(send, to, id, &ok, text_str(&t), f);
}

void admin_of_front(struct keeper *k, const struct link_message *m)
{
    struct message_status ask;
    struct fault f = {0};
    if (message_get_status(m->payload, &ask, &f) != OK || ask.cred >= CRED_COUNT) {
        child_kill(k->ops.child, KILL_BREACH, f.code != OK ? f.text : "an unknown credential");
        return;
    }
    const struct message_reply no = {.row = ERR_NO_CALLER, .reason = STR("no credential")};
    const err e = ask.cred == CRED_ANONYMOUS
                      ? answer_status(k, send_to_front, k, m->frame.id, &f)
                      : answer(send_to_front, k, m->frame.id, &no, STR(""), &f);
    if (e != OK)
        journal_write(k->cfg, &(struct journal_event){.level = JOURNAL_ERROR,
                                                      .message = "no answer could be made",
                                                      JOURNAL_ARGS({"why", f.text, 0})});
}

/* --- callers -----------------------------------------------------------------------------------
 */

static void caller_close(struct caller *c)
{
    struct caller **at = &c->a->callers;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->a->count--;
    timer_close(&c->hello);
    link_close(c->link);
    free(c);
}

static void on_hello_late(void *arg)
{
    caller_close(arg);
}

static void on_end(void *arg, err e, const char *why)
{
    (void)e;
    (void)why;
    caller_close(arg);
}

static bool welcome(struct caller *c, const struct link_message *m)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    struct message_hello hello;
    uint8_t bytes[128];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_welcome w = {.version = STR(GARRISON_VERSION),
                                      .build = {(const char *)build, sizeof build},
                                      .table = MESSAGE_TABLE,
                                      .uid = c->uid};
    if (c->greeted || message_get_hello(m->payload, &hello, NULL) != OK ||
        message_put_welcome(&w, &b, NULL) != OK)
        return false;
    c->greeted = true;
    timer_cancel(&c->hello);
    const struct link_send how = {
        .number = MESSAGE_welcome, .flags = MESSAGE_ANSWER, .id = m->frame.id};
    return link_send(c->link, &how, (str){(const char *)b.at, b.len}, NULL) == OK;
}

static bool ask(struct caller *c, const struct link_message *m)
{
    struct message_status in;
    const uint64_t id = m->frame.id;
    const struct message_reply unknown = {.row = ERR_UNSUPPORTED,
                                          .reason = STR("this server does not know the message")};
    const struct message_reply denied = {.row = ERR_DENIED,
                                         .reason = STR("neither root nor the server's user")};
    if (!c->greeted)
        return false;
    if (m->frame.number != MESSAGE_status)
        return answer(send_to_caller, c, id, &unknown, STR(""), NULL) == OK;
    if (message_get_status(m->payload, &in, NULL) != OK)
        return false;
    if (c->uid != 0 && c->uid != geteuid())
        return answer(send_to_caller, c, id, &denied, STR(""), NULL) == OK;
    return answer_status(c->a->k, send_to_caller, c, id, NULL) == OK;
}

static void on_message(void *arg, const struct link_message *m)
{
    struct caller *c = arg;
    const bool good = m->frame.number == MESSAGE_hello ? welcome(c, m) : ask(c, m);
    if (!good)
        caller_close(c);
}

static uint32_t callers_of(const struct admin *a, uint32_t uid)
{
    uint32_t count = 0;
    for (const struct caller *c = a->callers; c; c = c->next)
        count += c->uid == uid;
    return count;
}

static void take(struct admin *a, int fd)
{
    uint32_t uid = 0;
    struct caller *c = calloc(1, sizeof *c);
    if (!c || socket_peer_uid(fd, &uid, NULL) != OK || a->count >= CALLERS_MAX ||
        callers_of(a, uid) >= CALLERS_A_UID_MAX) {
        free(c);
        (void)close(fd);
        return;
    }
    *c = (struct caller){.a = a, .uid = uid};
    const struct link_opts opts = {.fd = fd,
                                   .self = ROLE_KEEPER,
                                   .peer = ROLE_SOCKET,
                                   .arg = c,
                                   .on_message = on_message,
                                   .on_end = on_end};
    err e = link_new(a->k->loop, &opts, &c->link, NULL);
    if (e == OK && timer_init(&c->hello, a->k->loop, on_hello_late, c, NULL) != OK) {
        link_close(c->link);
        e = ERR_UNAVAILABLE;
    }
    if (e != OK) {
        free(c);
        return;
    }
    timer_set(&c->hello, HELLO_NS);
    c->next = a->callers;
    a->callers = c;
    a->count++;
}

static void on_listener(void *arg, unsigned ready)
{
    struct admin *a = arg;
    int fd = -1;
    (void)ready;
    for (unsigned i = 0; i < CALLERS_MAX && socket_accept(a->fd, &fd, NULL) == OK; i++)
        take(a, fd);
}

err admin_open(struct keeper *k, struct admin **ret, struct fault *f)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return fail(f, ERR_UNAVAILABLE, "no memory for the local socket");
    *a = (struct admin){.k = k, .fd = -1};
    err e = socket_listen_unix(k->dir.socket, 0660, &a->fd, f);
    if (e == OK)
        e = poll_init(&a->poll, k->loop, a->fd, on_listener, a, f);
    if (e != OK) {
        fd_undo(&a->fd);
        free(a);
        return e;
    }
    poll_want(&a->poll, POLL_READ);
    *ret = a;
    return OK;
}

void admin_free(struct admin *a)
{
    if (!a)
        return;
    while (a->callers)
        caller_close(a->callers);
    poll_close(&a->poll);
    (void)close(a->fd);
    free(a);
}
