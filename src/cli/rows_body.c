/* Bodies of requests: the JSON part, then the bytes of binary tensors. */
#include <inttypes.h>

#include "base/scope.h"
#include "proto/json_put.h"

#include "cli/cell.h"
#include "cli/rows.h"

/* The dims of input i for a number of rows: -1 in front counts them, another -1 follows. */
static void shape_put(const struct rows_plan *plan, uint32_t i, uint32_t rows, struct chain *out)
{
    const struct shape *s = &plan->model->inputs[i].shape;
    const uint64_t columns = plan->first[i + 1] - plan->first[i];
    uint64_t fixed = 1;
    for (uint32_t d = 0; d < s->rank; d++)
        fixed *= s->dim[d] > 0 ? (uint64_t)s->dim[d] : 1;
    for (uint32_t d = 0; d < s->rank; d++) {
        if (d)
            chain_put(out, STR(","));
        if (s->dim[d] >= 0)
            json_put_i64(out, s->dim[d]);
        else
            json_put_u64(out, d == 0 ? rows : columns / fixed);
    }
}

static err refuse(const struct rows_plan *plan, uint32_t input, uint32_t column, uint64_t line,
                  str text, struct fault *f)
{
    const struct model_tensor *t = &plan->model->inputs[input];
    if (text.len == 0)
        return fail(f, ERR_INPUT,
                    "line %" PRIu64 ", column %" PRIu32 " is empty; want %.*s%s for input \"%.*s\"",
                    line, column + 1, STR_ARG(dtype_name(t->dtype)),
                    dtype_name(t->dtype).at[0] == 'F' ? " (nan: no value)" : "",
                    STR_ARG(str_cut(t->name, 0, 60)));
    return fail(f, ERR_INPUT,
                "line %" PRIu64 ", column %" PRIu32 " is \"%.*s\"; want %.*s for input \"%.*s\"",
                line, column + 1, STR_ARG(str_cut(text, 0, 40)), STR_ARG(dtype_name(t->dtype)),
                STR_ARG(str_cut(t->name, 0, 60)));
}

/* All values of input i, through json or, where that is NULL, bytes. */
static err values_put(const struct rows_plan *plan, uint32_t i, const struct rows_batch *batch,
                      struct chain *json, struct chain *bytes, struct fault *f)
{
    const enum dtype dtype = plan->model->inputs[i].dtype;
    for (uint32_t r = 0; r < batch->rows; r++) {
        for (uint32_t k = plan->first[i]; k < plan->first[i + 1]; k++) {
            const uint32_t column = plan->order[k];
            const str text = batch->cells[r][column];
            if (json && (r || k > plan->first[i]))
                chain_put(json, STR(","));
            if (!(json ? cell_json(dtype, text, json) : cell_binary(dtype, text, bytes)))
                return refuse(plan, i, column, batch->lines[r], text, f);
        }
    }
    return OK;
}

err rows_body(const struct rows_plan *plan, const struct rows_batch *batch, struct chain *body,
              uint64_t *ret_json_len, struct fault *f)
{
    const bool binary = batch->binary;
    SCOPED(chain_free)
    struct chain bytes = {0};
    const uint64_t before = body->len;
    chain_put(body, STR("{\"inputs\":["));
    for (uint32_t i = 0; i < plan->model->input_count; i++) {
        const struct model_tensor *t = &plan->model->inputs[i];
        chain_put(body, i ? STR(",{\"name\":") : STR("{\"name\":"));
        json_put_text(body, t->name);
        chain_put(body, STR(",\"datatype\":"));
        json_put_text(body, dtype_name(t->dtype));
        chain_put(body, STR(",\"shape\":["));
        shape_put(plan, i, batch->rows, body);
        const uint64_t bytes_before = bytes.len;
        if (!binary)
            chain_put(body, STR("],\"data\":["));
        const err code = values_put(plan, i, batch, binary ? NULL : body, &bytes, f);
        if (code)
            return code;
        if (binary) {
            chain_put(body, STR("],\"parameters\":{\"binary_data_size\":"));
            json_put_u64(body, bytes.len - bytes_before);
            chain_put(body, STR("}}"));
        } else {
            chain_put(body, STR("]}"));
        }
    }
    chain_put(body, binary ? STR("],\"parameters\":{\"binary_data_output\":true}}") : STR("]}"));
    *ret_json_len = body->len - before;
    for (uint32_t p = 0; p < bytes.piece_count; p++)
        chain_put(body, (str){bytes.pieces[p].iov_base, bytes.pieces[p].iov_len});
    if (body->failed || bytes.failed)
        return fail(f, ERR_TOO_BIG, "no memory for a request of %" PRIu32 " rows", batch->rows);
    return OK;
}
