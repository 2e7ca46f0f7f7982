/* Judges a configuration as the start would, and tells what must be set outside. */
#include "cli/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/scope.h"
#include "base/text.h"

#include "cli/notes.h"
#include "control/config_load.h"

static void config_undo(struct config **c)
{
    config_free(*c);
}

static int said(const struct cli *c, const struct config *made, bool good, const char *path)
{
    if (!made || c->quiet)
        return good ? 0 : err_exit(ERR_INPUT);
    const uint64_t stop_s = (config_stop_ns(made) + NS_PER_S - 1) / NS_PER_S;
    (void)printf("%s: good, %" PRIu32 " model%s\nstop timeout to set outside: %" PRIu64
                 "s (drain.delay + drain.grace + 20s)\n",
                 path, made->model_count, made->model_count == 1 ? "" : "s", stop_s);
    return good ? 0 : err_exit(ERR_INPUT);
}

static void say_json(const struct config *made, const struct config_report *r)
{
    (void)printf("{\"errors\":%" PRIu32 ",\"warnings\":%" PRIu32 ",\"notes\":[", r->error_count,
                 r->warning_count);
    for (uint32_t i = 0; i < r->count; i++) {
        char line[2 * CONFIG_NOTE_BYTES];
        struct text t = text_over(line, sizeof(line));
        text_json(&t, str_of(r->notes[i].text));
        (void)printf("%s{\"line\":%" PRIu32 ",\"column\":%" PRIu32 ",\"warning\":%s,\"text\":%.*s}",
                     i ? "," : "", r->notes[i].line, r->notes[i].column,
                     r->notes[i].warning ? "true" : "false", (int)t.len, line);
    }
    (void)fputs("]", stdout);
    if (made)
        (void)printf(",\"models\":%" PRIu32 ",\"stop_timeout_s\":%" PRIu64, made->model_count,
                     (uint64_t)((config_stop_ns(made) + NS_PER_S - 1) / NS_PER_S));
    (void)fputs("}\n", stdout);
}

int command_check(const struct cli *c)
{
    const struct config_flags flags = {.path = c->arg_count ? c->args[0] : NULL};
    const char *path = flags.path ? flags.path : CONFIG_PATH_DEFAULT;
    SCOPED(config_report_free)
    struct config_report report = {0};
    SCOPED(config_undo)
    struct config *made = NULL;
    struct fault f = {0};
    const err code = config_load(&flags, &made, &report, &f);
    if (code && report.error_count == 0)
        return cli_fail(c, "check", code == ERR_NOT_FOUND ? ERR_INPUT : code, f.text);
    const bool strict = cli_value(c, "--strict") != NULL;
    const bool good = code == OK && !(strict && report.warning_count);
    if (c->json) {
        say_json(made, &report);
        return good ? 0 : err_exit(ERR_INPUT);
    }
    notes_print(c, &report, strict);
    return said(c, good ? made : NULL, good, path);
}
