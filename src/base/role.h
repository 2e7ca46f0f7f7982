/* The processes of a server, and the callers on its local socket.
 * thread  any; all data is constant */
#ifndef GARRISON_BASE_ROLE_H
#define GARRISON_BASE_ROLE_H

#include "base/str.h"

enum role {
    ROLE_KEEPER,
    ROLE_DATA_FRONT,
    ROLE_OPS_FRONT,
    ROLE_WORKER,
    ROLE_READER, /* the one-shot child that walks a model's bytes before a worker is started */
    ROLE_SOCKET, /* a caller on admin.sock */
    ROLE_COUNT
};

/* "keeper" "data_front" "ops_front" "worker" "reader" "socket", as in --role= and in status. */
str role_name(enum role r);
bool role_of_name(str name, enum role *ret); /* ret is untouched when false */

#endif
