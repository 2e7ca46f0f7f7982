/* Writing app lines. */
#include "control/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/text.h"

static void field(struct text *t, const char *key, str value)
{
    if (value.len == 0)
        return;
    text_char(t, ',');
    text_json(t, str_of(key));
    text_char(t, ':');
    text_json(t, value);
}

static void arg(struct text *t, const struct journal_arg *a)
{
    char key[64];
    (void)snprintf(key, sizeof key, "garrison.args.%s", a->key);
    if (a->text) {
        field(t, key, str_cut(str_of(a->text), 0, 512));
        return;
    }
    text_char(t, ',');
    text_json(t, str_of(key));
    text_char(t, ':');
    text_u64(t, a->number);
}

static str level_name(enum journal_level l)
{
    static const str names[] = {STR_LIT("debug"), STR_LIT("info"), STR_LIT("warn"),
                                STR_LIT("error")};
    return names[l];
}

/* A reader that stands still must not hold up the keeper: on a pipe, where the kernel can tell
 * (Linux 6.4), the line is dropped instead. */
static void write_whole(char *line, size_t len)
{
    const struct iovec io = {.iov_base = line, .iov_len = len};
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) &&
        (pwritev2(STDOUT_FILENO, &io, 1, -1, RWF_NOWAIT) >= 0 || errno == EAGAIN))
        return;
    (void)!write(STDOUT_FILENO, line, len);
}

void journal_write(const struct config *cfg, const struct journal_event *e)
{
    char line[PIPE_BUF];
    struct text t = text_over(line, sizeof line - 2);
    if (!(cfg->logs.stdout_set & 1u << CONFIG_STREAM_APP) || (uint32_t)e->level < cfg->logs.level)
        return;
    text_put(&t, STR("{\"@timestamp\":\""));
    text_time(&t, clock_wall_us());
    text_char(&t, '"');
    field(&t, "log.level", level_name(e->level));
    field(&t, "message", str_of(e->message));
    field(&t, "ecs.version", STR("9.0.0"));
    field(&t, "service.name", STR("garrison"));
    field(&t, "service.version", STR(GARRISON_VERSION));
    field(&t, "service.environment", cfg->site.environment);
    field(&t, "service.node.name", cfg->site.replica);
    field(&t, "event.dataset", STR("garrison.app"));
    field(&t, "event.kind", STR("event"));
    text_put(&t, STR(",\"event.category\":[\"process\"],\"event.type\":"));
    text_put(&t, e->end ? STR("[\"end\"],\"event.outcome\":\"failure\"") : STR("[\"info\"]"));
    field(&t, "process.name", str_of(e->process ? e->process : "keeper"));
    text_put(&t, STR(",\"process.pid\":"));
    text_u64(&t, (uint64_t)(e->pid ? e->pid : getpid()));
    field(&t, "log.logger", str_of(e->logger ? e->logger : "control"));
    for (unsigned i = 0; i < e->arg_count; i++) {
        const struct text before = t;
        arg(&t, &e->args[i]);
        if (t.full) { /* a line holds whole fields only */
            t = before;
            break;
        }
    }
    line[t.len++] = '}';
    line[t.len++] = '\n';
    write_whole(line, t.len);
}

void journal_say(const char *format, ...)
{
    char line[1024] = "garrison: ";
    const size_t head = strlen(line);
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line + head, sizeof line - head - 1, format, args);
    va_end(args);
    size_t len = head + (n < 0 ? 0 : (size_t)n);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    (void)!write(STDERR_FILENO, line, len);
}
