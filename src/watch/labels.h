/* The label sets of watch/metrics.def: how many members, and the text of each.
 * thread  any; all data is constant */
#ifndef GARRISON_WATCH_LABELS_H
#define GARRISON_WATCH_LABELS_H

#include "base/text.h"

enum labels {
    LABELS_NONE,
    LABELS_ROLE,
    LABELS_ROLE_MEMORY,
    LABELS_ROUTE,
    LABELS_ROUTE_METHOD,
    LABELS_ROUTE_METHOD_CODE,
    LABELS_PROTOCOL,
    LABELS_REJECTED,
    LABELS_AUTH,
    LABELS_PAIR,
    LABELS_STAGE,
    LABELS_STATE,
    LABELS_TRACK,
    LABELS_RESULT,
    LABELS_MODEL_MEMORY,
    LABELS_EXIT,
    LABELS_SINK,
    LABELS_EXPORTED,
    LABELS_DROPPED,
    LABELS_LOG,
    LABELS_LIMITED,
    LABELS_COUNT
};

uint32_t labels_count(enum labels set); /* at least 1 */

/* Appends member i as `name="value",name="value"`, without braces; nothing for LABELS_NONE. */
void labels_put(enum labels set, uint32_t i, struct text *t);

/* A label value with its quotes, '\\', '"' and line ends escaped. */
void labels_value(struct text *t, str value);

#endif
