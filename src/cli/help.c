/* Help for people: the list of commands, and a page for each. */
#include "cli/help.h"

#include "control/nearest.h"

void help_short(FILE *out)
{
    uint32_t count;
    const struct cli_command *all = cli_commands(&count);
    (void)fputs("Garrison serves ONNX models over HTTP, each in a sandbox.\n\n"
                "usage: garrison COMMAND [ARGUMENT..] [--FLAG..]\n\n",
                out);
    for (uint32_t i = 0; i < count; i++)
        (void)fprintf(out, "  %-11s %s\n", all[i].name, all[i].line);
    (void)fputs("\nFirst: garrison serve ./model.onnx\n"
                "More:  garrison help COMMAND\n",
                out);
}

static void flag_line(FILE *out, const struct cli_flag *flag)
{
    char left[64];
    (void)snprintf(left, sizeof(left), "%s%s%s%s", flag->name, flag->value[0] ? " " : "",
                   flag->value, flag->many ? ".." : "");
    if (strlen(left) <= 24)
        (void)fprintf(out, "  %-24s %s\n", left, flag->help);
    else
        (void)fprintf(out, "  %s\n  %-24s %s\n", left, "", flag->help);
}

void help_command(FILE *out, const struct cli_command *command)
{
    uint32_t count;
    const struct cli_flag *flags = cli_flags(&count);
    (void)fprintf(out, "garrison %s: %s\n\nusage: garrison %s%s%s [--FLAG..]\n\n", command->name,
                  command->line, command->name, command->args[0] ? " " : "", command->args);
    for (uint32_t i = 0; i < count; i++) {
        if (cli_flag_of(&flags[i], command))
            flag_line(out, &flags[i]);
    }
    (void)fprintf(out,
                  "\nFlags are --flag=value or --flag value; -- ends them; \"..\": may stand "
                  "again.\n\nexample: %s\n",
                  command->example);
}

int command_help(const struct cli *c)
{
    if (c->arg_count == 0) {
        help_short(stdout);
        return 0;
    }
    const str name = str_of(c->args[0]);
    const struct cli_command *command = cli_command_find(name);
    if (!command) {
        const str best = cli_command_nearest(name);
        struct fault f = {0};
        if (best.len)
            (void)fail(
                &f, ERR_INPUT,
                "unknown command \"%.80s\"; want one of `garrison help`, the nearest is %.*s",
                c->args[0], STR_ARG(best));
        else
            (void)fail(&f, ERR_INPUT, "unknown command \"%.80s\"; want one of `garrison help`",
                       c->args[0]);
        return cli_fail(c, "help", ERR_INPUT, f.text);
    }
    help_command(stdout, command);
    return 0;
}
