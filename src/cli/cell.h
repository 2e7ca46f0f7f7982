/* One value between the text of a cell and a tensor.
 * thread  any; never blocks */
#ifndef GARRISON_CLI_CELL_H
#define GARRISON_CLI_CELL_H

#include "proto/chain.h"
#include "tensor/dtype.h"

/* Whether text is a value of the datatype: a number of JSON (floats also nan and inf in any case),
 * true or false, or any text of UTF-8 for BYTES. */
bool cell_fits(enum dtype dtype, str text);

/* Writes the value as JSON has it; false: text is none, and nothing is written. */
bool cell_json(enum dtype dtype, str text, struct chain *out);

/* Writes the value's little-endian bytes (BYTES: with its length before it); false likewise. */
bool cell_binary(enum dtype dtype, str text, struct chain *out);

/* Takes one element off the front of little-endian bytes as text: a number as JSON has it, or the
 * bytes of a BYTES record. out has room for NUM_WRITE_BYTES; ret is a slice of it or of bytes.
 * false: bytes ends too early. */
bool cell_take(enum dtype dtype, str *bytes, char *out, str *ret);

#endif
