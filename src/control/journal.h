/* The keeper's words: app lines on stdout (ECS NDJSON, one write a line) and plain lines for the
 * person at the terminal on stderr.
 * thread  any; a write may block as long as the reader of stdout does
 * source  monitoring.md section 4, stream app */
#ifndef GARRISON_CONTROL_JOURNAL_H
#define GARRISON_CONTROL_JOURNAL_H

#include <sys/types.h>

#include "control/config.h"

enum journal_level { JOURNAL_DEBUG, JOURNAL_INFO, JOURNAL_WARN, JOURNAL_ERROR };

struct journal_arg { /* garrison.args.KEY; text NULL: number */
    const char *key;
    const char *text;
    uint64_t number;
};

struct journal_event {
    enum journal_level level;
    const char *message; /* a constant: what varies travels in args */
    const char *process; /* role it is about; NULL: keeper */
    pid_t pid;           /* 0: the keeper's */
    bool end;            /* that process has ended unasked; else plain information */
    const char *logger;  /* room */
    const struct journal_arg *args;
    unsigned arg_count;
};

#define JOURNAL_ARGS(...)                                                                          \
    .args = (const struct journal_arg[]){__VA_ARGS__},                                             \
    .arg_count = sizeof((const struct journal_arg[]){__VA_ARGS__}) / sizeof(struct journal_arg)

void journal_write(const struct config *cfg, const struct journal_event *e);

/* One line on stderr: "garrison: ...". */
void journal_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
