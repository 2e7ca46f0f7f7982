/* Fronts are this executable; workers and readers are garrison-worker. */
#include "cli/role.h"

#include <stdio.h>

#include "base/role.h"
#include "cli/front_watch.h"
#include "serve/front.h"

int role_main(const char *name, int argc, char **argv)
{
    enum role role = ROLE_COUNT;
    (void)argv;
    if (argc == 0 && role_of_name(str_of(name), &role) &&
        (role == ROLE_DATA_FRONT || role == ROLE_OPS_FRONT))
        return front_run(role, &front_watch_calls);
    (void)fputs("garrison: a role is started by the keeper, not by hand\n", stderr);
    return 2;
}
