/* Lines of workers. */
#include "control/output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/journal.h"

#define LINES_A_SECOND 20u
#define READS_A_TURN   16u

static void line_done(struct output *o)
{
    const uint64_t now = clock_ns() / NS_PER_S;
    if (o->len == 0)
        return;
    o->line[o->len] = '\0';
    o->len = 0;
    if (now != o->second) {
        o->second = now;
        o->lines = 0;
    }
    if (++o->lines > LINES_A_SECOND) {
        o->dropped++;
        return;
    }
    journal_write(o->cfg,
                  &(struct journal_event){.level = JOURNAL_WARN,
                                          .message = "worker output",
                                          .process = "worker",
                                          .pid = o->pid,
                                          .logger = "engine",
                                          JOURNAL_ARGS({"model", o->model, 0}, {"text", o->line, 0},
                                                       {"suppressed", NULL, o->dropped})});
    o->dropped = 0;
}

static void take(struct output *o, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const char c = bytes[i];
        if (c == '\n')
            line_done(o);
        else if (o->len < OUTPUT_LINE_MAX) /* the rest of a longer line is cut */
            o->line[o->len++] = c >= 0x20 && c < 0x7f ? c : '?';
    }
}

/* false: the pipe has ended. */
static bool drain_pipe(struct output *o)
{
    char bytes[4096];
    for (unsigned i = 0; i < READS_A_TURN; i++) {
        const ssize_t n = read(o->fd, bytes, sizeof bytes);
        if (n > 0)
            take(o, bytes, (size_t)n);
        else
            return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    return true;
}

static void on_ready(void *arg, unsigned ready)
{
    struct output *o = arg;
    (void)ready;
    if (!drain_pipe(o))
        output_close(o);
}

err output_open(struct output *o, struct loop *l, const struct config *cfg, const char *model,
                int *ret_write_end, struct fault *f)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail(f, ERR_UNAVAILABLE, "no pipe for a worker: %s", strerror(errno));
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *o = (struct output){.cfg = cfg, .model = model, .fd = fds[0]};
    const err e = poll_init(&o->poll, l, fds[0], on_ready, o, f);
    if (e != OK) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return e;
    }
    poll_want(&o->poll, POLL_READ);
    o->open = true;
    *ret_write_end = fds[1];
    return OK;
}

void output_close(struct output *o)
{
    if (!o->open)
        return;
    o->open = false;
    (void)drain_pipe(o);
    line_done(o);
    poll_close(&o->poll);
    (void)close(o->fd);
}
