/* The one check that every tensor passes, from a client or from a worker. */
#include "tensor/view.h"

#include <inttypes.h>

bool view_record(str *rest, str *ret_record)
{
    if (rest->len < 4)
        return false;
    const uint8_t *b = (const uint8_t *)rest->at;
    const uint32_t len =
        (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    if (len > rest->len - 4)
        return false;
    *ret_record = (str){rest->at + 4, len};
    *rest = (str){rest->at + 4 + len, rest->len - 4 - len};
    return true;
}

static err check_records(const struct view *v, uint64_t count, str name, struct fault *f)
{
    str rest = {(const char *)v->at, v->len};
    str record;
    uint64_t seen = 0;
    while (rest.len > 0) {
        if (!view_record(&rest, &record))
            return fail(f, ERR_INPUT,
                        "\"%.*s\": element %" PRIu64 " reaches past the end of the binary data",
                        STR_ARG(name), seen);
        seen++;
    }
    if (seen != count)
        return fail(f, ERR_INPUT,
                    "\"%.*s\" has %" PRIu64 " elements, want %" PRIu64 " by its shape",
                    STR_ARG(name), seen, count);
    return OK;
}

err view_check(const struct view *v, str name, struct fault *f)
{
    const str shown = str_cut(name, 0, 80);
    if (v->dtype == DTYPE_BYTES) {
        uint64_t count;
        const err e = shape_count(&v->shape, UINT64_MAX, &count, f);
        return e != OK ? e : check_records(v, count, shown, f);
    }
    uint64_t bytes;
    const err e = shape_bytes(&v->shape, v->dtype, UINT64_MAX, &bytes, f);
    if (e != OK)
        return e;
    if (bytes != v->len)
        return fail(f, ERR_INPUT, "\"%.*s\" has %" PRIu64 " bytes, want %" PRIu64 " by its shape",
                    STR_ARG(shown), v->len, bytes);
    if (v->dtype == DTYPE_BOOL) {
        for (uint64_t i = 0; i < v->len; i++) {
            if (v->at[i] > 1)
                return fail(f, ERR_INPUT, "\"%.*s\": BOOL byte %" PRIu64 " is %u, want 0 or 1",
                            STR_ARG(shown), i, v->at[i]);
        }
    }
    return OK;
}
