/* CSV as RFC 4180 has it: commas, quotes round fields that need them, a line end of CRLF or LF.
 * thread  owned by one thread; never blocks
 * source  RFC 4180 section 2 */
#ifndef GARRISON_CLI_CSV_H
#define GARRISON_CLI_CSV_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"

#define CSV_COLUMNS_MAX 1000000u

/* A reader at a place in its text. Made by csv_over. */
struct csv {
    str rest;
    uint64_t line; /* of the next row, from 1 */
};

struct csv csv_over(str text); /* a byte order mark at its beginning is passed over */

/* The next row; blank lines are passed over.
 * out     ret_cells  from the arena, slices of the text or the arena; NULL at the end of the text
 *         ret_line   where the row began
 * errors  ERR_INPUT: a quote out of place or not closed; ERR_TOO_BIG: too many columns, or the
 *         arena is spent */
MUST_USE err csv_next(struct csv *c, struct arena *arena, const str **ret_cells,
                      uint32_t *ret_count, uint64_t *ret_line, struct fault *f);

/* Writes one field, quoted where it must be, to out (room for 2 len + 2); returns its length. */
size_t csv_put(char *out, str field);

#endif
