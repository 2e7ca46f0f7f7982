/* docs/config.md, the reference page of the configuration, made from control/config.def.
 * thread  any */
#ifndef GARRISON_CONTROL_CONFIG_DOCS_H
#define GARRISON_CONTROL_CONFIG_DOCS_H

#include <stdio.h>

void config_docs(FILE *out);

#endif
