/* Rows of cells to bodies of inference requests, as JSON or with binary tensors.
 * thread  owned by one thread; never blocks
 * source  Open Inference Protocol v2, inference; binary tensor data extension */
#ifndef GARRISON_CLI_ROWS_H
#define GARRISON_CLI_ROWS_H

#include "cli/model.h"
#include "proto/chain.h"

/* Which column fills which element of a row: the columns of input i are those from first[i] to
 * first[i + 1] of order. */
struct rows_plan {
    const struct model *model;
    uint32_t column_count; /* of a row of cells */
    uint32_t *order;       /* column numbers, grouped by input */
    uint32_t *first;       /* input_count + 1 */
    bool stacked;          /* several rows may share a request */
};

/* Plans for the names of a header (repeated names: several elements of one input, in order), or,
 * where names is NULL, for column_count columns of a model with one input.
 * out     ret  arrays in arena
 * errors  ERR_INPUT: names that are not the inputs', or columns that do not fill a row;
 *         ERR_TOO_BIG: the arena is spent */
MUST_USE err rows_plan(const struct model *m, const str *names, uint32_t column_count,
                       struct arena *arena, struct rows_plan *ret, struct fault *f);

/* Whether every name of a header is an input's, or none (then *ret_named is false).
 * errors  ERR_INPUT: some are and some are not */
MUST_USE err rows_named(const struct model *m, const str *names, uint32_t count, bool *ret_named,
                        struct fault *f);

/* Whether all cells could be values of the model's one input: then a first line is no header. */
bool rows_values(const struct model *m, const str *cells, uint32_t count);

/* Columns of one row of random values. ERR_INPUT: as rows_plan */
uint32_t rows_random_columns(const struct model *m);

/* A random value for column c of a row, as text in arena; state is the generator's. */
str rows_random(const struct rows_plan *plan, uint32_t column, uint64_t *state,
                struct arena *arena);

/* Rows for one request. */
struct rows_batch {
    const str *const *cells;
    const uint64_t *lines; /* of each row, for errors */
    uint32_t rows;
    bool binary; /* tensors as bytes, not as JSON */
};

/* Writes the body of a request.
 * out     body          appended
 *         ret_json_len  bytes of its JSON part
 * errors  ERR_INPUT: a cell that is no value of its input; ERR_TOO_BIG: no memory */
MUST_USE err rows_body(const struct rows_plan *plan, const struct rows_batch *batch,
                       struct chain *body, uint64_t *ret_json_len, struct fault *f);

#endif
