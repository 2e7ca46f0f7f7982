/* Numbers with units in one comparable form: sizes, durations, rates, ratios, counts, bools.
 * thread  any; never blocks
 * source  config.md section 1, table of units */
#ifndef GARRISON_CONTROL_QUANTITY_H
#define GARRISON_CONTROL_QUANTITY_H

#include "control/config_table.h"

#define QUANTITY_RATIO_ONE 100000000u /* a ratio is read exactly, in 1e-8: "0.000001%" */

struct quantity {
    uint64_t value;     /* bool, count, bytes, bytes/s, ns, 1e-8 */
    uint64_t period_ns; /* of a rate, else 0 */
};

/* Reads s as the type says, one of CONFIG_BOOL to CONFIG_RATIO; false: not one, *ret untouched. */
bool quantity_read(enum config_type type, str s, struct quantity *ret);

/* Whether a is below b, both of one type. */
bool quantity_less(const struct quantity *a, const struct quantity *b);

/* Single types, for flags of commands. */
bool quantity_size(str s, uint64_t *ret_bytes);
bool quantity_duration(str s, uint64_t *ret_ns);

#endif
