/* A worker for test_keeper that loads nothing: the first word of the model's bytes says what it
 * does. ok; refuse; crash (at load); leave (at load, with a word); later (becomes ready, dies when
 * a byte comes on SIGTERM); hang (never answers); mute (ready, then no beats); NAME.bin (names that
 * external data).
 * As prober it is the real one, or where a file "probes" lies beside it, what that says: COUNT END,
 * the rows that go well and then hang, exit, kill or allowed (the next row was).
 * usage: garrison-worker --role=worker|reader, or --probe */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/message.h"
#include "engine/probe.h"

static uint8_t payload[MESSAGE_PAYLOAD_MAX];
static uint8_t reply[8192], rows[4096];
static char word[64];

static void send(uint16_t number, uint64_t id, const struct message_buffer *b)
{
    const struct message_frame frame = {
        .number = number, .id = id, .flags = id ? MESSAGE_ANSWER : 0};
    if (message_write(MESSAGE_CONTROL_FD, &frame, b ? b->at : NULL, b ? b->len : 0, NULL) != OK)
        _exit(0);
}

static void hello(enum role role)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    struct message_buffer b = {.at = reply, .cap = sizeof reply};
    const struct message_hello m = {.build = {(const char *)build, sizeof build},
                                    .table = MESSAGE_TABLE,
                                    .role = (uint8_t)role};
    if (message_put_hello(&m, &b, NULL) != OK)
        abort();
    send(MESSAGE_hello, 0, &b);
}

static void take_start(str in)
{
    struct message_start m;
    struct message_fd row;
    if (message_get_start(in, &m, NULL) != OK)
        abort();
    while (message_next_fd(&m.fds, &row))
        if (row.what == FD_WEIGHTS && row.name.len == 0 &&
            pread(row.fd, word, sizeof word - 1, 0) < 0)
            abort();
    word[strcspn(word, "\n ")] = '\0';
}

static void scanned(uint64_t id)
{
    struct message_buffer b = {.at = reply, .cap = sizeof reply};
    struct message_buffer files = {.at = rows, .cap = sizeof rows};
    const struct message_file file = {.name = str_of(word)};
    struct message_worker_scanned m = {0};
    if (strstr(word, ".bin") && message_add_file(&files, &file, NULL) != OK)
        abort();
    m.files = message_list_of(&files);
    if (message_put_worker_scanned(&m, &b, NULL) != OK)
        abort();
    send(MESSAGE_worker_scanned, id, &b);
}

static void loaded(uint64_t id)
{
    struct message_buffer b = {.at = reply, .cap = sizeof reply};
    struct message_buffer tensors = {.at = rows, .cap = sizeof rows};
    struct message_tensor t = {.type = 11, .rank = 1, .dim0 = 4, .name = STR("x")};
    struct message_worker_loaded m = {.load_ms = 1, .ram_bytes = 1};
    if (message_add_tensor(&tensors, &t, NULL) != OK)
        abort();
    t.io = 1;
    t.name = STR("y");
    if (message_add_tensor(&tensors, &t, NULL) != OK)
        abort();
    m.tensors = message_list_of(&tensors);
    if (message_put_worker_loaded(&m, &b, NULL) != OK)
        abort();
    send(MESSAGE_worker_loaded, id, &b);
}

static void refused(uint64_t id)
{
    struct message_buffer b = {.at = reply, .cap = sizeof reply};
    const struct message_worker_refused m = {.reason = STR("odd"), .text = STR("it looks odd")};
    if (message_put_worker_refused(&m, &b, NULL) != OK)
        abort();
    send(MESSAGE_worker_refused, id, &b);
    _exit(3);
}

static void load(uint64_t id)
{
    if (strcmp(word, "refuse") == 0)
        refused(id);
    if (strcmp(word, "crash") == 0)
        abort();
    if (strcmp(word, "leave") == 0) {
        (void)fputs("first\nno runtime here\n", stderr);
        _exit(1);
    }
    if (strcmp(word, "hang") != 0)
        loaded(id);
}

static void clean(str in)
{
    struct message_buffer b = {.at = reply, .cap = sizeof reply};
    struct message_lane_drop drop;
    if (message_get_lane_drop(in, &drop, NULL) != OK)
        abort();
    const struct message_lane_clean m = {.loop = drop.loop, .generation = drop.generation};
    if (message_put_lane_clean(&m, &b, NULL) != OK)
        abort();
    send(MESSAGE_lane_clean, 0, &b);
}

static void beat(int number)
{
    struct message_buffer b = {.at = payload, .cap = 0};
    uint8_t bytes[64];
    b = (struct message_buffer){.at = bytes, .cap = sizeof bytes};
    const struct message_beat m = {.loops = 1, .anon_bytes = 1 << 20};
    (void)number;
    if (strcmp(word, "mute") != 0 && message_put_beat(&m, &b, NULL) == OK)
        send(MESSAGE_beat, 0, &b);
    (void)alarm(1);
}

/* A wait status that the row takes for a good end. */
static int good_end(unsigned which)
{
    static const int ends[] = {0, 21 << 8, SIGSYS, SIGXFSZ};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (probe_verdict(which, ends[i], NULL) == OK)
            return ends[i];
    abort();
}

static void tell(int status)
{
    if (write(1, &status, sizeof status) != (ssize_t)sizeof status)
        abort();
}

static int probe(void)
{
    char path[PATH_MAX], how[16];
    unsigned count = 0;
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) > sizeof path - sizeof "/probes")
        abort();
    memcpy(slash, "/probes", sizeof "/probes");
    FILE *script = fopen(path, "r");
    if (!script)
        return probe_run_all(1);
    if (fscanf(script, "%u %15s", &count, how) != 2)
        abort();
    for (unsigned i = 0; i < count; i++)
        tell(good_end(i));
    if (strcmp(how, "hang") == 0)
        (void)pause();
    else if (strcmp(how, "kill") == 0)
        (void)raise(SIGKILL);
    else if (strcmp(how, "allowed") == 0)
        tell(24 << 8);
    return strcmp(how, "exit") == 0 ? 25 : 0;
}

int main(int argc, char **argv)
{
    enum role role;
    struct message_frame frame;
    if (argc == 2 && strcmp(argv[1], "--probe") == 0)
        return probe();
    if (argc != 2 || !role_of_name(str_of(argv[1] + 7), &role))
        return 2;
    hello(role);
    const struct sigaction act = {.sa_handler = beat, .sa_flags = SA_RESTART};
    while (message_read(MESSAGE_CONTROL_FD, &frame, payload, NULL) == OK) {
        const str in = {(const char *)payload, frame.bytes};
        if (frame.number == MESSAGE_start) {
            take_start(in);
            send(MESSAGE_up, 0, NULL);
            if (role == ROLE_WORKER && sigaction(SIGALRM, &act, NULL) == 0)
                (void)alarm(1);
        } else if (frame.number == MESSAGE_worker_scan) {
            scanned(frame.id);
        } else if (frame.number == MESSAGE_worker_load) {
            load(frame.id);
        } else if (frame.number == MESSAGE_lane_drop) {
            clean(in);
        } else if (frame.number == MESSAGE_stop) {
            return 0;
        }
    }
    return 0;
}
