/* One HTTP call with bounds, by libcurl: no redirect, no proxy, no variable of the environment.
 * thread  any, a call at a time in each; blocks until the deadline at most */
#ifndef GARRISON_CONTROL_FETCH_H
#define GARRISON_CONTROL_FETCH_H

#include <stdint.h>

#include "base/fault.h"

#define FETCH_ROW_BYTES 32u

/* Bytes so far; total is 0 while unknown. Called about once a second at most. */
typedef void fetch_progress(void *to, uint64_t elapsed_ns, uint64_t sent, uint64_t sent_total,
                            uint64_t taken, uint64_t taken_total);

struct fetch_call {
    const char *url;            /* http://IP:PORT/PATH */
    const char *socket;         /* NULL: TCP; else the Unix socket to talk through */
    const char *const *headers; /* "name: value" */
    uint32_t header_count;
    bool post;
    str body; /* of a POST */
    uint64_t deadline_ns;
    uint64_t reply_bytes_max;
    fetch_progress *progress; /* or NULL */
    void *progress_to;
};

struct fetch_reply {
    int status;
    char *body; /* len bytes and a NUL; fetch_reply_free */
    size_t len;
    char row[FETCH_ROW_BYTES]; /* x-garrison-error, or empty */
    size_t json_len;           /* Inference-Header-Content-Length; len where absent */
};

/* Calls, whatever the status of the reply.
 * out     ret  yours: fetch_reply_free; untouched on error
 * errors  ERR_UNAVAILABLE: no connection, or it broke; ERR_LATE: the deadline;
 *         ERR_TOO_BIG: a longer reply; ERR_INPUT: url */
MUST_USE err fetch(const struct fetch_call *call, struct fetch_reply *ret, struct fault *f);

void fetch_reply_free(struct fetch_reply *r); /* leaves it empty */

#endif
