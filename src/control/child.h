/* A process that the keeper has started: its control link, its first words, its beats, its end.
 *
 * child_start makes a socket pair, starts the process with it as descriptor 3 and everything else
 * from 4 on, answers its hello (another build is killed) with start, and calls on_up at its up.
 * Then other messages go to on_message. A breach, a peer that reads nothing for 10 s, or silence
 * (no beat for a given time; a front: of any loop) ends in SIGKILL with the reason kept.
 * on_exit comes once the process is reaped and its link has been read to the end; its text says how
 * it ended: why it was killed, or by what it died.
 *
 * thread  the keeper's main thread */
#ifndef GARRISON_CONTROL_CHILD_H
#define GARRISON_CONTROL_CHILD_H

#include <sys/types.h>

#include "net/link.h"

#define CHILD_STUCK_NS 10000000000ull

struct child;
struct children; /* all of them, for reaping and watching */

/* Why the keeper killed it. */
enum child_kill {
    KILL_NONE,
    KILL_BREACH, /* broke the rules of messages, or took none */
    KILL_SILENT, /* beats stopped */
    KILL_DEADLINE,
    KILL_FAULT,  /* broke the rules of its lane */
    KILL_PLANNED /* is to end */
};

struct child_fd {
    int fd; /* borrowed until child_start returns */
    uint8_t what, loop, part;
    const char *name;
};

/* Figures from its last beat. */
struct child_usage {
    uint64_t anon_bytes, file_bytes, shmem_bytes, cpu_ns;
    uint32_t fds, fds_max;
};

struct child_opts {
    enum role role;
    int exe;
    int out, err;        /* descriptors that become 1 and 2; -1: /dev/null */
    uint32_t loops;      /* whose beats are watched: bits 0..loops-1 */
    uint64_t silence_ns; /* most time between beats; 0: not watched */
    const struct child_fd *fds;
    uint32_t fd_count;
    void *arg;
    void (*on_up)(void *arg);
    void (*on_message)(void *arg, const struct link_message *m);
    void (*on_exit)(void *arg, int wait_status, enum child_kill why, const char *text);
};

MUST_USE err children_new(struct loop *l, uint64_t boot, struct children **ret, struct fault *f);
void children_free(struct children *all); /* kills what is left; NULL is a no-op */
uint32_t children_count(const struct children *all);

/* Reaps every dead process (SIGCHLD); pids of no child are handed to on_other. */
void children_reap(struct children *all);
void children_on_other(struct children *all, void (*fn)(void *arg, pid_t pid, int status),
                       void *arg);

/* Looks at beats and stuck links; every second. */
void children_watch(struct children *all);
void children_kill_all(struct children *all); /* KILL_PLANNED, at once */

/* *ret_child lives until its on_exit returns. */
MUST_USE err child_start(struct children *all, const struct child_opts *opts,
                         struct child **ret_child, struct fault *f);
void child_kill(struct child *c, enum child_kill why,
                const char *text); /* the first reason holds */

/* Sends; a message that cannot be sent kills the child (it takes none). */
void child_send(struct child *c, const struct link_send *how, str payload);

bool child_is_up(const struct child *c);
pid_t child_pid(const struct child *c);
struct child_usage child_usage(const struct child *c);

#endif
