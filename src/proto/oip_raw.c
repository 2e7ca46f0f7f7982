/* Solving the shape of a raw request from its length; see oip_raw.h. */
#include "proto/oip_raw.h"

#include <inttypes.h>

static int only_required(const struct signature *sig)
{
    int found = -1;

    for (uint32_t i = 0; i < sig->input_count; i++) {
        if (sig->inputs[i].optional)
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    return found;
}

/* Puts the one free dim into shape so that it holds len bytes. */
static err solve(const struct spec *spec, str name, uint64_t len, struct shape *shape,
                 struct fault *f)
{
    const uint64_t width = dtype_bytes(spec->dtype);
    uint64_t unit;
    uint32_t free_dim = SHAPE_RANK_MAX;

    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dim[i] >= 0)
            continue;
        if (free_dim != SHAPE_RANK_MAX)
            return fail(f, ERR_INPUT,
                        "input \"%.*s\" has more than one free dim: a raw request cannot fill it",
                        STR_ARG(name));
        free_dim = i;
        shape->dim[i] = 1;
    }
    if (shape_bytes(shape, spec->dtype, INT64_MAX, &unit, NULL) != OK)
        return fail(f, ERR_INPUT, "input \"%.*s\" is too large for a raw request", STR_ARG(name));
    if (free_dim == SHAPE_RANK_MAX && len != unit)
        return fail(f, ERR_INPUT, "input \"%.*s\" takes %" PRIu64 " bytes, the body has %" PRIu64,
                    STR_ARG(name), unit, len);
    if (free_dim == SHAPE_RANK_MAX)
        return OK;
    if (unit == 0 || len % unit != 0)
        return fail(f, ERR_INPUT,
                    "input \"%.*s\" takes a multiple of %" PRIu64 " bytes, the body has %" PRIu64,
                    STR_ARG(name), unit == 0 ? width : unit, len);
    shape->dim[free_dim] = (int64_t)(len / unit);
    return OK;
}

err oip_raw_index(str body, struct infer_request *r, struct fault *f)
{
    const int which = only_required(r->signature);

    if (which < 0)
        return fail(f, ERR_INPUT, "a raw request wants a model with exactly one required input");
    const struct spec *spec = &r->signature->inputs[which];
    const str name = str_cut(spec->name, 0, 80);
    const bool batch = r->signature->max_batch_size > 0 && spec->shape.rank > 0;
    struct infer_input in = {.source = INFER_BINARY, .shape = spec->shape, .at = body};

    if (batch)
        in.shape.dim[0] = 1;
    if (spec->dtype == DTYPE_BYTES) {
        const uint32_t rank = spec->shape.rank;
        if (rank != 1u + batch || in.shape.dim[rank - 1] != 1)
            return fail(f, ERR_INPUT,
                        "input \"%.*s\": a raw request wants the shape [1] for datatype BYTES",
                        STR_ARG(name));
        if (body.len > UINT32_MAX)
            return fail(f, ERR_INPUT, "an element has at most %" PRIu32 " bytes", UINT32_MAX);
        in.source = INFER_ELEMENT;
        in.bytes = 4 + (uint64_t)body.len;
    } else {
        const err e = solve(spec, name, body.len, &in.shape, f);
        if (e != OK)
            return e;
        in.bytes = body.len;
    }
    const err e = shape_count(&in.shape, INT64_MAX, &in.count, f);
    if (e == OK)
        r->inputs[which] = in;
    return e;
}
