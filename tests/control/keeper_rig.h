/* Drives a real keeper (tool_keeper with tool_worker beside it) from a test: starts it in a
 * directory of its own, waits for lines on its stderr with a deadline, sends signals. */
#ifndef GARRISON_TESTS_KEEPER_RIG_H
#define GARRISON_TESTS_KEEPER_RIG_H

#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define RIG_NS (30 * NS_PER_S)

struct rig {
    char dir[64];
    pid_t keeper;
    int err;
    char seen[1 << 20]; /* all of its stderr so far */
    size_t len, at;     /* at: what wait_for has passed */
    int status;
};

static inline void rig_put(const struct rig *r, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static inline void rig_copy(const struct rig *r, const char *from, const char *to)
{
    const char *build = getenv("GARRISON_BUILD");
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "ln -f '%s/%s' '%s/%s' 2>/dev/null || cp '%s/%s' '%s/%s'", build ? build : ".",
                   from, r->dir, to, build ? build : ".", from, r->dir, to);
    assert_int_equal(system(command), 0);
}

static inline struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/garrison-keeper-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    rig_copy(r, "tool_keeper", "garrison");
    rig_copy(r, "tool_worker", "garrison-worker");
    static const char *const words[] = {"ok", "refuse", "crash", "hang", "mute"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s.onnx", words[i]);
        rig_put(r, name, words[i]);
    }
    return r;
}

/* Starts the keeper on a configuration: models and settings beyond the common ones. */
static inline void rig_start(struct rig *r, const char *more)
{
    char config[4096], exe[128], path[128];
    int fds[2];
    (void)snprintf(config, sizeof config,
                   "listeners: {data: {addresses: [\"127.0.0.1:0\"]}, "
                   "ops: {addresses: [\"127.0.0.1:0\"]}}\n%s\n",
                   more);
    rig_put(r, "c.yaml", config);
    (void)snprintf(exe, sizeof exe, "%s/garrison", r->dir);
    (void)snprintf(path, sizeof path, "%s/c.yaml", r->dir);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r->len = r->at = 0;
    r->keeper = fork();
    if (r->keeper == 0) {
        char out[128];
        (void)snprintf(out, sizeof out, "%s/out", r->dir);
        (void)dup2(open("/dev/null", O_RDWR), 0);
        (void)dup2(open(out, O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
        (void)dup2(fds[1], 2);
        (void)execl(exe, exe, path, (char *)NULL);
        _exit(126);
    }
    assert_true(r->keeper > 0);
    assert_int_equal(close(fds[1]), 0);
    r->err = fds[0];
}

/* Reads more of stderr; false at its end. The deadline fails the test. */
static inline bool rig_read(struct rig *r, uint64_t deadline)
{
    struct pollfd p = {.fd = r->err, .events = POLLIN};
    const uint64_t now = clock_ns();
    if (now >= deadline || poll(&p, 1, (int)((deadline - now) / NS_PER_MS) + 1) == 0)
        fail_msg("nothing came in time; so far:\n%s", r->seen);
    const ssize_t n = read(r->err, r->seen + r->len, sizeof r->seen - 1 - r->len);
    if (n <= 0)
        return false;
    r->len += (size_t)n;
    r->seen[r->len] = '\0';
    return true;
}

/* Waits until text stands in what has not been passed yet, and passes it. */
static inline void rig_wait(struct rig *r, const char *text)
{
    const uint64_t deadline = clock_ns() + RIG_NS;
    char *hit;
    r->seen[r->len] = '\0';
    while (!(hit = strstr(r->seen + r->at, text)))
        if (!rig_read(r, deadline))
            fail_msg("ended without \"%s\":\n%s", text, r->seen);
    r->at = (size_t)(hit - r->seen) + strlen(text);
}

static inline bool rig_saw(const struct rig *r, const char *text)
{
    return strstr(r->seen, text) != NULL;
}

/* Whether a line of its stdout so far has all of these texts in this order. */
static inline bool rig_logged(const struct rig *r, const char *first, const char *second)
{
    char path[128], line[8192];
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/out", r->dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (!found && fgets(line, sizeof line, f)) {
        const char *at = strstr(line, first);
        found = at && strstr(at, second);
    }
    assert_int_equal(fclose(f), 0);
    return found;
}

/* Waits for the end of the keeper and of all that hold its stderr. */
static inline int rig_end(struct rig *r)
{
    const uint64_t deadline = clock_ns() + RIG_NS;
    while (rig_read(r, deadline))
        continue;
    assert_int_equal(waitpid(r->keeper, &r->status, 0), r->keeper);
    r->keeper = 0;
    (void)close(r->err);
    return WIFEXITED(r->status) ? WEXITSTATUS(r->status) : -WTERMSIG(r->status);
}

static inline void rig_free(struct rig *r)
{
    char command[128];
    if (r->keeper > 0) {
        (void)kill(r->keeper, SIGKILL);
        (void)waitpid(r->keeper, NULL, 0);
        (void)close(r->err);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
    (void)!system(command);
    free(r);
}

/* Children of the keeper whose command line contains word; returns how many, pids in ret. */
static inline unsigned rig_children(const struct rig *r, const char *word, pid_t *ret, unsigned max)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *d; (d = readdir(proc));) {
        char path[300], text[512] = "";
        const pid_t pid = (pid_t)atoi(d->d_name);
        int parent = 0;
        (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = pid > 0 ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        const int got = fscanf(f, "%*d (%*[^)]) %*c %d", &parent);
        (void)fclose(f);
        (void)snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        f = got == 1 && parent == r->keeper ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        const size_t n = fread(text, 1, sizeof text - 1, f);
        (void)fclose(f);
        for (size_t i = 0; i + 1 < n; i++)
            if (text[i] == '\0')
                text[i] = ' ';
        if (strstr(text, word) && count < max)
            ret[count++] = pid;
    }
    (void)closedir(proc);
    return count;
}

#endif
