/* The table of base/outcomes.def. Labels are lower case; a macro cannot change case, so each word
 * stands once more here, and a word without its line does not compile. */

#include "base/outcome.h"

#include "base/must.h"

struct pair_row {
    const char *outcome;
    const char *reason;
    err code;
};

/* Lower-case faces of the words used in outcomes.def. */
#define LOWER_OK             "ok"
#define LOWER_CLIENT_ERROR   "client_error"
#define LOWER_REJECTED       "rejected"
#define LOWER_TIMEOUT        "timeout"
#define LOWER_CANCELLED      "cancelled"
#define LOWER_SERVER_ERROR   "server_error"
#define LOWER_NONE           "none"
#define LOWER_INPUT          "input"
#define LOWER_UNWRITABLE     "unwritable"
#define LOWER_NO_CALLER      "no_caller"
#define LOWER_DENIED         "denied"
#define LOWER_NOT_FOUND      "not_found"
#define LOWER_METHOD         "method"
#define LOWER_SLOW           "slow"
#define LOWER_TOO_BIG        "too_big"
#define LOWER_HEADER         "header"
#define LOWER_CODING         "coding"
#define LOWER_UNSUPPORTED    "unsupported"
#define LOWER_QUEUE_FULL     "queue_full"
#define LOWER_CANNOT_FINISH  "cannot_finish"
#define LOWER_NOT_READY      "not_ready"
#define LOWER_DRAINING       "draining"
#define LOWER_QUEUED         "queued"
#define LOWER_RUNNING        "running"
#define LOWER_ENGINE         "engine"
#define LOWER_REPLY_TOO_BIG  "reply_too_big"
#define LOWER_OUTPUT_INVALID "output_invalid"
#define LOWER_WORKER_DIED    "worker_died"

static const struct pair_row rows[PAIR_COUNT] = {
#define PAIR(outcome, reason, code)                                                                \
    [PAIR_##outcome##_##reason] = {LOWER_##outcome, LOWER_##reason, code},
#include "base/outcomes.def"
#undef PAIR
};

const char *pair_outcome(enum pair p)
{
    must(p < PAIR_COUNT);
    return rows[p].outcome;
}

const char *pair_reason(enum pair p)
{
    must(p < PAIR_COUNT);
    return rows[p].reason;
}

err pair_err(enum pair p)
{
    must(p < PAIR_COUNT);
    return rows[p].code;
}

enum pair pair_of_err(err e)
{
    for (enum pair p = 0; p < PAIR_COUNT; p++) {
        if (rows[p].code == e)
            return p;
    }
    return PAIR_SERVER_ERROR_ENGINE;
}
