/* A real garrison-worker on a lane, started as the keeper starts it: descriptors by number, its
 * whole environment, words on descriptor 3. For tests in C without HTTP. */
#ifndef GARRISON_TESTS_WORKER_RIG_H
#define GARRISON_TESTS_WORKER_RIG_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/memfd.h"
#include "base/message.h"
#include "base/settings.h"
#include "engine/lane.h"
#include "models.h"

#define RIG_LANE_BYTES (16u << 20)
#define RIG_FDS        8
#define RIG_WAIT_S     20

struct rig {
    pid_t pid;
    int control;
    int wake_worker, wake_loop;
    int memfd[2];
    struct lane *lane;
    struct spec inputs[8], outputs[8];
    char *names[2][8];
    struct signature sig;
    struct message_worker_loaded loaded; /* scalars of the last page */
    uint64_t run_ns[17];
    char note[256];
    char reason[64], text[256]; /* of a refusal */
    uint8_t payload[MESSAGE_PAYLOAD_MAX];
};

#define RIG_MUST(x)                                                                                \
    do {                                                                                           \
        if (!(x))                                                                                  \
            fail_msg("%s: %s", #x, strerror(errno));                                               \
    } while (0)

static inline int rig_file(const char *name, const void *at, uint64_t len)
{
    int fd = -1;
    RIG_MUST(memfd_new(name, len, &fd, NULL) == OK && memfd_write(fd, 0, at, len, NULL) == OK &&
             memfd_seal(fd, NULL) == OK);
    return fd;
}

/* Where the worker lies. Under ASan it is the released one: ASan's own memory dies under the
 * worker's limit, and engine code is sanitized by the tests that link it. */
static inline const char *rig_build(void)
{
    const char *worker = getenv("GARRISON_WORKER_DIR");
    const char *build = getenv("GARRISON_BUILD");
    return worker ? worker : build ? build : "build";
}

static inline void rig_exec(const int *fds, int count, const char *role)
{
    const char *build = rig_build();
    char path[4096], arg[64];
    char *const argv[] = {path, arg, NULL};
    char quiet[] = "ORT_DISABLE_TELEMETRY=1", lc[] = "LC_ALL=C.UTF-8", tz[] = "TZ=UTC";
    char *const envp[] = {quiet, lc, tz, NULL};
    int high[RIG_FDS + 4];
    (void)snprintf(path, sizeof path, "%s/garrison-worker", build);
    (void)snprintf(arg, sizeof arg, "--role=%s", role);
    for (int i = 0; i < count; i++)
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
    for (int i = 0; i < count; i++)
        if (dup2(high[i], 3 + i) < 0)
            _exit(126);
    (void)execve(path, argv, envp);
    _exit(127);
}

static inline void rig_send(struct rig *r, uint16_t number, uint64_t id, const void *at,
                            uint32_t len)
{
    const struct message_frame frame = {.number = number, .id = id};
    RIG_MUST(message_write(r->control, &frame, at, len, NULL) == OK);
}

/* The next message but beats. */
static inline struct message_frame rig_next(struct rig *r)
{
    struct message_frame frame = {.number = MESSAGE_beat};
    struct fault f = {0};
    while (frame.number == MESSAGE_beat)
        if (message_read(r->control, &frame, r->payload, &f) != OK)
            fail_msg("the worker says nothing: %s", f.text);
    return frame;
}

static inline str rig_payload(const struct rig *r, const struct message_frame *frame)
{
    return (str){(const char *)r->payload, frame->bytes};
}

/* Starts a process over files[0..count): the first is the model. */
static inline void rig_start(struct rig *r, const struct worker_settings *set, const char *role,
                             const int *files, const char *const *names, int count)
{
    int pair[2];
    uint8_t rows_bytes[2048], bytes[4096];
    struct message_buffer rows = {.at = rows_bytes, .cap = sizeof rows_bytes};
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct timeval patience = {.tv_sec = RIG_WAIT_S};
    const int settings = rig_file("settings", set, sizeof *set);
    RIG_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    RIG_MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    r->wake_worker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->wake_loop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < 2; i++)
        RIG_MUST(memfd_new("lane", RIG_LANE_BYTES, &r->memfd[i], NULL) == OK &&
                 memfd_seal_size(r->memfd[i], NULL) == OK);
    int fds[RIG_FDS + 2] = {pair[1],      settings,    r->wake_worker,
                            r->wake_loop, r->memfd[0], r->memfd[1]};
    const uint8_t what[RIG_FDS + 2] = {0,          FD_SETTINGS, FD_WAKE_WORKER, FD_WAKE_LOOP,
                                       FD_LANE,    FD_LANE,     FD_WEIGHTS,     FD_WEIGHTS,
                                       FD_WEIGHTS, FD_WEIGHTS};
    for (int i = 0; i < count; i++)
        fds[6 + i] = files[i];
    for (int i = 1; i < 6 + count; i++) {
        const struct message_fd row = {.fd = (uint16_t)(3 + i),
                                       .what = what[i],
                                       .part = i == 5,
                                       .name = str_of(i >= 6 ? names[i - 6] : "")};
        RIG_MUST(message_add_fd(&rows, &row, NULL) == OK);
    }
    r->pid = fork();
    if (r->pid == 0)
        rig_exec(fds, 6 + count, role);
    (void)close(pair[1]);
    (void)close(settings);
    r->control = pair[0];
    struct message_frame frame = rig_next(r);
    assert_int_equal(frame.number, MESSAGE_hello);
    const struct message_start start = {.boot = 1, .fds = message_list_of(&rows)};
    RIG_MUST(message_put_start(&start, &b, NULL) == OK);
    rig_send(r, MESSAGE_start, 0, b.at, b.len);
    frame = rig_next(r);
    assert_int_equal(frame.number, MESSAGE_up);
}

static inline void rig_take_tensors(struct rig *r, struct message_list list)
{
    struct message_tensor t;
    while (message_next_tensor(&list, &t)) {
        char **name = &r->names[t.io][t.io ? r->sig.output_count : r->sig.input_count];
        struct spec *s =
            t.io ? &r->outputs[r->sig.output_count++] : &r->inputs[r->sig.input_count++];
        *s = (struct spec){.dtype = (enum dtype)t.type,
                           .shape = {{t.dim0, t.dim1, t.dim2, t.dim3}, t.rank},
                           .optional = t.optional == 1};
        *name = strndup(t.name.at, t.name.len);
        s->name = (str){*name, t.name.len};
    }
}

/* Asks for the load. true: loaded, and a lane is open; false: refused. */
static inline bool rig_load(struct rig *r)
{
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_worker_load load = {0};
    RIG_MUST(message_put_worker_load(&load, &b, NULL) == OK);
    rig_send(r, MESSAGE_worker_load, 9, b.at, b.len);
    r->sig = (struct signature){.inputs = r->inputs, .outputs = r->outputs};
    for (;;) {
        const struct message_frame frame = rig_next(r);
        struct message_worker_refused no;
        struct message_run run;
        assert_int_equal(frame.id, 9);
        if (frame.number == MESSAGE_worker_refused) {
            RIG_MUST(message_get_worker_refused(rig_payload(r, &frame), &no, NULL) == OK);
            (void)snprintf(r->reason, sizeof r->reason, "%.*s", STR_ARG(no.reason));
            (void)snprintf(r->text, sizeof r->text, "%.*s", STR_ARG(no.text));
            return false;
        }
        assert_int_equal(frame.number, MESSAGE_worker_loaded);
        RIG_MUST(message_get_worker_loaded(rig_payload(r, &frame), &r->loaded, NULL) == OK);
        rig_take_tensors(r, r->loaded.tensors);
        while (message_next_run(&r->loaded.runs, &run))
            r->run_ns[run.exponent] = run.ns;
        if (!(frame.flags & MESSAGE_MORE))
            break;
    }
    (void)snprintf(r->note, sizeof r->note, "%.*s", STR_ARG(r->loaded.note));
    return true;
}

static inline void rig_lane(struct rig *r, uint32_t generation)
{
    const struct lane_opts opts = {.memfd = r->memfd[generation % 2],
                                   .bytes = RIG_LANE_BYTES,
                                   .generation = generation,
                                   .worker_wake = r->wake_worker,
                                   .sig = &r->sig,
                                   .slots = 64};
    struct fault f = {0};
    if (lane_open(&opts, &r->lane, &f) != OK)
        fail_msg("lane: %s", f.text);
}

/* A worker over a model of make.py. */
static inline bool rig_open(struct rig *r, const char *dir, const char *name,
                            const struct worker_settings *set)
{
    uint64_t len = 0;
    uint8_t *bytes = models_read(dir, name, ".onnx", &len);
    RIG_MUST(bytes);
    int files[2] = {rig_file("model", bytes, len)};
    const char *names[2] = {"", "external.bin"};
    int count = 1;
    free(bytes);
    if (strcmp(name, "external") == 0) {
        bytes = models_read(dir, name, ".bin", &len);
        files[count++] = rig_file("external.bin", bytes, len);
        free(bytes);
    }
    *r = (struct rig){.pid = -1};
    rig_start(r, set, "worker", files, names, count);
    for (int i = 0; i < count; i++)
        (void)close(files[i]);
    if (!rig_load(r))
        return false;
    rig_lane(r, 4);
    return true;
}

/* Sends one request. */
static inline uint32_t rig_send_job(struct rig *r, const struct view *inputs,
                                    const struct lane_send_opts *opts)
{
    uint64_t bytes[8];
    uint32_t slot = 0;
    struct fault f = {0};
    for (uint32_t i = 0; i < r->sig.input_count; i++)
        bytes[i] = inputs[i].at ? inputs[i].len : UINT64_MAX;
    if (lane_reserve(r->lane, bytes, 64u << 10, &slot, &f) != OK)
        fail_msg("reserve: %s", f.text);
    for (uint32_t i = 0; i < r->sig.input_count; i++) {
        if (!inputs[i].at)
            continue;
        memcpy(lane_input_at(r->lane, slot, i), inputs[i].at, inputs[i].len);
        lane_input_set(r->lane, slot, i, &inputs[i].shape, inputs[i].len);
    }
    (void)lane_send(r->lane, slot, opts);
    return slot;
}

/* Waits for a completion. */
static inline struct lane_done rig_reap(struct rig *r)
{
    struct lane_done done;
    struct fault f = {0};
    const uint64_t until = clock_ns() + RIG_WAIT_S * NS_PER_S;
    for (;;) {
        uint64_t count;
        struct pollfd p = {.fd = r->wake_loop, .events = POLLIN};
        const err e = lane_reap(r->lane, &done, &f);
        if (e == OK)
            return done;
        if (e != ERR_NOT_FOUND)
            fail_msg("reap: %s", f.text);
        if (clock_ns() > until)
            fail_msg("no completion in %d s", RIG_WAIT_S);
        if (lane_sleep(r->lane))
            continue;
        (void)poll(&p, 1, 1000);
        const ssize_t n = read(r->wake_loop, &count, sizeof count);
        (void)n;
        lane_awake(r->lane);
    }
}

/* The worker's wait status. */
static inline int rig_wait(struct rig *r)
{
    int status = 0;
    RIG_MUST(waitpid(r->pid, &status, 0) == r->pid);
    r->pid = -1;
    return status;
}

static inline void rig_close(struct rig *r)
{
    if (r->pid > 0) {
        (void)kill(r->pid, SIGKILL);
        (void)rig_wait(r);
    }
    for (uint32_t i = 0; i < r->sig.input_count; i++)
        free(r->names[0][i]);
    for (uint32_t i = 0; i < r->sig.output_count; i++)
        free(r->names[1][i]);
    lane_close(r->lane);
    (void)close(r->control);
    (void)close(r->wake_worker);
    (void)close(r->wake_loop);
    (void)close(r->memfd[0]);
    (void)close(r->memfd[1]);
}

#endif
