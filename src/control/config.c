/* What can be asked of finished settings. */
#include "control/config.h"

uint64_t config_stop_ns(const struct config *c)
{
    return c->drain.delay_ns + c->drain.grace_ns + CONFIG_STOP_SPARE_NS;
}

bool config_model_name(str name)
{
    if (name.len == 0 || name.len > CONFIG_NAME_BYTES || str_eq(name, STR("stats")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.at[i];
        const bool word =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!word && (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return true;
}
