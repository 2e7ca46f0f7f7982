/* `garrison serve`: flags to settings, then the keeper has the process. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/scope.h"

#include "cli/notes.h"
#include "control/config_load.h"
#include "control/keeper.h"

static void config_undo(struct config **c)
{
    config_free(*c);
}

int command_serve(const struct cli *c)
{
    SCOPED(free_undo)
    struct config_flag *flags = calloc((size_t)c->flag_count + c->arg_count + 1, sizeof(*flags));
    SCOPED(config_report_free)
    struct config_report report = {0};
    SCOPED(config_undo)
    struct config *cfg = NULL;
    struct fault f = {0};
    if (!flags)
        return cli_fail(c, "serve", ERR_UNAVAILABLE, "no memory for the flags");
    struct config_flags all = {.path = cli_value(c, "--config"), .at = flags};
    for (uint32_t i = 0; i < c->flag_count; i++) {
        if (c->flags[i].flag->command && strcmp(c->flags[i].flag->name, "--config") != 0)
            flags[all.count++] = (struct config_flag){c->flags[i].flag->name, c->flags[i].value};
    }
    for (uint32_t i = 0; i < c->arg_count; i++)
        flags[all.count++] = (struct config_flag){"FILE", c->args[i]};

    const err code = config_load(&all, &cfg, &report, &f);
    notes_print(c, &report, false);
    if (code && report.error_count)
        return err_exit(ERR_INPUT);
    if (code == ERR_NOT_FOUND && !all.path)
        return cli_fail(c, "serve", ERR_INPUT,
                        CONFIG_PATH_DEFAULT " is not there; want --config FILE or a model, such as "
                                            "garrison serve ./model.onnx");
    if (code)
        return cli_fail(c, "serve", code == ERR_NOT_FOUND ? ERR_INPUT : code, f.text);
    return keeper_run(cfg);
}
