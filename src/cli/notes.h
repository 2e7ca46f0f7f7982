/* Findings of the configuration on standard error, for serve and check.
 * thread  main */
#ifndef GARRISON_CLI_NOTES_H
#define GARRISON_CLI_NOTES_H

#include "cli/command.h"
#include "control/config_report.h"

/* A line each, errors coloured; under --quiet no warnings unless strict makes them errors. */
void notes_print(const struct cli *c, const struct config_report *r, bool strict);

#endif
