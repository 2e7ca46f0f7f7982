/* The way in: a role, a developer's page, or a command of the table. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/role.h"
#include "control/config_docs.h"

/* Pages that are committed under docs/: garrison --print=man or --print=config. */
static int print_page(const char *page)
{
    if (strcmp(page, "man") == 0)
        help_man(stdout);
    else if (strcmp(page, "config") == 0)
        config_docs(stdout);
    else
        return 2;
    return fflush(stdout) == 0 ? 0 : 1;
}

static int unknown(const char *name)
{
    const str best = cli_command_nearest(str_of(name));
    struct fault f = {0};
    if (best.len)
        (void)fail(&f, ERR_INPUT,
                   "unknown command \"%.80s\"; want one of `garrison help`, the nearest is %.*s",
                   name, STR_ARG(best));
    else
        (void)fail(&f, ERR_INPUT, "unknown command \"%.80s\"; want one of `garrison help`", name);
    return cli_fail(NULL, NULL, ERR_INPUT, f.text);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli c = {0};
    struct fault f = {0};
    bool help = false;
    const err code = cli_parse(command, argc, argv, &c, &help, &f);
    if (code)
        return cli_fail(NULL, command->name, code, f.text);
    int status = 0;
    if (help)
        help_command(stdout, command);
    else
        status = command->run(&c);
    cli_free(&c);
    if (fflush(stdout) != 0 && status == 0)
        status = cli_fail(NULL, command->name, ERR_INTERNAL, "standard output took no more");
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_short(stdout);
        return 0;
    }
    const char *word = argv[1];
    if (strncmp(word, "--role=", 7) == 0)
        return role_main(word + 7, argc - 2, argv + 2);
    if (strncmp(word, "--print=", 8) == 0)
        return print_page(word + 8);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    else if (strcmp(word, "--version") == 0)
        word = "version";
    const struct cli_command *command = cli_command_find(str_of(word));
    return command ? run(command, argc - 2, argv + 2) : unknown(word);
}
