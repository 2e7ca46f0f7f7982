/* Plain YAML text that tools may turn into something else: 1.10, on, 22:00, null.
 * thread  any; never blocks
 * source  YAML 1.1, yaml.org/type/{bool,float,int,merge,null,timestamp} */
#ifndef GARRISON_CONTROL_YAML_PLAIN_H
#define GARRISON_CONTROL_YAML_PLAIN_H

#include "base/str.h"

/* What YAML 1.1 makes of a text without quotes other than a text ("a number", "a time of day"), or
 * NULL: it stays a text. */
const char *yaml_plain_reads_as(str text);

#endif
