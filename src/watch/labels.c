/* Label texts. The words are those of the tables they count by; a set of two dimensions counts the
 * last one fastest. */
#include "watch/labels.h"

#include "base/must.h"
#include "watch/cell.h"

static const char *const roles[CELL_ROLES] = {"keeper", "data_front", "ops_front", "worker"};
static const char *const memory_kinds[CELL_MEMORY_KINDS] = {"anon", "file", "shmem"};
static const char *const methods[CELL_METHODS] = {"GET", "HEAD", "POST", "_OTHER"};
static const char *const rejected[CELL_REJECTED] = {"slow", "protocol"};
static const char *const auths[CELL_AUTHS] = {"allowed", "unauthenticated", "denied"};
static const char *const states[CELL_STATES] = {"loading", "ready", "draining", "failed",
                                                "unloaded"};
static const char *const model_memory[CELL_MODEL_MEMORY] = {"weights", "arena", "lane"};
static const char *const exits[CELL_EXITS] = {"unload", "sandbox", "deadline", "stall",
                                              "oom",    "crash",   "refused"};
static const char *const streams[CELL_LOGS] = {"access", "app"};
static const char *const levels[CELL_LEVELS] = {"debug", "info", "warn", "error"};
static const char *const sinks[] = {"events", "stdout"};
static const char *const results[] = {"ok", "failed"};

static const uint32_t counts[LABELS_COUNT] = {
    [LABELS_NONE] = 1,
    [LABELS_ROLE] = CELL_ROLES,
    [LABELS_ROLE_MEMORY] = CELL_ROLES * CELL_MEMORY_KINDS,
    [LABELS_ROUTE] = ROUTE_COUNT + 1,
    [LABELS_ROUTE_METHOD] = (ROUTE_COUNT + 1) * CELL_METHODS,
    [LABELS_ROUTE_METHOD_CODE] = (ROUTE_COUNT + 1) * CELL_METHODS * CELL_CODES,
    [LABELS_PROTOCOL] = 1,
    [LABELS_REJECTED] = CELL_REJECTED,
    [LABELS_AUTH] = CELL_AUTHS,
    [LABELS_PAIR] = PAIR_COUNT,
    [LABELS_STAGE] = STAGE_COUNT,
    [LABELS_STATE] = CELL_STATES,
    [LABELS_TRACK] = 1,
    [LABELS_RESULT] = 2,
    [LABELS_MODEL_MEMORY] = CELL_MODEL_MEMORY,
    [LABELS_EXIT] = CELL_EXITS,
    [LABELS_SINK] = 2,
    [LABELS_EXPORTED] = 2,
    [LABELS_DROPPED] = 2,
    [LABELS_LOG] = CELL_LOGS * CELL_LEVELS,
    [LABELS_LIMITED] = 1,
};

uint32_t labels_count(enum labels set)
{
    must(set < LABELS_COUNT);
    return counts[set];
}

void labels_value(struct text *t, str value)
{
    text_char(t, '"');
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.at[i];
        if (c == '\n') {
            text_put(t, STR("\\n"));
            continue;
        }
        if (c == '"' || c == '\\')
            text_char(t, '\\');
        text_char(t, c);
    }
    text_char(t, '"');
}

static void one(struct text *t, const char *name, const char *value)
{
    if (t->len > 0 && t->at[t->len - 1] == '"')
        text_char(t, ',');
    text_put(t, str_of(name));
    text_char(t, '=');
    labels_value(t, str_of(value));
}

static void put_route(struct text *t, uint32_t route)
{
    one(t, "route", route_row((enum route)route)->path);
}

static void put_code(struct text *t, uint32_t code)
{
    char digits[12];
    struct text number = text_over(digits, sizeof(digits) - 1);
    text_u64(&number, (uint64_t)err_http((err)code));
    digits[number.len] = '\0';
    one(t, "code", digits);
}

/* The sets of one word. */
static bool put_word(enum labels set, uint32_t i, struct text *t)
{
    switch (set) {
    case LABELS_ROLE:
        one(t, "role", roles[i]);
        return true;
    case LABELS_PROTOCOL:
        one(t, "protocol", "h1");
        return true;
    case LABELS_REJECTED:
        one(t, "reason", rejected[i]);
        return true;
    case LABELS_STAGE:
        one(t, "stage", stage_label((enum stage)i));
        return true;
    case LABELS_STATE:
        one(t, "state", states[i]);
        return true;
    case LABELS_TRACK:
        one(t, "track", "stable");
        return true;
    case LABELS_RESULT:
        one(t, "result", results[i]);
        return true;
    case LABELS_MODEL_MEMORY:
        one(t, "kind", model_memory[i]);
        return true;
    case LABELS_EXIT:
        one(t, "reason", exits[i]);
        return true;
    case LABELS_SINK:
        one(t, "sink", sinks[i]);
        return true;
    case LABELS_LIMITED:
        one(t, "metric", "inference_requests_total");
        return true;
    default:
        return false;
    }
}

void labels_put(enum labels set, uint32_t i, struct text *t)
{
    must(i < labels_count(set));
    if (put_word(set, i, t))
        return;
    switch (set) {
    case LABELS_ROLE_MEMORY:
        one(t, "role", roles[i / CELL_MEMORY_KINDS]);
        one(t, "kind", memory_kinds[i % CELL_MEMORY_KINDS]);
        return;
    case LABELS_ROUTE:
        put_route(t, i);
        return;
    case LABELS_ROUTE_METHOD:
        put_route(t, i / CELL_METHODS);
        one(t, "method", methods[i % CELL_METHODS]);
        return;
    case LABELS_ROUTE_METHOD_CODE:
        labels_put(LABELS_ROUTE_METHOD, i / CELL_CODES, t);
        put_code(t, i % CELL_CODES);
        return;
    case LABELS_AUTH:
        one(t, "method", "none");
        one(t, "result", auths[i]);
        return;
    case LABELS_PAIR:
        one(t, "outcome", pair_outcome((enum pair)i));
        one(t, "reason", pair_reason((enum pair)i));
        return;
    case LABELS_EXPORTED:
        one(t, "sink", sinks[1]);
        one(t, "result", results[i]);
        return;
    case LABELS_DROPPED:
        one(t, "sink", sinks[i]);
        one(t, "reason", "full");
        return;
    case LABELS_LOG:
        one(t, "stream", streams[i / CELL_LEVELS]);
        one(t, "level", levels[i % CELL_LEVELS]);
        return;
    default:
        return;
    }
}
