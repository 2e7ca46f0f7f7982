/* The rows of config.def. A row's type must fit its field: FITS fails to compile where not. */
#include "control/config_table.h"

#include "control/config.h"

#define C_BOOL      bool
#define C_INT       uint32_t
#define C_SIZE      uint64_t
#define C_BYTE_RATE uint64_t
#define C_DURATION  uint64_t
#define C_RATE      struct config_rate
#define C_RATIO     double
#define C_TEXT      str
#define C_ENUM      uint32_t
#define C_PATH      str
#define C_ADDRESSES struct config_addresses
#define C_ENUMS     uint32_t

#define FITS(type, of, field)                                                                      \
    _Static_assert(__builtin_types_compatible_p(C_##type, __typeof__(((of *)0)->field)),           \
                   "the type of a row and of its field differ");
#define ROW(key, type, field, preset, bounds, set, flag, help) FITS(type, struct config, field)
#define MODEL(key, type, field, preset, bounds, set, flag, help)                                   \
    FITS(type, struct config_model, field)
#define SETTING(key, type, field, preset, bounds, set, flag, help)                                 \
    FITS(type, struct config_settings, field)
#include "control/config.def"
#undef ROW
#undef MODEL
#undef SETTING

static const struct config_row rows[] = {
#define ROW(key, type, field, preset, bounds, set, flag, help)                                     \
    {key,  CONFIG_##type, CONFIG_OF_SERVER, offsetof(struct config, field), preset, bounds, set,   \
     flag, help},
#define MODEL(key, type, field, preset, bounds, set, flag, help)
#define SETTING(key, type, field, preset, bounds, set, flag, help)                                 \
    {"defaults." key,                                                                              \
     CONFIG_##type,                                                                                \
     CONFIG_OF_SERVER,                                                                             \
     offsetof(struct config, defaults.field),                                                      \
     preset,                                                                                       \
     bounds,                                                                                       \
     set,                                                                                          \
     flag,                                                                                         \
     help},
#include "control/config.def"
#undef ROW
#undef MODEL
#undef SETTING
#define ROW(key, type, field, preset, bounds, set, flag, help)
#define MODEL(key, type, field, preset, bounds, set, flag, help)                                   \
    {"models.NAME." key,                                                                           \
     CONFIG_##type,                                                                                \
     CONFIG_OF_MODEL,                                                                              \
     offsetof(struct config_model, field),                                                         \
     preset,                                                                                       \
     bounds,                                                                                       \
     set,                                                                                          \
     flag,                                                                                         \
     help},
#define SETTING(key, type, field, preset, bounds, set, flag, help)                                 \
    {"models.NAME." key,                                                                           \
     CONFIG_##type,                                                                                \
     CONFIG_OF_MODEL,                                                                              \
     offsetof(struct config_model, s.field),                                                       \
     "*defaults." key "*",                                                                         \
     bounds,                                                                                       \
     set,                                                                                          \
     flag,                                                                                         \
     help},
#include "control/config.def"
#undef ROW
#undef MODEL
#undef SETTING
};

const struct config_row *config_rows(uint32_t *ret_count)
{
    *ret_count = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_BOOL] = "bool",
        [CONFIG_INT] = "int",
        [CONFIG_SIZE] = "size",
        [CONFIG_BYTE_RATE] = "byte rate",
        [CONFIG_DURATION] = "duration",
        [CONFIG_RATE] = "rate",
        [CONFIG_RATIO] = "ratio",
        [CONFIG_TEXT] = "text",
        [CONFIG_ENUM] = "enum",
        [CONFIG_PATH] = "path",
        [CONFIG_ADDRESSES] = "list of address",
        [CONFIG_ENUMS] = "list of enum",
    };
    return names[type];
}

bool config_row_computed(const struct config_row *row)
{
    return row->preset[0] == '*';
}

bool config_row_required(const struct config_row *row)
{
    return row->preset[0] == '!';
}

bool config_row_absent(const struct config_row *row)
{
    return row->preset[0] == '-' && !row->preset[1];
}

str config_word_next(str *rest)
{
    const size_t end = str_find(*rest, ',');
    const str word = str_trim(str_cut(*rest, 0, end));
    *rest = str_cut(*rest, end + 1, rest->len);
    return word;
}
