/* The table of powers alone; see num_pow.h. */
#include "proto/num_pow.h"

#define POW(upper, lower) {upper##u, lower##u},
const struct num_pow num_pow_five[NUM_POW_MAX - NUM_POW_MIN + 1] = {
#include "proto/num_pow.def"
};
#undef POW
