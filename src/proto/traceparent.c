/* Fixed places: version 0..2, trace id 3..35, span id 36..52, flags 53..55, a '-' between them. */
#include "proto/traceparent.h"

#include "base/num.h"

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Reads count bytes of lower-case hex; *ret_any says whether one of them is not zero. */
static bool read_hex(const char *at, unsigned count, uint8_t *out, bool *ret_any)
{
    unsigned any = 0;
    for (unsigned i = 0; i < count; i++) {
        const int high = hex_of(at[2 * i]);
        const int low = hex_of(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
        any |= out[i];
    }
    *ret_any = any != 0;
    return true;
}

bool traceparent_read(str value, struct traceparent *ret)
{
    struct traceparent t = {.sampled = false};
    uint8_t version = 0;
    uint8_t flags = 0;
    bool any = false;
    const char *at = value.at;
    if (value.len < TRACEPARENT_BYTES || at[2] != '-' || at[35] != '-' || at[52] != '-')
        return false;
    if (!read_hex(at, 1, &version, &any) || version == 0xFF)
        return false;
    if (value.len > TRACEPARENT_BYTES && (version == 0 || at[TRACEPARENT_BYTES] != '-'))
        return false;
    if (!read_hex(at + 3, sizeof(t.trace_id), t.trace_id, &any) || !any)
        return false;
    if (!read_hex(at + 36, sizeof(t.span_id), t.span_id, &any) || !any)
        return false;
    if (!read_hex(at + 53, 1, &flags, &any))
        return false;
    t.sampled = flags & 1u;
    *ret = t;
    return true;
}

void traceparent_write(const struct traceparent *t, char out[TRACEPARENT_BYTES])
{
    memcpy(out, "00-", 3);
    num_put_hex(out + 3, t->trace_id, sizeof(t->trace_id));
    out[35] = '-';
    num_put_hex(out + 36, t->span_id, sizeof(t->span_id));
    memcpy(out + 52, t->sampled ? "-01" : "-00", 3);
}
