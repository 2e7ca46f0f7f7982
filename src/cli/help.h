/* Texts made from the command table: help, the manual page, completion.
 * thread  main */
#ifndef GARRISON_CLI_HELP_H
#define GARRISON_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

void help_short(FILE *out);                                      /* all commands, a line each */
void help_command(FILE *out, const struct cli_command *command); /* usage, flags, example */
void help_man(FILE *out);                                        /* garrison.1, man(7) */
void help_completion(FILE *out, const char *shell);              /* bash, zsh or fish */

#endif
