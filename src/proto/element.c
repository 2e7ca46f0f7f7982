/* The switch over datatypes that writing and sorting share; see element.h. */
#include "proto/element.h"

#include <math.h>
#include <string.h>

#include "proto/half.h"

static bool is_signed(enum dtype d)
{
    return d == DTYPE_INT8 || d == DTYPE_INT16 || d == DTYPE_INT32 || d == DTYPE_INT64;
}

/* The integer at `at`, widened with its sign. */
static uint64_t whole_at(enum dtype dtype, const uint8_t *at)
{
    const unsigned bytes = dtype_bytes(dtype);
    uint64_t v = 0;

    memcpy(&v, at, bytes);
    if (is_signed(dtype) && bytes < 8 && v >> (8 * bytes - 1))
        v |= UINT64_MAX << 8 * bytes;
    return v;
}

static float f32_at(enum dtype dtype, const uint8_t *at)
{
    uint16_t half;
    float v;

    if (dtype == DTYPE_FP32) {
        memcpy(&v, at, sizeof(v));
        return v;
    }
    memcpy(&half, at, sizeof(half));
    return dtype == DTYPE_FP16 ? half_of_f16(half) : half_of_bf16(half);
}

static unsigned word(char *out, str s)
{
    memcpy(out, s.at, s.len);
    return (unsigned)s.len;
}

static unsigned nonfinite(char *out, bool is_nan, bool negative)
{
    if (is_nan)
        return word(out, STR("NaN"));
    return word(out, negative ? STR("-Infinity") : STR("Infinity"));
}

unsigned element_text(char *out, enum dtype dtype, const uint8_t *at, bool *ret_finite)
{
    double f64;
    float f32;

    *ret_finite = true;
    switch (dtype) {
    case DTYPE_FP32:
    case DTYPE_FP16:
    case DTYPE_BF16:
        f32 = f32_at(dtype, at);
        if (isfinite(f32))
            return num_write_f32(out, f32);
        *ret_finite = false;
        return nonfinite(out, isnan(f32), f32 < 0);
    case DTYPE_FP64:
        memcpy(&f64, at, sizeof(f64));
        if (isfinite(f64))
            return num_write_f64(out, f64);
        *ret_finite = false;
        return nonfinite(out, isnan(f64), f64 < 0);
    case DTYPE_BOOL:
        return word(out, *at ? STR("true") : STR("false"));
    default:
        if (is_signed(dtype))
            return num_write_i64(out, (int64_t)whole_at(dtype, at));
        return num_write_u64(out, whole_at(dtype, at));
    }
}

uint64_t element_key(enum dtype dtype, const uint8_t *at)
{
    const uint64_t top = (uint64_t)1 << 63;
    uint64_t bits;
    double v;

    switch (dtype) {
    case DTYPE_FP64:
        memcpy(&v, at, sizeof(v));
        break;
    case DTYPE_FP32:
    case DTYPE_FP16:
    case DTYPE_BF16:
        v = (double)f32_at(dtype, at);
        break;
    default:
        bits = whole_at(dtype, at);
        return is_signed(dtype) ? bits ^ top : bits;
    }
    if (isnan(v))
        return 0;
    v += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &v, sizeof(bits));
    return bits & top ? ~bits : bits | top;
}
