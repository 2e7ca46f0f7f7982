/* Several requests in one run: inputs stacked along dim 0, outputs handed back in slices.
 * One request alone runs where its bytes lie, without a copy.
 * thread  a struct batch belongs to one thread */
#ifndef GARRISON_ENGINE_BATCH_H
#define GARRISON_ENGINE_BATCH_H

#include "engine/run.h"

struct batch;

/* A place to run m in, which outlives it. *ret is yours: batch_free. errors: ERR_UNAVAILABLE */
MUST_USE err batch_new(const struct model *m, struct batch **ret, struct fault *f);
void batch_free(struct batch *b); /* NULL is a no-op */

/* The rows of a request where it may be stacked at all: the model batches, nothing optional is
 * given, and dim 0 of all inputs is the same, >= 1. Else 0: it runs alone. */
uint64_t batch_rows(const struct signature *sig, const struct view *inputs);

/* Whether two requests (batch_rows > 0 each) may share a run: equal dims but the first. */
bool batch_fits(const struct signature *sig, const struct view *a, const struct view *b);

/* Runs count (>= 1) requests at once. More than one: all batch_rows > 0 and fitting each other.
 * in      inputs   per request its views; borrowed until return
 * errors  as run_go; ERR_UNSUPPORTED also: an output's rows are not those of the inputs */
MUST_USE err batch_go(struct batch *b, const struct view *const *inputs, uint32_t count,
                      uint64_t outputs, struct fault *f);

/* The slice of an output that belongs to request `at` of the last batch_go. Valid until the next
 * run or batch_clear. */
struct view batch_output(const struct batch *b, uint32_t at, uint32_t output);

void batch_clear(struct batch *b);
struct run *batch_run(struct batch *b); /* for run_stop, run_unstop, run_times */

#endif
