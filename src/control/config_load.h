/* Makes the settings from defaults, the file and the flags of `garrison serve`: one function for
 * the start and for `garrison check`.
 * thread  any; reads files, changes nothing */
#ifndef GARRISON_CONTROL_CONFIG_LOAD_H
#define GARRISON_CONTROL_CONFIG_LOAD_H

#include "base/fault.h"

#include "control/config.h"
#include "control/config_report.h"

#define CONFIG_FILE_BYTES_MAX (1u << 20)

/* One flag of the command line as it came: flag is "--listen", "--ops-listen", "--data-dir",
 * "--log-level", "--model" (value NAME=PATH) or "FILE" (a path; its name is the file's). */
struct config_flag {
    const char *flag;
    const char *value;
};

struct config_flags {
    const char *path; /* --config; NULL: CONFIG_PATH_DEFAULT, or no file where a flag has a model */
    const struct config_flag *at;
    uint32_t count;
    bool blind; /* the files of models are not looked at */
};

/* Reads, judges and completes the settings. Files of models are looked at, nothing is changed.
 * in      flags   borrowed until return
 * out     ret     yours: config_free; untouched on error
 *         report  every error and warning found
 * errors  ERR_INPUT: report has errors, f the first; ERR_NOT_FOUND: no such file;
 *         ERR_UNAVAILABLE: no memory
 * thread  any; reads files
 * source  config.md sections 1, 3 and 4 */
MUST_USE err config_load(const struct config_flags *flags, struct config **ret,
                         struct config_report *report, struct fault *f);

/* The same from bytes that stand in for the file called name (checks and fuzzing). Relative paths
 * belong to the directory of name. */
MUST_USE err config_parse(str bytes, const char *name, const struct config_flags *flags,
                          struct config **ret, struct config_report *report, struct fault *f);

void config_free(struct config *c); /* NULL is a no-op */

#endif
