/* App lines. Rates are kept per template by its address, which is a constant of the program. */
#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

#define RATE_A_SECOND 10u
#define FLOOD_S       60u
#define VALUE_MAX     1024u
#define VALUE_CUT     64u
#define ECS_VERSION   "9.0.0"

void log_site_put(struct text *t, const struct log_site *site)
{
    text_put(t, STR(",\"ecs.version\":\"" ECS_VERSION "\",\"service.name\":\"garrison\","
                    "\"service.version\":"));
    text_json(t, site->version);
    if (site->environment.len > 0) {
        text_put(t, STR(",\"service.environment\":"));
        text_json(t, site->environment);
    }
    text_put(t, STR(",\"service.node.name\":"));
    text_json(t, site->node);
}

bool log_rate(struct log *l, const char *message, uint64_t second, uint32_t *ret_suppressed)
{
    uint32_t i = 0;
    while (i < LOG_TEMPLATES && l->rates[i].message && l->rates[i].message != message)
        i++;
    *ret_suppressed = 0;
    if (i == LOG_TEMPLATES)
        return true;
    if (!l->rates[i].message) {
        l->rates[i].message = message;
        l->rates[i].second = second;
    }
    const uint64_t since = second - l->rates[i].second;
    if (l->rates[i].flood && since < FLOOD_S) {
        l->rates[i].suppressed++;
        return false;
    }
    if (since > 0) {
        l->rates[i].flood = l->rates[i].suppressed > 0; /* the minute was not quiet */
        *ret_suppressed = l->rates[i].suppressed;
        l->rates[i].suppressed = 0;
        l->rates[i].count = 0;
        l->rates[i].second = second;
    }
    if (l->rates[i].count++ < RATE_A_SECOND)
        return true;
    l->rates[i].flood = true;
    l->rates[i].suppressed = 1;
    return false;
}

bool log_takes(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, wait_ms) == 1; /* an error, too, is met by the write, not by waiting */
}

static void put_key(struct text *t, const char *key, str value, size_t max)
{
    if (value.len == 0)
        return;
    text_put(t, STR(",\""));
    text_put(t, str_of(key));
    text_put(t, STR("\":\""));
    text_json_part(t, value, max);
    text_char(t, '"');
}

/* max: most bytes of a value; less than VALUE_MAX where the whole line did not fit. */
static void put_entry(struct text *t, const struct log *l, const struct log_entry *e,
                      uint32_t suppressed, size_t max)
{
    static const str levels[] = {STR_LIT("debug"), STR_LIT("info"), STR_LIT("warn"),
                                 STR_LIT("error")};
    text_put(t, STR("{\"@timestamp\":\""));
    text_time(t, clock_wall_us());
    text_put(t, STR("\",\"log.level\":\""));
    text_put(t, levels[e->level]);
    text_put(t, STR("\",\"message\":"));
    text_json(t, str_of(e->message));
    log_site_put(t, l->site);
    text_put(t, STR(",\"event.dataset\":\"garrison.app\",\"event.kind\":\"event\","
                    "\"event.category\":[\"process\"],\"event.type\":[\"info\"]"));
    put_key(t, "process.name", l->role, max);
    text_put(t, STR(",\"process.pid\":"));
    text_u64(t, (uint64_t)getpid());
    put_key(t, "log.logger", str_of(e->room), max);
    put_key(t, "log.origin.function", str_of(e->function), max);
    if (e->code != OK)
        put_key(t, "error.code", str_of(err_name(e->code)), max);
    put_key(t, "error.message", e->text, max);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        char key[64];
        struct text name = text_over(key, sizeof(key) - 1);
        text_put(&name, STR("garrison.args."));
        text_put(&name, str_of(e->args[i].key));
        key[name.len] = '\0';
        put_key(t, key, e->args[i].value, max);
    }
    if (suppressed > 0) {
        text_put(t, STR(",\"garrison.suppressed\":"));
        text_u64(t, suppressed);
    }
    if (max < VALUE_MAX)
        text_put(t, STR(",\"garrison.truncated\":true"));
    text_put(t, STR("}\n"));
}

bool log_app(struct log *l, const struct log_entry *entry)
{
    char line[LOG_LINE_MAX];
    uint32_t suppressed = 0;
    if (l->off || entry->level < l->level ||
        !log_rate(l, entry->message, clock_ns() / NS_PER_S, &suppressed))
        return false;
    struct text t = text_over(line, sizeof(line));
    put_entry(&t, l, entry, suppressed, VALUE_MAX);
    if (t.full) {
        t = text_over(line, sizeof(line));
        put_entry(&t, l, entry, suppressed, VALUE_CUT);
    }
    if (t.full || !log_takes(l->fd, 0) || write(l->fd, line, t.len) != (ssize_t)t.len) {
        l->dropped++;
        return false;
    }
    l->written++;
    return true;
}
