/* garrison-worker: the process that a model runs in. The keeper starts it; by hand it only says so.
 *   garrison-worker --role=worker|reader   descriptor 3 is the keeper's socket
 *   garrison-worker --probe                a try of each thing that the sandbox forbids */
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "engine/probe.h"
#include "engine/worker.h"

#define ARENAS_MAX 4 /* of malloc: more of them keep more memory that nobody uses */

static int refuse(str line)
{
    const ssize_t ignored = write(STDERR_FILENO, line.at, line.len);
    (void)ignored;
    return 2;
}

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int main(int argc, char **argv)
{
    enum role role;
    const char *quiet = getenv("ORT_DISABLE_TELEMETRY");
    if (argc == 2 && str_eq(str_of(argv[1]), STR("--probe")))
        return probe_run_all(STDOUT_FILENO);
    if (argc != 2 || !str_starts(str_of(argv[1]), STR("--role=")) ||
        !role_of_name(str_cut(str_of(argv[1]), 7, SIZE_MAX), &role) ||
        (role != ROLE_WORKER && role != ROLE_READER) || !is_socket(MESSAGE_CONTROL_FD))
        return refuse(STR("garrison-worker: it is started by garrison serve, not by hand\n"));
    if (!quiet || !str_eq(str_of(quiet), STR("1")))
        return refuse(STR("garrison-worker: ORT_DISABLE_TELEMETRY is not 1\n"));
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
    return worker_serve(role);
}
