/* What a reading of the configuration found, a line for each finding.
 * thread  a report is owned by one thread */
#ifndef GARRISON_CONTROL_CONFIG_REPORT_H
#define GARRISON_CONTROL_CONFIG_REPORT_H

#include <stdint.h>

#include "base/str.h"

#define CONFIG_NOTES_MAX  50u
#define CONFIG_NOTE_BYTES 640u

/* line and column count from 1, columns in characters; line 0: no place in a file. */
struct config_note {
    bool warning;
    uint32_t line;
    uint32_t column;
    char text[CONFIG_NOTE_BYTES]; /* "FILE:LINE:COLUMN: error: KEY: what was seen; want what" */
};

/* Zeroed by the caller, emptied by config_report_free. */
struct config_report {
    struct config_note *notes;
    uint32_t count; /* 0..CONFIG_NOTES_MAX */
    uint32_t error_count;
    uint32_t warning_count;
};

/* Where a finding is: in a file, or (line 0) in what where names, such as "--listen". */
struct config_place {
    const char *where;
    uint32_t line;
    uint32_t column;
};

/* Adds a finding; beyond CONFIG_NOTES_MAX, or without memory, it is only counted. Control
 * characters become '?', a line that does not fit is cut at a whole character. */
void config_report_add(struct config_report *r, const struct config_place *at, bool warning,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

void config_report_sort(struct config_report *r); /* by line and column; those of no file last */
void config_report_free(struct config_report *r); /* leaves it empty */

#endif
