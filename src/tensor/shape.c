/* Products of dims by division before multiplication; a zero anywhere makes the whole count zero,
 * so it is looked for first: [2^62, 8, 0] is an empty tensor, not an overflow. */
#include "tensor/shape.h"

#include <inttypes.h>

err shape_count(const struct shape *s, uint64_t count_max, uint64_t *ret_count, struct fault *f)
{
    if (s->rank > SHAPE_RANK_MAX)
        return fail(f, ERR_INPUT, "rank is %" PRIu32 ", want at most %u", s->rank, SHAPE_RANK_MAX);
    uint64_t count = 1;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0)
            return fail(f, ERR_INPUT, "shape[%" PRIu32 "] is %" PRId64 ", want >= 0", i, s->dim[i]);
        if (s->dim[i] == 0)
            count = 0;
    }
    for (uint32_t i = 0; i < s->rank && count > 0; i++) {
        const uint64_t dim = (uint64_t)s->dim[i];
        if (dim > count_max / count)
            return fail(f, ERR_TOO_BIG, "shape has more than %" PRIu64 " elements", count_max);
        count *= dim;
    }
    if (count > count_max)
        return fail(f, ERR_TOO_BIG, "shape has more than %" PRIu64 " elements", count_max);
    *ret_count = count;
    return OK;
}

err shape_bytes(const struct shape *s, enum dtype dtype, uint64_t bytes_max, uint64_t *ret_bytes,
                struct fault *f)
{
    const unsigned width = dtype_bytes(dtype);
    if (width == 0)
        return fail(f, ERR_INPUT, "%.*s has no fixed size", STR_ARG(dtype_name(dtype)));
    uint64_t count;
    const err e = shape_count(s, bytes_max / width, &count, f);
    if (e != OK)
        return e;
    *ret_bytes = count * width;
    return OK;
}

err shape_fits(const struct shape *seen, const struct shape *wanted, str name, struct fault *f)
{
    const str shown = str_cut(name, 0, 80);
    if (seen->rank != wanted->rank)
        return fail(f, ERR_INPUT, "input \"%.*s\" has rank %" PRIu32 ", want %" PRIu32,
                    STR_ARG(shown), seen->rank, wanted->rank);
    for (uint32_t i = 0; i < seen->rank; i++) {
        if (seen->dim[i] < 0)
            return fail(f, ERR_INPUT,
                        "input \"%.*s\": shape[%" PRIu32 "] is %" PRId64 ", want >= 0",
                        STR_ARG(shown), i, seen->dim[i]);
        if (wanted->dim[i] >= 0 && seen->dim[i] != wanted->dim[i])
            return fail(f, ERR_INPUT,
                        "input \"%.*s\": shape[%" PRIu32 "] is %" PRId64 ", want %" PRId64,
                        STR_ARG(shown), i, seen->dim[i], wanted->dim[i]);
    }
    return OK;
}

bool shape_eq(const struct shape *a, const struct shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i])
            return false;
    }
    return true;
}
