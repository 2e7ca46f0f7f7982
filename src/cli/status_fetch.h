/* The status of a server, by its local socket or by HTTP: the one place that knows both roads.
 * thread  main; blocks at most some seconds */
#ifndef GARRISON_CLI_STATUS_FETCH_H
#define GARRISON_CLI_STATUS_FETCH_H

#include "cli/command.h"

/* Where: --socket or GARRISON_SOCKET, else --server or GARRISON_SERVER, else the first that answers
 * of the socket of /etc/garrison/garrison.yaml, /run/garrison/admin.sock, http://127.0.0.1:8002.
 * out     ret_json, ret_len  yours: free; untouched on error
 * errors  the server's own; ERR_UNAVAILABLE: nobody answers; ERR_INPUT: a wrong flag */
MUST_USE err status_fetch(const struct cli *c, char **ret_json, size_t *ret_len, struct fault *f);

/* A probe: live, ready or startup, by HTTP alone.
 * errors  ERR_UNAVAILABLE: it fails, or nobody answers; f says why */
MUST_USE err status_probe(const struct cli *c, const char *probe, struct fault *f);

#endif
