/* The result of every call that can fail, and the faces of each code, read from base/err.def.
 * thread  any; all data is constant */
#ifndef GARRISON_BASE_ERR_H
#define GARRISON_BASE_ERR_H

#include <stdbool.h>

#include "base/str.h"

#define MUST_USE __attribute__((warn_unused_result))

typedef enum err {
    OK = 0,
#define ERR(name, http, grpc, exit, retry, meaning) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
} err;

const char *err_name(err e);            /* "INPUT"; "OK" for OK; never NULL */
int err_http(err e);                    /* HTTP status; OK is 200 */
int err_grpc(err e);                    /* gRPC status; OK is 0 */
int err_exit(err e);                    /* exit status of a command; OK is 0 */
bool err_retry(err e);                  /* true: the reply carries Retry-After */
const char *err_meaning(err e);         /* one phrase for reference pages */
bool err_of_name(str name, err *ret_e); /* finds a code by its name, for clients */

#endif
