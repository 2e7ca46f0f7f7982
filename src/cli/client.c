/* Where to call, how far a call is, and what an answer of another status than 200 means. */
#include "cli/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/scope.h"
#include "proto/json.h"

#include "control/config_address.h"

#define ERROR_BYTES_MAX 65536u
#define LINE_BYTES_MAX  512u
#define LINE_NS         (10 * NS_PER_S) /* between lines where no terminal is */

bool client_loopback(str base)
{
    struct config_address address;
    uint64_t port;
    if (!str_starts(base, STR("http://")))
        return false;
    const str rest = str_cut(base, 7, base.len);
    const str local = STR("localhost:");
    if (str_starts(rest, local))
        return num_u64(str_cut(rest, local.len, rest.len), UINT16_MAX, &port, NULL) == OK;
    return config_address_read(rest, &address) && address.loopback;
}

err client_server(const struct cli *c, const char *fallback, char ret[CLIENT_URL_BYTES],
                  struct fault *f)
{
    const char *flag = cli_value(c, "--server");
    const char *variable = getenv("GARRISON_SERVER");
    str url = str_of(flag ? flag : variable && variable[0] ? variable : fallback);
    if (url.len && url.at[url.len - 1] == '/')
        url.len--;
    if (!client_loopback(url) || url.len >= CLIENT_URL_BYTES)
        return fail(f, ERR_INPUT, "%s is \"%.*s\"; want http:// to loopback, such as %s",
                    flag ? "--server" : "GARRISON_SERVER", STR_ARG(str_cut(url, 0, 100)), fallback);
    memcpy(ret, url.at, url.len);
    ret[url.len] = '\0';
    return OK;
}

void client_progress_tell(void *to, uint64_t elapsed_ns, uint64_t sent, uint64_t sent_total,
                          uint64_t taken, uint64_t taken_total)
{
    struct client_progress *p = to;
    const uint64_t now = clock_ns();
    const bool terminal = isatty(STDERR_FILENO) == 1;
    (void)elapsed_ns;
    (void)taken_total;
    if (p->c->quiet || now - p->begun_ns < NS_PER_S ||
        (!terminal && p->told_ns && now - p->told_ns < LINE_NS))
        return;
    p->told_ns = now;
    p->shown = terminal;
    (void)fprintf(stderr, "%s%s: %" PRIu64 " s", terminal ? "\r\033[K" : "", p->what,
                  (uint64_t)((now - p->begun_ns) / NS_PER_S));
    if (p->rows)
        (void)fprintf(stderr, ", %" PRIu64 " rows answered", p->rows);
    if (sent < sent_total)
        (void)fprintf(stderr, ", %" PRIu64 " of %" PRIu64 " KiB sent", sent / 1024,
                      sent_total / 1024);
    else
        (void)fprintf(stderr, ", %" PRIu64 " KiB taken", taken / 1024);
    (void)fputs(terminal ? "" : "\n", stderr);
}

void client_progress_end(struct client_progress *p)
{
    if (p->shown)
        (void)fputs("\r\033[K", stderr);
    p->shown = false;
}

/* The row of a status where the header does not say: the first with that face. */
static err of_status(int status)
{
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        if (err_http((err)e) == status)
            return (err)e;
    }
    return ERR_INTERNAL;
}

/* The member "error" of a JSON object. */
static bool error_text(str body, struct arena *arena, str *ret)
{
    const struct json_limits limits = {.depth = 16, .number = 64};
    struct json j = json_over(body, &limits);
    struct json_token t;
    str key;
    if (json_next(&j, &t, NULL) != OK || t.kind != JSON_OBJECT)
        return false;
    while (json_next(&j, &t, NULL) == OK && t.kind == JSON_KEY) {
        if (json_text(&t, 256, arena, &key, NULL) != OK || json_next(&j, &t, NULL) != OK)
            return false;
        if (str_eq(key, STR("error")) && t.kind == JSON_STRING)
            return json_text(&t, ERROR_BYTES_MAX, arena, ret, NULL) == OK;
        if (json_skip(&j, &t, NULL) != OK)
            return false;
    }
    return false;
}

err client_error(const struct fetch_reply *r, struct fault *f)
{
    SCOPED(arena_free)
    struct arena arena;
    err code = of_status(r->status);
    str text;
    arena_init(&arena, 2ull * ERROR_BYTES_MAX);
    if (r->row[0])
        (void)err_of_name(str_of(r->row), &code);
    if (!error_text((str){r->body, r->len}, &arena, &text))
        return fail(f, code, "status %d, and no reason that can be read", r->status);
    return fail(f, code, "%.*s", STR_ARG(str_cut(text, 0, LINE_BYTES_MAX)));
}
