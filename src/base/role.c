/* Names of the roles. */
#include "base/role.h"

static const str names[ROLE_COUNT] = {
    [ROLE_KEEPER] = STR_LIT("keeper"),       [ROLE_DATA_FRONT] = STR_LIT("data_front"),
    [ROLE_OPS_FRONT] = STR_LIT("ops_front"), [ROLE_WORKER] = STR_LIT("worker"),
    [ROLE_READER] = STR_LIT("reader"),       [ROLE_SOCKET] = STR_LIT("socket"),
};

str role_name(enum role r)
{
    return (unsigned)r < ROLE_COUNT ? names[r] : STR("none");
}

bool role_of_name(str name, enum role *ret)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if (str_eq(name, names[i])) {
            *ret = (enum role)i;
            return true;
        }
    }
    return false;
}
