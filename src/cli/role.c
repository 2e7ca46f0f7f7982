/* The table of roles. */
#include "cli/role.h"

#include <stdio.h>
#include <string.h>

struct role {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct role roles[] = {
    {NULL, NULL},
};

int role_main(const char *role, int argc, char **argv)
{
    for (const struct role *r = roles; r->name; r++) {
        if (strcmp(r->name, role) == 0)
            return r->run(argc, argv);
    }
    (void)fputs("garrison: a role is started by the keeper, not by hand\n", stderr);
    return 2;
}
