/* One run of a model after another: tensors as views in, tensors as views out.
 *
 * Inputs of fixed size are read where they lie, without a copy; BYTES are turned into the runtime's
 * strings and back. Outputs borrow the runtime's memory (or, BYTES and ZipMap, the run's own) until
 * the next run.
 * thread  a struct run belongs to one thread; run_stop and run_unstop are called under a lock that
 *         their caller shares, so that a stop never meets the next run */
#ifndef GARRISON_ENGINE_RUN_H
#define GARRISON_ENGINE_RUN_H

#include "engine/model.h"
#include "tensor/view.h"

struct run;

/* A place to run m in, which outlives it. *ret_run is yours: run_free. errors: ERR_UNAVAILABLE */
MUST_USE err run_new(const struct model *m, struct run **ret_run, struct fault *f);
void run_free(struct run *r); /* NULL is a no-op */

/* Runs the model once.
 * in      inputs   one view per input of the signature, in its order; at NULL: left out. Borrowed
 *                  until return. Their bytes may change meanwhile: nothing is read out of bounds
 *         outputs  mask, at least one bit
 * errors  ERR_ENGINE: the runtime refused or failed, in its words (also when it was stopped);
 *         ERR_UNSUPPORTED: an output that breaks the signature; ERR_UNAVAILABLE: memory */
MUST_USE err run_go(struct run *r, const struct view *inputs, uint64_t outputs, struct fault *f);

/* What the last run gave: one view per output of the signature, those of its mask filled. Valid
 * until run_clear or the next run. */
const struct view *run_views(const struct run *r);

struct run_times {
    uint64_t input_ns, compute_ns, output_ns; /* what each part took */
    uint64_t end_ns;                          /* when the last one ended */
};
struct run_times run_times(const struct run *r); /* of the last run */

void run_clear(struct run *r);  /* gives the runtime's memory back */
void run_stop(struct run *r);   /* ends the present run, or the next one, early */
void run_unstop(struct run *r); /* takes that back before another run */

#endif
