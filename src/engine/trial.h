/* The first runs of a model, on inputs made up here: how long a run takes, and whether rows that
 * are stacked come out as they do alone. A free first dimension proves neither: recurrent models,
 * reductions and detectors have one too.
 * thread  one, before the model serves */
#ifndef GARRISON_ENGINE_TRIAL_H
#define GARRISON_ENGINE_TRIAL_H

#include "engine/batch.h"

#define TRIAL_CLASSES 17u /* powers of two of rows: 1 to 65,536 */
#define TRIAL_ROWS    8u  /* most rows that are compared */

struct trial {
    bool ran;                       /* the model took made-up inputs at all */
    bool stacks;                    /* rows_max was stated and the comparison agreed */
    uint64_t run_ns[TRIAL_CLASSES]; /* by power of two of rows; 0: not measured */
    char note[FAULT_TEXT_BYTES];    /* why it does not stack though stated, or empty */
};

/* Runs the model. Free dims are 1 (dim 0 the rows), numbers follow from their position, whole
 * numbers are 0 or 1, a text is one digit. A model that refuses such inputs is not measured, and
 * not stacked. Outputs of unknown rank are settled (model_settle).
 * in      rows_max  stated; 0: rows are never stacked
 * errors  ERR_INPUT: stacked rows differ from the same rows alone, saying what to take out */
MUST_USE err trial_run(struct model *m, struct batch *b, uint32_t rows_max, struct trial *ret,
                       struct fault *f);

/* Whether two outputs agree: |d| <= 1e-5 + 1e-5 |x|, 2 units in the last place for FP16 and BF16,
 * equality for everything else; NaN equals NaN. Same datatype and length. */
bool trial_agrees(enum dtype dtype, const uint8_t *a, const uint8_t *b, uint64_t len);

#endif
