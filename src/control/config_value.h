/* One value of the configuration from its text, by the type and bounds of its row.
 * thread  any; never blocks
 * source  config.md section 1, table of units */
#ifndef GARRISON_CONTROL_CONFIG_VALUE_H
#define GARRISON_CONTROL_CONFIG_VALUE_H

#include "base/arena.h"
#include "base/fault.h"

#include "control/config_table.h"
#include "control/yaml_tree.h"

#define CONFIG_WHY_BYTES 480u

/* How texts are taken: arena keeps them, dir joins relative paths (empty: as they are), and shell
 * says that the value came from the command line, where a path may climb by "..". */
struct config_taking {
    struct arena *arena;
    str dir;
    bool shell;
};

/* Reads node as row says and writes the field at base.
 * out     base      the struct that row.offset counts from; untouched on error
 *         why       "what was seen; want what", CONFIG_WHY_BYTES
 *         ret_spot  the node that is wrong: node, or an item of it
 * errors  ERR_INPUT: why says it; ERR_UNAVAILABLE: the arena is spent */
MUST_USE err config_value_set(const struct config_row *row, const struct yaml_tree *node,
                              const struct config_taking *how, void *base, char *why,
                              const struct yaml_tree **ret_spot);

/* The row's own default, which is there and in bounds: a test holds that of every row. */
void config_value_preset(const struct config_row *row, const struct config_taking *how, void *base);

#endif
