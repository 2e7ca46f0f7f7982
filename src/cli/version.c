/* What this program is. */
#include "cli/command.h"

#include <stdio.h>

#include "base/build_id.h"

int command_version(const struct cli *c)
{
    if (c->json)
        (void)printf("{\"version\":\"%s\",\"build\":\"%s\"}\n", GARRISON_VERSION, BUILD_ID_HEX);
    else
        (void)printf("garrison %s\nbuild %s\n", GARRISON_VERSION, BUILD_ID_HEX);
    return 0;
}
