/* Children of the keeper. The complication is the end: the kernel tells a death and the link's last
 * bytes in any order, and what a process said before it died must be heard first. So on_exit waits
 * for both. */
#include "control/child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/scope.h"
#include "control/spawn.h"
#include "net/socket.h"

#define CHILD_START_NS 30000000000ull

struct child {
    struct child *next;
    struct children *all;
    struct child_opts o;
    pid_t pid;
    struct link *link;
    uint8_t *start; /* payload of the start message */
    uint32_t start_len;
    bool greeted, up, link_ended, reaped;
    int status;
    enum child_kill why;
    char text[FAULT_TEXT_BYTES];
    uint64_t started_ns;
    uint64_t ended_ns;    /* when its link ended */
    uint64_t seen_ns[64]; /* last beat of each loop */
    struct child_usage usage;
};

struct children {
    struct loop *loop;
    uint64_t boot;
    struct child *first;
    uint64_t watched_ns;
    void (*on_other)(void *arg, pid_t pid, int status);
    void *other_arg;
};

err children_new(struct loop *l, uint64_t boot, struct children **ret, struct fault *f)
{
    struct children *all = calloc(1, sizeof *all);
    if (!all)
        return fail(f, ERR_UNAVAILABLE, "no memory for the table of processes");
    all->loop = l;
    all->boot = boot;
    *ret = all;
    return OK;
}

uint32_t children_count(const struct children *all)
{
    uint32_t count = 0;
    for (const struct child *c = all->first; c; c = c->next)
        count++;
    return count;
}

void children_on_other(struct children *all, void (*fn)(void *arg, pid_t pid, int status),
                       void *arg)
{
    all->on_other = fn;
    all->other_arg = arg;
}

static void child_free(struct child *c)
{
    link_close(c->link);
    free(c->start);
    free(c);
}

void children_free(struct children *all)
{
    while (all && all->first) {
        struct child *c = all->first;
        all->first = c->next;
        if (!c->reaped)
            (void)kill(c->pid, SIGKILL);
        child_free(c);
    }
    free(all);
}

static void say_end(struct child *c)
{
    if (c->why != KILL_NONE)
        return;
    if (WIFEXITED(c->status))
        (void)snprintf(c->text, sizeof c->text, "it left with exit status %d",
                       WEXITSTATUS(c->status));
    else
        (void)snprintf(c->text, sizeof c->text, "it died by signal %d (%s)", WTERMSIG(c->status),
                       strsignal(WTERMSIG(c->status)));
}

/* Both news of the end have come: takes the child off the list and tells its owner. */
static void finish(struct child *c)
{
    if (!c->reaped || !c->link_ended)
        return;
    struct child **at = &c->all->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    say_end(c);
    c->o.on_exit(c->o.arg, c->status, c->why, c->text);
    child_free(c);
}

void child_kill(struct child *c, enum child_kill why, const char *text)
{
    if (c->why == KILL_NONE) {
        struct fault f = {0};
        (void)fail(&f, ERR_UNAVAILABLE, "%s", text); /* cuts and cleans */
        memcpy(c->text, f.text, sizeof c->text);
        c->why = why;
    }
    if (!c->reaped)
        (void)kill(c->pid, SIGKILL);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void kill_stranger(struct child *c)
{
    char link[32];
    char path[160];
    char text[FAULT_TEXT_BYTES];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", c->o.exe);
    const ssize_t len = readlink(link, path, sizeof path);
    (void)snprintf(text, sizeof text,
                   "\"%.*s\" is of another build than this server; install garrison and "
                   "garrison-worker from one build",
                   len > 0 ? (int)len : 0, path);
    child_kill(c, KILL_BREACH, text);
}

static void on_hello(struct child *c, const struct link_message *m)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    struct fault f = {0};
    struct message_hello hello;
    const err e = message_get_hello(m->payload, &hello, &f);
    if (e != OK || c->greeted || hello.role != c->o.role) {
        child_kill(c, KILL_BREACH, e != OK ? f.text : "hello came twice or from another role");
        return;
    }
    if (!str_eq(hello.build, (str){(const char *)build, sizeof build})) {
        kill_stranger(c);
        return;
    }
    c->greeted = true;
    child_send(
        c, &(struct link_send){.number = MESSAGE_start, .flags = MESSAGE_ANSWER, .id = m->frame.id},
        (str){(const char *)c->start, c->start_len});
}

static void on_beat(struct child *c, const struct link_message *m)
{
    struct fault f = {0};
    struct message_beat beat;
    if (message_get_beat(m->payload, &beat, &f) != OK) {
        child_kill(c, KILL_BREACH, f.text);
        return;
    }
    for (uint32_t i = 0; i < 64; i++)
        if (beat.loops >> i & 1)
            c->seen_ns[i] = clock_ns();
    c->usage = (struct child_usage){.anon_bytes = beat.anon_bytes,
                                    .file_bytes = beat.file_bytes,
                                    .shmem_bytes = beat.shmem_bytes,
                                    .cpu_ns = beat.cpu_ns,
                                    .fds = beat.fds,
                                    .fds_max = beat.fds_max};
}

static void on_message(void *arg, const struct link_message *m)
{
    struct child *c = arg;
    if (c->why != KILL_NONE)
        return; /* it is being killed: nothing it says counts any more */
    if (m->frame.number == MESSAGE_hello) {
        on_hello(c, m);
    } else if (!c->greeted) {
        child_kill(c, KILL_BREACH, "its first message is not hello");
    } else if (m->frame.number == MESSAGE_beat) {
        on_beat(c, m);
    } else if (m->frame.number == MESSAGE_up) {
        for (uint32_t i = 0; i < 64; i++)
            c->seen_ns[i] = clock_ns();
        const bool first = !c->up;
        c->up = true;
        if (first)
            c->o.on_up(c->o.arg);
    } else if (!c->up) {
        child_kill(c, KILL_BREACH, "it speaks before it is up");
    } else {
        c->o.on_message(c->o.arg, m);
    }
}

static void on_end(void *arg, err e, const char *why)
{
    struct child *c = arg;
    c->link_ended = true;
    c->ended_ns = clock_ns();
    if (e != ERR_UNAVAILABLE)
        child_kill(c, KILL_BREACH, why);
    finish(c);
}

void child_send(struct child *c, const struct link_send *how, str payload)
{
    struct fault f = {0};
    if (c->link_ended || c->why != KILL_NONE)
        return;
    if (link_send(c->link, how, payload, &f) != OK)
        child_kill(c, KILL_BREACH, f.text);
}

/* --- start and end -----------------------------------------------------------------------------
 */

static err start_payload(struct child *c, struct fault *f)
{
    SCOPED(free_undo)
    uint8_t *bytes = malloc(MESSAGE_PAYLOAD_MAX);
    struct message_buffer rows = {.at = bytes, .cap = MESSAGE_PAYLOAD_MAX};
    err e = bytes ? OK : fail(f, ERR_UNAVAILABLE, "no memory to start a process");
    for (uint32_t i = 0; i < c->o.fd_count && e == OK; i++) {
        const struct child_fd *from = &c->o.fds[i];
        const struct message_fd row = {.fd = (uint16_t)(MESSAGE_CONTROL_FD + 1 + i),
                                       .what = from->what,
                                       .loop = from->loop,
                                       .part = from->part,
                                       .name = str_of(from->name)};
        e = message_add_fd(&rows, &row, f);
    }
    struct message_start start = {.boot = c->all->boot, .fds = message_list_of(&rows)};
    struct message_buffer b = {.cap = rows.len + 64};
    b.at = malloc(b.cap);
    if (e == OK && !b.at)
        e = fail(f, ERR_UNAVAILABLE, "no memory to start a process");
    if (e == OK)
        e = message_put_start(&start, &b, f);
    c->start = b.at;
    c->start_len = b.len;
    return e;
}

static err execute(struct child *c, int control, struct fault *f)
{
    static const char *const envp[] = {"ORT_DISABLE_TELEMETRY=1", "LC_ALL=C.UTF-8", "TZ=UTC", NULL};
    static const char *const front_envp[] = {"UV_USE_IO_URING=0", "LC_ALL=C.UTF-8", "TZ=UTC", NULL};
    const bool front = c->o.role == ROLE_DATA_FRONT || c->o.role == ROLE_OPS_FRONT;
    char role[64] = "--role=";
    const str name = role_name(c->o.role);
    memcpy(role + strlen(role), name.at, name.len);
    const char *const argv[] = {front ? "garrison" : "garrison-worker", role, NULL};
    int fds[SPAWN_FDS_MAX];
    if (c->o.fd_count + 1 > SPAWN_FDS_MAX)
        return fail(f, ERR_TOO_BIG, "%" PRIu32 " descriptors to inherit, want < %u", c->o.fd_count,
                    SPAWN_FDS_MAX);
    fds[0] = control;
    for (uint32_t i = 0; i < c->o.fd_count; i++)
        fds[1 + i] = c->o.fds[i].fd;
    const struct spawn_opts opts = {.exe = c->o.exe,
                                    .argv = argv,
                                    .envp = front ? front_envp : envp,
                                    .out = c->o.out,
                                    .err = c->o.err,
                                    .fds = fds,
                                    .fd_count = 1 + c->o.fd_count};
    return spawn_child(&opts, &c->pid, f);
}

err child_start(struct children *all, const struct child_opts *opts, struct child **ret_child,
                struct fault *f)
{
    int pair[2];
    struct child *c = calloc(1, sizeof *c);
    if (!c)
        return fail(f, ERR_UNAVAILABLE, "no memory for a process");
    c->all = all;
    c->o = *opts;
    c->started_ns = clock_ns();
    err e = start_payload(c, f);
    if (e == OK) /* a front's end must not block; a worker's blocks */
        e = socket_pair(opts->role == ROLE_WORKER || opts->role == ROLE_READER, pair, f);
    if (e != OK) {
        child_free(c);
        return e;
    }
    const struct link_opts link = {.fd = pair[0],
                                   .self = ROLE_KEEPER,
                                   .peer = opts->role,
                                   .arg = c,
                                   .on_message = on_message,
                                   .on_end = on_end};
    e = link_new(all->loop, &link, &c->link, f);
    if (e == OK)
        e = execute(c, pair[1], f);
    (void)close(pair[1]);
    if (e != OK) {
        child_free(c);
        return e;
    }
    c->o.fds = NULL; /* were borrowed */
    c->next = all->first;
    all->first = c;
    *ret_child = c;
    return OK;
}

void children_reap(struct children *all)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = all->first;
        while (c && c->pid != pid)
            c = c->next;
        if (c && !c->reaped) {
            c->reaped = true;
            c->status = status;
            finish(c);
        } else if (all->on_other) {
            all->on_other(all->other_arg, pid, status);
        }
    }
}

static void watch_one(struct child *c, uint64_t now)
{
    if (c->why != KILL_NONE)
        return;
    if (c->link_ended && now - c->ended_ns > 2 * NS_PER_S)
        child_kill(c, KILL_BREACH, "it has closed its link and lives on");
    const uint64_t stuck = c->link_ended ? 0 : link_stuck_ns(c->link);
    if (stuck && now - stuck > CHILD_STUCK_NS)
        child_kill(c, KILL_BREACH, "it has read no message for 10 s");
    if (!c->up && now - c->started_ns > CHILD_START_NS && c->o.silence_ns)
        child_kill(c, KILL_SILENT, "it was not up within 30 s");
    for (uint32_t i = 0; c->up && c->o.silence_ns && i < c->o.loops; i++)
        if (now > c->seen_ns[i] && now - c->seen_ns[i] > c->o.silence_ns)
            child_kill(c, KILL_SILENT, "its loop has stood still for too long");
}

/* Where the keeper itself was held up, the beats that wait in the links are read before anybody is
 * judged by them: the clock of every loop starts anew. */
void children_watch(struct children *all)
{
    const uint64_t now = clock_ns();
    const bool late = all->watched_ns && now - all->watched_ns > 3 * NS_PER_S;
    all->watched_ns = now;
    for (struct child *c = all->first; c; c = c->next) {
        if (late)
            for (uint32_t i = 0; i < 64; i++)
                c->seen_ns[i] = now;
        else
            watch_one(c, now);
    }
}

void children_kill_all(struct children *all)
{
    for (struct child *c = all->first; c; c = c->next)
        child_kill(c, KILL_PLANNED, "the server ends at once");
}

bool child_is_up(const struct child *c)
{
    return c->up && c->why == KILL_NONE && !c->link_ended;
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

struct child_usage child_usage(const struct child *c)
{
    return c->usage;
}
