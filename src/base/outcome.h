/* Outcome and reason of a request as one small number, a row of base/outcomes.def.
 * thread  any; all data is constant */
#ifndef GARRISON_BASE_OUTCOME_H
#define GARRISON_BASE_OUTCOME_H

#include "base/err.h"

enum pair {
#define PAIR(outcome, reason, code) PAIR_##outcome##_##reason,
#include "base/outcomes.def"
#undef PAIR
    PAIR_COUNT
};

const char *pair_outcome(enum pair p); /* "ok", "client_error": the label, lower case */
const char *pair_reason(enum pair p);  /* "none", "queue_full" */
err pair_err(enum pair p);             /* the err.def row that the pair belongs to */
/* What a row means where nothing more is known; SERVER_ERROR for a row that no inference request
 * ends with, and that therefore has no pair. */
enum pair pair_of_err(err e);

#endif
