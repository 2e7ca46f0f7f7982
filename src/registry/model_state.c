/* Transitions of a model version. */
#include "registry/model_state.h"

#include <stdio.h>

#include "base/must.h"

void model_state_init(struct model_state *s, uint32_t count, uint64_t period_ns)
{
    *s = (struct model_state){.phase = MODEL_QUEUED,
                              .quarantine_count = count < 1                  ? 1
                                                  : count > MODEL_DEATHS_MAX ? MODEL_DEATHS_MAX
                                                                             : count,
                              .quarantine_period_ns = period_ns};
}

static void tell(struct model_state *s, const char *reason, const char *text)
{
    (void)snprintf(s->reason, sizeof s->reason, "%s", reason);
    (void)snprintf(s->text, sizeof s->text, "%s", text);
}

void model_state_turn(struct model_state *s)
{
    must(s->phase == MODEL_QUEUED);
    s->phase = s->held ? MODEL_LOADING : MODEL_READING;
}

void model_state_next(struct model_state *s, uint64_t now_ns)
{
    must(s->phase >= MODEL_READING && s->phase <= MODEL_LOADING);
    s->phase = s->phase == MODEL_READING && s->scanned ? MODEL_LOADING : s->phase + 1;
    s->held = s->phase == MODEL_LOADING;
    s->scanned = s->scanned || s->held;
    if (s->phase != MODEL_READY)
        return;
    s->in_a_row = 0;
    backoff_up(&s->backoff, now_ns);
    tell(s, "", "");
}

void model_state_refused(struct model_state *s, const char *reason, const char *text)
{
    s->phase = MODEL_FAILED;
    tell(s, reason, text);
}

/* Whether the newest death completes a full count within the period. */
static bool too_many(const struct model_state *s, uint64_t now_ns)
{
    const uint32_t count = s->quarantine_count;
    if (s->in_a_row >= count)
        return true;
    if (s->deaths < count)
        return false;
    const uint64_t first = s->death_ns[(s->deaths - count) % MODEL_DEATHS_MAX];
    return now_ns - first <= s->quarantine_period_ns;
}

uint64_t model_state_died(struct model_state *s, const char *reason, const char *text,
                          uint64_t now_ns, uint32_t chance)
{
    must(s->phase == MODEL_LOADING || s->phase == MODEL_READY ||
         (s->phase == MODEL_READING && s->scanned));
    s->death_ns[s->deaths % MODEL_DEATHS_MAX] = now_ns;
    s->deaths++;
    s->in_a_row++;
    tell(s, reason, text);
    if (too_many(s, now_ns)) {
        s->phase = MODEL_QUARANTINED;
        return 0;
    }
    s->phase = MODEL_BACKOFF;
    return backoff_died(&s->backoff, now_ns, chance);
}

void model_state_again(struct model_state *s)
{
    must(s->phase == MODEL_BACKOFF);
    s->phase = MODEL_QUEUED;
}

bool model_state_loads(const struct model_state *s)
{
    return s->phase >= MODEL_READING && s->phase <= MODEL_LOADING;
}

bool model_state_over(const struct model_state *s)
{
    return s->phase == MODEL_FAILED || s->phase == MODEL_QUARANTINED;
}

enum version_state model_state_shown(const struct model_state *s)
{
    switch (s->phase) {
    case MODEL_READY:
        return VERSION_READY;
    case MODEL_FAILED:
        return VERSION_FAILED;
    case MODEL_QUARANTINED:
        return VERSION_QUARANTINED;
    default:
        return VERSION_LOADING;
    }
}
