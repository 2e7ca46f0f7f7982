/* The keeper's own figures. */
#include "control/gauges.h"

#include <stdlib.h>

#include "control/parts.h"

struct gauges {
    int cells, series;
};

err gauges_open(const struct keeper *k, struct gauges **ret, struct fault *f)
{
    (void)k;
    struct gauges *g = calloc(1, sizeof *g);
    if (!g)
        return fail(f, ERR_UNAVAILABLE, "no memory for figures");
    g->cells = g->series = -1;
    *ret = g;
    return OK;
}
void gauges_free(struct gauges *g)
{
    free(g);
}
uint32_t gauges_inherit(const struct gauges *g, struct child_fd *fds)
{
    (void)g;
    (void)fds;
    return 0;
}
err gauges_model(struct gauges *g, struct model *m, struct fault *f)
{
    (void)g;
    (void)m;
    (void)f;
    return OK;
}
void gauges_front_start(struct gauges *g, enum role role)
{
    (void)g;
    (void)role;
}
void gauges_front_gone(struct gauges *g, enum role role)
{
    (void)g;
    (void)role;
}
void gauges_loaded(struct gauges *g, const struct model *m, bool ok, uint64_t ns)
{
    (void)g;
    (void)m;
    (void)ok;
    (void)ns;
}
void gauges_exit(struct gauges *g, const struct model *m, enum exit_reason reason)
{
    (void)g;
    (void)m;
    (void)reason;
}
void gauges_violation(struct gauges *g, const struct model *m)
{
    (void)g;
    (void)m;
}
void gauges_models(struct gauges *g, const struct keeper *k)
{
    (void)g;
    (void)k;
}
void gauges_tick(struct gauges *g, const struct keeper *k)
{
    (void)g;
    (void)k;
}
struct child_usage gauges_self(void)
{
    return (struct child_usage){0};
}
