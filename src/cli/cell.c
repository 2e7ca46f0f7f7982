/* Texts to values by the readers of the server, so that both sides round alike. */
#include "cli/cell.h"

#include <float.h>
#include <math.h>

#include "base/utf8.h"
#include "proto/element.h"
#include "proto/json_put.h"
#include "proto/num_read.h"
#include "proto/num_whole.h"

static bool is_float(enum dtype d)
{
    return d == DTYPE_FP16 || d == DTYPE_BF16 || d == DTYPE_FP32 || d == DTYPE_FP64;
}

/* nan, inf and infinity, in any case and with a sign: 0, or 'n', '+', '-'. */
static char nonfinite(str s)
{
    char sign = '+';
    if (s.len && (s.at[0] == '-' || s.at[0] == '+')) {
        sign = s.at[0];
        s = str_cut(s, 1, s.len);
    }
    if (str_eq_nocase(s, STR("nan")))
        return 'n';
    return str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity")) ? sign : '\0';
}

/* 1, 0, or -1 for no bool. */
static int bool_of(str s)
{
    if (str_eq_nocase(s, STR("true")) || str_eq(s, STR("1")))
        return 1;
    return str_eq_nocase(s, STR("false")) || str_eq(s, STR("0")) ? 0 : -1;
}

static bool number_of(str s, struct num *ret)
{
    return s.len && num_read_scan(s.at, s.at + s.len, ret) == s.at + s.len;
}

static bool integer_bytes(enum dtype d, const struct num *n, uint64_t *ret)
{
    const unsigned bits = 8 * dtype_bytes(d);
    int64_t value = 0;
    switch (d) {
    case DTYPE_UINT8:
    case DTYPE_UINT16:
    case DTYPE_UINT32:
    case DTYPE_UINT64:
        return num_whole_unsigned(n, UINT64_MAX >> (64 - bits), ret) == NUM_OK;
    default:
        if (num_whole_signed(n, -(INT64_MAX >> (64 - bits)) - 1, INT64_MAX >> (64 - bits),
                             &value) != NUM_OK)
            return false;
        *ret = (uint64_t)value;
        return true;
    }
}

static bool float_bytes(enum dtype d, const struct num *n, uint64_t *ret)
{
    uint16_t half = 0;
    float single = 0;
    double twice = 0;
    uint32_t word = 0;
    switch (d) {
    case DTYPE_FP16:
    case DTYPE_BF16:
        if ((d == DTYPE_FP16 ? num_read_f16(n, &half) : num_read_bf16(n, &half)) != NUM_OK)
            return false;
        *ret = half;
        return true;
    case DTYPE_FP32:
        if (num_read_f32(n, &single) != NUM_OK)
            return false;
        memcpy(&word, &single, sizeof(word));
        *ret = word;
        return true;
    default:
        if (num_read_f64(n, &twice) != NUM_OK)
            return false;
        memcpy(ret, &twice, sizeof(*ret));
        return true;
    }
}

static uint64_t nonfinite_bytes(enum dtype d, char which)
{
    static const uint64_t infinite[DTYPE_COUNT] = {
        [DTYPE_FP16] = 0x7c00,
        [DTYPE_BF16] = 0x7f80,
        [DTYPE_FP32] = 0x7f800000,
        [DTYPE_FP64] = 0x7ff0000000000000,
    };
    static const uint64_t quiet[DTYPE_COUNT] = {
        [DTYPE_FP16] = 0x0200,
        [DTYPE_BF16] = 0x0040,
        [DTYPE_FP32] = 0x00400000,
        [DTYPE_FP64] = 0x0008000000000000,
    };
    const uint64_t sign = 1ull << (8 * dtype_bytes(d) - 1);
    return infinite[d] | (which == 'n' ? quiet[d] : 0) | (which == '-' ? sign : 0);
}

/* The value's bits, for all datatypes but BYTES. */
static bool bits_of(enum dtype d, str text, uint64_t *ret)
{
    struct num n;
    if (d == DTYPE_BOOL) {
        const int value = bool_of(text);
        *ret = value == 1;
        return value >= 0;
    }
    const char which = is_float(d) ? nonfinite(text) : '\0';
    if (which) {
        *ret = nonfinite_bytes(d, which);
        return true;
    }
    if (!number_of(text, &n))
        return false;
    return is_float(d) ? float_bytes(d, &n, ret) : integer_bytes(d, &n, ret);
}

bool cell_fits(enum dtype dtype, str text)
{
    uint64_t bits;
    return dtype == DTYPE_BYTES ? utf8_valid(text) : bits_of(dtype, str_trim(text), &bits);
}

bool cell_json(enum dtype dtype, str text, struct chain *out)
{
    if (!cell_fits(dtype, text))
        return false;
    if (dtype == DTYPE_BYTES) {
        json_put_text(out, text);
        return true;
    }
    text = str_trim(text);
    const char which = is_float(dtype) ? nonfinite(text) : '\0';
    if (dtype == DTYPE_BOOL)
        chain_put(out, bool_of(text) ? STR("true") : STR("false"));
    else if (which)
        chain_put(out, which == 'n'   ? STR("NaN")
                       : which == '-' ? STR("-Infinity")
                                      : STR("Infinity"));
    else
        chain_put(out, text);
    return true;
}

bool cell_binary(enum dtype dtype, str text, struct chain *out)
{
    uint8_t bytes[8];
    uint64_t bits = text.len;
    unsigned count = 4;
    if (dtype != DTYPE_BYTES) {
        count = dtype_bytes(dtype);
        if (!bits_of(dtype, str_trim(text), &bits))
            return false;
    } else if (!utf8_valid(text) || text.len > UINT32_MAX) {
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    chain_put(out, (str){(const char *)bytes, count});
    if (dtype == DTYPE_BYTES)
        chain_put(out, text);
    return true;
}

bool cell_take(enum dtype dtype, str *bytes, char *out, str *ret)
{
    const uint8_t *at = (const uint8_t *)bytes->at;
    if (dtype == DTYPE_BYTES) {
        if (bytes->len < 4)
            return false;
        const uint32_t len =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        if (bytes->len - 4 < len)
            return false;
        *ret = str_cut(*bytes, 4, 4 + (size_t)len);
        *bytes = str_cut(*bytes, 4 + (size_t)len, bytes->len);
        return true;
    }
    const unsigned size = dtype_bytes(dtype);
    bool finite;
    if (size == 0 || bytes->len < size)
        return false;
    *ret = (str){out, element_text(out, dtype, at, &finite)};
    *bytes = str_cut(*bytes, size, bytes->len);
    return true;
}
