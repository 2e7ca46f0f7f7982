/* The keeper's own figures, and the metrics segment that all roles share.
 * thread  the keeper's main thread */
#ifndef GARRISON_CONTROL_GAUGES_H
#define GARRISON_CONTROL_GAUGES_H

#include "base/fault.h"
#include "control/child.h"

struct keeper;
struct model;
struct front;
struct gauges;

MUST_USE err gauges_open(const struct keeper *k, struct gauges **ret, struct fault *f);
void gauges_free(struct gauges *g);

/* The segment's descriptors as a front inherits them; returns how many (at most 2). */
uint32_t gauges_inherit(const struct gauges *g, struct child_fd *fds);

/* Makes the series of a model, once; its cells go into the snapshot. Called when its digest is
 * known, or when it will never be. Until then it counts under gauges_none(). */
void gauges_model(struct gauges *g, struct model *m);
uint32_t gauges_none(void);

/* A process has ended; last: the figures of its last beat. A front's gauges are zeroed. */
void gauges_front_gone(struct gauges *g, const struct front *fr, struct child_usage last);
void gauges_worker_gone(struct gauges *g, struct child_usage last);

void gauges_loaded(struct gauges *g, const struct model *m, bool ok, uint64_t ns);
void gauges_exit(struct gauges *g, const struct model *m, enum exit_reason reason);
void gauges_violation(struct gauges *g, const struct model *m);
void gauges_models(struct gauges *g, const struct keeper *k); /* states */
struct child_usage gauges_self(const struct gauges *g);       /* the keeper's own figures now */
void gauges_tick(struct gauges *g, const struct keeper *k);   /* processes, every second */

#endif
