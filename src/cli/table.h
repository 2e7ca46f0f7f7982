/* Predictions as a table for people or as CSV.
 * thread  main */
#ifndef GARRISON_CLI_TABLE_H
#define GARRISON_CLI_TABLE_H

#include <stdio.h>

#include "cli/model.h"
#include "cli/reply.h"

#define TABLE_ELEMENTS_MAX 8u /* of an output in a table; CSV has all */

/* Prints the rows of a reply, one a line: an element of an output a column, named by the output and
 * the label or number of the element.
 * in      first_row  of this reply among all; the head is printed where it is 0
 *         color      of the head of a table */
void table_print(FILE *out, const struct model *m, const struct reply *r, uint64_t first_row,
                 bool color);
MUST_USE err table_csv(FILE *out, const struct model *m, const struct reply *r, uint64_t first_row,
                       struct fault *f);

#endif
