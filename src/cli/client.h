/* Calls of commands to a server, and its errors as lines and exit statuses.
 * thread  main; blocks until the deadline at most */
#ifndef GARRISON_CLI_CLIENT_H
#define GARRISON_CLI_CLIENT_H

#include "cli/command.h"
#include "control/fetch.h"

#define CLIENT_DATA_URL    "http://127.0.0.1:8000"
#define CLIENT_OPS_URL     "http://127.0.0.1:8002"
#define CLIENT_DEADLINE_NS 30000000000ull
#define CLIENT_REPLY_MAX   (1ull << 30)
#define CLIENT_URL_BYTES   512u

/* The server to call: --server, else GARRISON_SERVER, else fallback; without a last slash.
 * errors  ERR_INPUT: no http:// URL of loopback with nothing behind its port */
MUST_USE err client_server(const struct cli *c, const char *fallback, char ret[CLIENT_URL_BYTES],
                           struct fault *f);

/* Whether base is http://127.x.x.x:PORT, http://[::1]:PORT or http://localhost:PORT. */
bool client_loopback(str base);

/* How far a command of several calls is; the line shows on standard error after one second. */
struct client_progress {
    const struct cli *c;
    const char *what;  /* "infer fraud" */
    uint64_t begun_ns; /* of the command */
    uint64_t told_ns;
    uint64_t rows; /* answered so far; 0: none to tell */
    bool shown;
};

fetch_progress client_progress_tell;                 /* its `to` is a struct client_progress */
void client_progress_end(struct client_progress *p); /* clears a line that is shown */

/* The error that a reply of another status than 200 holds: its text and its row. */
err client_error(const struct fetch_reply *r, struct fault *f);

#endif
