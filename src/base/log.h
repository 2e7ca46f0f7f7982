/* ECS lines: the head that every line shares, and the stream garrison.app, what a role did.
 * A line is one JSON object of at most LOG_LINE_MAX bytes, written whole by one write(2), so that
 * lines of several processes on one pipe do not mix. Payloads and secrets have no formatter.
 * thread  log_app: any, but a struct log belongs to one thread; the rest any
 * source  Elastic Common Schema 9 */
#ifndef GARRISON_BASE_LOG_H
#define GARRISON_BASE_LOG_H

#include "base/err.h"
#include "base/text.h"

#define LOG_LINE_MAX  4096u /* PIPE_BUF */
#define LOG_TEMPLATES 32u   /* whose rate is known at once */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* What all lines of one process say of where they come from; texts are borrowed for ever. */
struct log_site {
    str version;     /* service.version */
    str environment; /* service.environment, or empty */
    str node;        /* service.node.name */
};

/* ,"ecs.version":.. to ,"service.node.name":..: the part after the message. */
void log_site_put(struct text *t, const struct log_site *site);

/* The app log of one thread. Zeroed, then site, role and level set. */
struct log {
    const struct log_site *site;
    str role; /* process.name */
    enum log_level level;
    bool off;         /* logs.stdout without app */
    int fd;           /* where lines go */
    uint64_t written; /* lines */
    uint64_t dropped; /* lines that fd would not take */
    struct {
        const char *message;
        uint64_t second; /* of the monotonic clock */
        uint32_t count;  /* in that second */
        uint32_t suppressed;
        bool flood; /* one a minute now */
    } rates[LOG_TEMPLATES];
};

/* One fact beside the message: garrison.args.<key>. */
struct log_arg {
    const char *key;
    str value;
};

struct log_entry {
    enum log_level level;
    const char *room;     /* log.logger */
    const char *function; /* log.origin.function */
    const char *message;  /* a constant template: what varies is in args and text */
    err code;             /* error.code, unless OK */
    str text;             /* error.message, or empty */
    const struct log_arg *args;
    uint32_t arg_count;
};

/* Writes one line, unless its level is off, log_rate holds it back, or fd takes nothing now: such a
 * line is dropped and counted, since a loop never waits for the reader of a pipe. Values are cut to
 * make a line fit, then it says garrison.truncated. returns true when a line went out */
bool log_app(struct log *l, const struct log_entry *entry);

/* Whether a line of this template may go out in this second of the monotonic clock: 10 a second,
 * then one a minute for as long as the flood lasts. *ret_suppressed: lines held back before it */
bool log_rate(struct log *l, const char *message, uint64_t second, uint32_t *ret_suppressed);

/* Waits at most wait_ms until fd takes a line of LOG_LINE_MAX bytes without blocking. The mode of
 * fd is not touched: stdout is shared with other processes. */
bool log_takes(int fd, int wait_ms);

#endif
