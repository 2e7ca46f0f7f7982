/* The worker's sandbox: what a process may do once it touches the bytes of a model.
 *
 * Two steps, because the runtime needs files, threads and limits before the filter stands:
 *   sandbox_begin   first act of main: limits, death with the parent, no new privileges, closed
 *                   descriptors. Then maps, dlopen, environment, pools, watchdog.
 *   sandbox_enter   after the barrier of all threads, before the first byte of a model: Landlock
 *                   deny-all, NOFILE, NPROC 0, then the system call filter over every thread.
 * Landlock binds a thread and those it starts; a thread that stands before sandbox_enter calls
 * sandbox_thread once it needs no file any more. The filter covers all threads by itself.
 *
 * Filter: default kill of the process; the list of calls is the table at the head of sandbox.c.
 * errors  ERR_UNAVAILABLE: the kernel refused a step, with its name and reason
 * thread  as said; nothing blocks
 * source  seccomp(2), landlock(7), prctl(2), setrlimit(2) */
#ifndef GARRISON_ENGINE_SANDBOX_H
#define GARRISON_ENGINE_SANDBOX_H

#include <stdint.h>

#include "base/fault.h"

#define SANDBOX_STACK_BYTES (8ull << 20)
#define SANDBOX_KEEP_MAX    1024u
#define SANDBOX_OOM_SCORE   500

enum sandbox_mode {
    SANDBOX_REQUIRED = 0, /* no filter, no model */
    SANDBOX_BEST_EFFORT   /* for debugging: goes on with what could be had */
};

enum sandbox_level {
    SANDBOX_FULL = 0, /* filter and Landlock */
    SANDBOX_DEGRADED  /* one of them is missing: the text says which */
};

struct sandbox_report {
    enum sandbox_level level;
    bool filter;           /* the system call filter stands */
    uint32_t landlock_abi; /* in force; 0: none */
    char text[128];        /* "filter, Landlock ABI 7"; one printable line */
};

const char *sandbox_level_name(enum sandbox_level level); /* "full", "degraded" */

struct sandbox_start {
    int64_t parent;      /* pid of the process to die with; 0: whoever it is now */
    uint64_t data_bytes; /* private writable memory (RLIMIT_DATA); 0: as inherited */
    const int *keep;     /* descriptors that stay beside 0, 1 and 2; any order */
    uint32_t keep_count; /* 0..SANDBOX_KEEP_MAX */
};

/* RLIMIT_DATA of a worker: budget, 16 MiB a thread, 64 MiB of its own; saturates. */
uint64_t sandbox_data_bytes(uint64_t budget_bytes, uint32_t threads);

/* Limits (DATA, FSIZE 0, STACK, CORE 0), SIGKILL when the parent's forking thread ends,
 * oom_score_adj, dumpable 0, no_new_privs, and closes all other descriptors. oom_score_adj is
 * tried only: where /proc is hidden the process lives on with the inherited score.
 * errors  also ERR_UNAVAILABLE where the parent is gone already; ERR_INPUT: keep is not a list of
 *         descriptors
 * thread  main, before any other starts */
MUST_USE err sandbox_begin(const struct sandbox_start *start, struct fault *f);

/* The Landlock ABI of the running kernel; 0: none, or switched off. */
uint32_t sandbox_landlock_abi(void);

/* Landlock deny-all on the calling thread, where the kernel has it (else OK, and nothing). */
MUST_USE err sandbox_thread(struct fault *f);

struct sandbox_seal {
    enum sandbox_mode mode;
    const int *reads; /* the only descriptors that read(2) may name; NULL: any */
    uint32_t read_count;
    const int *writes; /* the same for write(2) */
    uint32_t write_count;
};

/* Closes the sandbox for good. In mode best-effort a missing filter is told by the report alone.
 * Name the descriptors: a worker that may read a loop's eventfd can swallow the wake-ups of other
 * workers, and one that may write its own can fill it so that the front's write blocks. Worker:
 * reads control and its own eventfd; writes control, 1, 2 and the loops' eventfds.
 * out     ret_report  untouched on error
 * errors  ERR_UNAVAILABLE: a limit, or (required) the filter was refused: load nothing
 * thread  main; every other thread stands already and is covered by the filter */
MUST_USE err sandbox_enter(const struct sandbox_seal *seal, struct sandbox_report *ret_report,
                           struct fault *f);

#endif
