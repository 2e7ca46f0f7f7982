/* cli/commands.def as a table that can be walked, and what a command gets when it runs.
 * thread  the table is constant; a struct cli belongs to the main thread */
#ifndef GARRISON_CLI_COMMAND_H
#define GARRISON_CLI_COMMAND_H

#include <stdint.h>

#include "base/fault.h"

struct cli;

struct cli_flag {
    const char *command; /* id; NULL: common */
    const char *name;    /* "--model" */
    const char *value;   /* "" for a switch */
    bool many;
    const char *help;
};

struct cli_command {
    const char *name;
    const char *args; /* as in usage lines */
    uint32_t args_min;
    uint32_t args_max;
    const char *line;
    const char *example;
    int (*run)(const struct cli *c); /* returns the exit status */
};

struct cli_arg {
    const struct cli_flag *flag;
    const char *value; /* "" for a switch */
};

/* The words after the command, taken apart. Strings are argv's. */
struct cli {
    const struct cli_command *command;
    struct cli_arg *flags;
    uint32_t flag_count;
    const char **args;
    uint32_t arg_count;
    bool json;
    bool quiet;
    bool color;     /* of standard output */
    bool color_err; /* of standard error */
};

const struct cli_command *cli_commands(uint32_t *ret_count);
const struct cli_flag *cli_flags(uint32_t *ret_count); /* all commands' flags, common ones last */
const struct cli_command *cli_command_find(str name);  /* NULL: no such command */

/* The known command that name most likely meant, or the empty slice. */
str cli_command_nearest(str name);

/* Whether flag belongs to command: its own, or a common one that it has no own for. */
bool cli_flag_of(const struct cli_flag *flag, const struct cli_command *command);

/* Takes argv[0..argc) apart: flags as --flag=value or --flag value, -- ends them.
 * out     ret     cli_free; its arrays are its own, the strings argv's; untouched on error
 *         ret_help  true: --help was among them, and nothing else was judged
 * errors  ERR_INPUT: an unknown flag, a value missing or too many, arguments too few or many */
MUST_USE err cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *ret,
                       bool *ret_help, struct fault *f);
void cli_free(struct cli *c);

/* The value of a flag (its last), or NULL. */
const char *cli_value(const struct cli *c, const char *flag);

/* Prints "garrison: WHAT (ROW): text" on standard error, as JSON under --json, and returns the exit
 * status of code. what may be NULL. */
int cli_fail(const struct cli *c, const char *what, err code, const char *text);

#define COMMAND(id, args, least, most, line, example) int command_##id(const struct cli *c);
#define FLAG(id, name, value, often, help)
#define COMMON(name, value, help)
#include "cli/commands.def"
#undef COMMAND
#undef FLAG
#undef COMMON

#endif
