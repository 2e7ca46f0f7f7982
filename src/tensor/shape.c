/* Products of dims, checked. A zero anywhere makes the whole count zero, also where the others
 * would overflow: [2^62, 8, 0] is an empty tensor. */
#include "tensor/shape.h"

#include <inttypes.h>

err shape_count(const struct shape *s, uint64_t count_max, uint64_t *ret_count, struct fault *f)
{
    if (s->rank > SHAPE_RANK_MAX)
        return fail(f, ERR_INPUT, "rank is %" PRIu32 ", want at most %u", s->rank, SHAPE_RANK_MAX);
    uint64_t count = 1;
    bool empty = false, over = false;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0)
            return fail(f, ERR_INPUT, "shape[%" PRIu32 "] is %" PRId64 ", want >= 0", i, s->dim[i]);
        empty = empty || s->dim[i] == 0;
        over |= __builtin_mul_overflow(count, (uint64_t)s->dim[i], &count);
    }
    if (empty)
        count = 0;
    else if (over || count > count_max)
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
    const err e = shape_count(s, bytes_max >> __builtin_ctz(width), &count, f); /* 1, 2, 4 or 8 */
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
