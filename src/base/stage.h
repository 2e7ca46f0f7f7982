/* The stages of a request, a row of base/stages.def each.
 * thread  any; all data is constant */
#ifndef GARRISON_BASE_STAGE_H
#define GARRISON_BASE_STAGE_H

enum stage {
#define STAGE(name, label) STAGE_##name,
#include "base/stages.def"
#undef STAGE
    STAGE_COUNT
};

static inline const char *stage_label(enum stage s)
{
    static const char *const labels[STAGE_COUNT] = {
#define STAGE(name, label) [STAGE_##name] = label,
#include "base/stages.def"
#undef STAGE
    };
    return labels[s];
}

#endif
