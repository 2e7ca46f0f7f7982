/* Reading decimal numbers. The one complication is rounding: the product of the digits with a
 * truncated power of five is known to lie in a small interval; only where the interval holds a
 * halfway point, or where digits were left out, whole numbers of any size decide. One routine
 * serves all four float formats, so that none of them is ever rounded twice. */
#include "proto/num_read.h"

#include <string.h>

#include "base/must.h"
#include "proto/num_big.h"
#include "proto/num_pow.h"

#define DIGITS_MAX     19  /* always fit 64 bits */
#define DIGITS_SHORT   5   /* a whole number of so many is read digit by digit */
#define DIGITS_EXACT   800 /* a halfway point of FP64 has at most 767 significant digits */
#define FULL_CHUNK     UINT64_C(10000000000000000000)
#define EXPONENT_BOUND INT64_C(1000000000000)

__extension__ typedef unsigned __int128 u128;

/* ---- taking apart ---- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Eight bytes at p, of which the first n (returned) are digits: *ret_value is what they are worth.
 * No branch depends on n, which varies from number to number. */
static inline unsigned leading_digits(const char *p, uint64_t *ret_value)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    word ^= 0x3030303030303030u; /* a digit's byte is now 0..9 */
    const uint64_t other = ((word + 0x7676767676767676u) | word) & 0x8080808080808080u;
    const unsigned n = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
    word = word << 4 * (8 - n) << 4 * (8 - n); /* zeros in front, what follows the digits is out */
    word = word * 10 + (word >> 8);            /* each even byte: a pair */
    const uint64_t first = (word & 0x000000FF000000FFu) * (100 + (UINT64_C(1000000) << 32));
    const uint64_t second = (word >> 16 & 0x000000FF000000FFu) * (1 + (UINT64_C(10000) << 32));
    *ret_value = (first + second) >> 32;
    return n;
}

/* Steps over digits and appends them to *value, which wraps when there are too many. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *value)
{
    static const uint32_t POW10[9] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    uint64_t v = *value, more;

    while (end - p >= 8) {
        const unsigned n = leading_digits(p, &more);
        if (n < 8) {
            *value = v * POW10[n] + more;
            return p + n;
        }
        v = v * 100000000 + more;
        p += 8;
    }
    for (; p < end && is_digit(*p); p++)
        v = v * 10 + (uint64_t)(*p - '0');
    *value = v;
    return p;
}

/* The part after 'e'; NULL where no digit follows. */
static const char *take_exponent(const char *p, const char *end, int64_t *ret)
{
    bool negative = false;
    int64_t v = 0;

    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    const char *from = p;
    for (; p < end && is_digit(*p); p++)
        v = v < EXPONENT_BOUND ? v * 10 + (*p - '0') : v;
    *ret = negative ? -v : v;
    return p > from ? p : NULL;
}

/* More than 19 digits were written: keeps the first 19 that count. exp10 is that of the last digit
 * written, and rises by one for each digit left out. */
static void keep_leading(struct num *n, const char *p, const char *end)
{
    int kept = 0;

    n->digits = 0;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.')
            continue;
        if (kept < DIGITS_MAX) {
            n->digits = n->digits * 10 + (uint64_t)(*p - '0');
            kept += n->digits != 0;
        } else {
            n->cut = n->cut || *p != '0';
            n->exp10++;
        }
    }
}

static inline __attribute__((always_inline)) const char *scan(const char *at, const char *end,
                                                              struct num *ret)
{
    const char *p = at;
    uint64_t digits = 0;
    int64_t exp10 = 0;
    const bool negative = p < end && *p == '-';

    p += negative;
    const char *whole = p;
    if (end - p >= 2 && is_digit(*p) && p[1] == '.') /* the most common form of a float */
        digits = (uint64_t)(*p++ - '0');
    else
        p = take_digits(p, end, &digits);
    int64_t count = p - whole;
    if (count == 0 || (count > 1 && *whole == '0'))
        return NULL;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = take_digits(p, end, &digits);
        if (p == fraction)
            return NULL;
        exp10 = fraction - p;
        count -= exp10;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t written;
        p = take_exponent(p + 1, end, &written);
        if (!p)
            return NULL;
        exp10 += written;
    }
    *ret = (struct num){{at, (size_t)(p - at)}, digits, exp10, negative, false};
    if (count > DIGITS_MAX)
        keep_leading(ret, whole, end);
    return p;
}

/* All kinds of numbers, out of the way of the short ones. */
static __attribute__((noinline)) const char *scan_any(const char *at, const char *end,
                                                      struct num *ret)
{
    return scan(at, end, ret);
}

const char *num_read_scan(const char *at, const char *end, struct num *ret)
{
    const char *p = at, *few = end - at > DIGITS_SHORT ? at + DIGITS_SHORT : end;
    uint64_t digits = 0;

    for (; p < few && is_digit(*p); p++)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (p == at || (*at == '0' && p - at > 1) ||
        (p < end && (is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E')))
        return scan_any(at, end, ret);
    *ret = (struct num){{at, (size_t)(p - at)}, digits, 0, false, false};
    return p;
}

/* ---- rounding ---- */

/* A binary format: value = mantissa x 2^e, e >= ulp_min. */
struct format {
    int bits;     /* of the mantissa, with the hidden one */
    int ulp_min;  /* exponent of the smallest subnormal */
    uint64_t inf; /* biased exponent of infinity */
};
static const struct format FORMAT_F64 = {53, -1074, 2047};
static const struct format FORMAT_F32 = {24, -149, 255};
static const struct format FORMAT_F16 = {11, -24, 31};
static const struct format FORMAT_BF16 = {8, -133, 255};

enum close { DOWN, UP, UNSETTLED };

/* The value lies at or above floor x 2^e and rounds down to it or up to floor + 1. */
struct rounding {
    uint64_t floor;
    int e;
    enum close close;
};

/* Where rest (of `width` bits, followed by lo and then lo2, known up to less than `error` units of
 * lo2's last bit, error 0: exact) lies against the half. */
static inline enum close judge(uint64_t rest, uint64_t half, uint64_t lo, uint64_t lo2,
                               uint64_t error)
{
    if (rest > half || (rest == half && (lo | lo2) != 0))
        return UP;
    if (rest == half)
        return UNSETTLED; /* a tie if exact, else a tie or above */
    if (error != 0 && rest == half - 1 && lo == UINT64_MAX && lo2 + error < error)
        return UNSETTLED;
    return DOWN;
}

/* Rounds w x 10^q, w > 0, q within the table. The normalised w times the upper half of 5^q is off
 * by less than w in the lower half of the product; the lower half of 5^q takes this down by 2^64
 * where the first answer is not clear. */
static inline __attribute__((always_inline)) struct rounding
round_product(uint64_t w, int q, const struct format *format)
{
    const int lead = __builtin_clzll(w);
    const struct num_pow five = num_pow_five[q - NUM_POW_MIN];
    const u128 product = (u128)(w << lead) * five.hi;
    uint64_t hi = (uint64_t)(product >> 64), lo = (uint64_t)product, lo2 = 0;
    int e = 1 - lead + num_pow_log2(q); /* of the last bit of hi */
    int shift = 63 + (int)(hi >> 63) - format->bits;

    if (e + shift < format->ulp_min)
        shift = format->ulp_min - e;
    if (shift > 64) /* below half of the smallest subnormal */
        return (struct rounding){0, format->ulp_min, DOWN};
    const uint64_t half = (uint64_t)1 << (shift - 1);
    const uint64_t mask = half | (half - 1);
    const bool exact = q >= 0 && q <= NUM_POW_EXACT_64;
    const bool near_half = (hi & mask) == half - 1 || (hi & mask) == half;
    uint64_t error = 0;
    if (!exact && near_half) {
        const u128 more = (u128)(w << lead) * five.lo + ((u128)lo << 64);
        hi += (u128)lo << 64 > more; /* the sum wrapped */
        lo = (uint64_t)(more >> 64);
        lo2 = (uint64_t)more;
        error = q >= 0 && q <= NUM_POW_EXACT_128 ? 0 : w << lead;
    }
    const uint64_t floor = shift == 64 ? 0 : hi >> shift;
    enum close close = judge(hi & mask, half, lo, lo2, error);
    if (close == UNSETTLED && error == 0)
        close = floor & 1 ? UP : DOWN; /* a tie, to even */
    return (struct rounding){floor, e + shift, close};
}

/* The bits of a float without its sign; false: it would be infinite. */
static inline bool pack(const struct rounding *r, const struct format *format, uint64_t *ret)
{
    uint64_t mantissa = r->floor + (r->close == UP);
    int e = r->e;

    if (mantissa >> format->bits) {
        mantissa >>= 1;
        e++;
    }
    if (mantissa >> (format->bits - 1) == 0) { /* zero or subnormal */
        *ret = mantissa;
        return true;
    }
    const int64_t biased = (int64_t)e - format->ulp_min + 1;
    if (biased >= (int64_t)format->inf)
        return false;
    *ret =
        ((uint64_t)biased << (format->bits - 1)) + (mantissa - ((uint64_t)1 << (format->bits - 1)));
    return true;
}

/* ---- the close calls ---- */

/* All digits as one whole number, times 10^*ret_exp10. Past 800 digits only "a little more" counts.
 */
static void all_digits(const struct num *n, struct num_big *ret, int64_t *ret_exp10)
{
    const char *end = n->text.at + n->text.len;
    int64_t kept = 0;
    bool more = false;

    num_big_set(ret, n->digits);
    *ret_exp10 = n->exp10;
    if (!n->cut)
        return;
    num_big_set(ret, 0);
    uint64_t chunk = 0, power = 1; /* up to 19 digits are gathered before ret is touched */
    for (const char *p = n->text.at + n->negative; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.')
            continue;
        if (kept == DIGITS_EXACT) {
            more = more || *p != '0';
            continue;
        }
        chunk = chunk * 10 + (uint64_t)(*p - '0');
        power *= 10;
        kept += kept > 0 || chunk != 0;
        if (power == FULL_CHUNK) {
            num_big_mul_add(ret, power, chunk);
            chunk = 0;
            power = 1;
        }
    }
    num_big_mul_add(ret, power, chunk);
    if (more) {
        num_big_mul_add(ret, 10, 1);
        kept++;
    }
    *ret_exp10 += DIGITS_MAX - kept;
}

/* Settles r by comparing the number with (floor + 1/2) x 2^e, both as whole numbers.
 * Sizes: 801 digits are 2,661 bits, 5^1130 is 2,624; what is compared is nearly equal. */
static __attribute__((noinline)) void settle(const struct num *n, struct rounding *r)
{
    struct num_big value, middle;
    int64_t exp10;

    all_digits(n, &value, &exp10);
    num_big_set(&middle, 2 * r->floor + 1);
    int64_t shift = r->e - 1; /* of middle; negative: of value */
    if (exp10 >= 0)
        num_big_mul_pow5(&value, (uint32_t)exp10);
    else
        num_big_mul_pow5(&middle, (uint32_t)-exp10);
    shift -= exp10;
    if (shift >= 0)
        num_big_shift(&middle, (uint32_t)shift);
    else
        num_big_shift(&value, (uint32_t)-shift);
    const int order = num_big_compare(&value, &middle);
    r->close = order > 0 || (order == 0 && r->floor & 1) ? UP : DOWN;
}

/* The bits of a number that is subnormal, close to a halfway point, cut, or out of range. */
static inline __attribute__((always_inline)) enum num_state
read_hard(const struct num *n, const struct format *format, uint64_t *ret)
{
    if (n->exp10 < NUM_POW_MIN) {
        *ret = 0; /* below 10^19 x 10^-343: under half of any subnormal */
        return NUM_OK;
    }
    if (n->exp10 > 308)
        return NUM_RANGE;
    struct rounding r = round_product(n->digits, (int)n->exp10, format);
    if (n->cut && r.close != UNSETTLED) { /* between digits and digits + 1 */
        const struct rounding above = round_product(n->digits + 1, (int)n->exp10, format);
        uint64_t bits = 0, bits_above = 1;
        const bool fits = pack(&r, format, &bits);
        const bool fits_above = pack(&above, format, &bits_above);
        if (above.close == UNSETTLED || fits != fits_above || (fits && bits != bits_above))
            r.close = UNSETTLED;
    }
    if (r.close == UNSETTLED)
        settle(n, &r);
    return pack(&r, format, ret) ? NUM_OK : NUM_RANGE;
}

/* The common case in a straight line: a normal number of at most 19 digits whose rounding the upper
 * half of the power alone decides. A mantissa that rounds up to the next power of two carries into
 * the exponent by itself. False: read_hard must look. */
static inline __attribute__((always_inline)) bool
read_easy(const struct num *n, const struct format *format, uint64_t *ret)
{
    if (n->digits == 0) {
        *ret = 0;
        return true;
    }
    if (n->cut || n->exp10 < NUM_POW_MIN || n->exp10 > 308)
        return false;
    const int q = (int)n->exp10;
    const int lead = __builtin_clzll(n->digits);
    const u128 product = (u128)(n->digits << lead) * num_pow_five[q - NUM_POW_MIN].hi;
    const uint64_t hi = (uint64_t)(product >> 64);
    const int shift = 63 + (int)(hi >> 63) - format->bits;
    const int64_t biased = 2 - lead + num_pow_log2(q) + shift - format->ulp_min;
    const uint64_t half = (uint64_t)1 << (shift - 1);
    const uint64_t rest = hi & (half | (half - 1));
    if (biased < 1 || biased >= (int64_t)format->inf || rest - (half - 1) <= 1)
        return false;
    const uint64_t hidden = (uint64_t)1 << (format->bits - 1);
    const uint64_t bits =
        ((uint64_t)biased << (format->bits - 1)) + (hi >> shift) - hidden + (rest > half);
    *ret = bits;
    return bits < format->inf << (format->bits - 1);
}

static __attribute__((noinline)) enum num_state read_hard_64(const struct num *n, uint64_t *ret)
{
    return read_hard(n, &FORMAT_F64, ret);
}

static __attribute__((noinline)) enum num_state read_hard_32(const struct num *n, uint64_t *ret)
{
    return read_hard(n, &FORMAT_F32, ret);
}

enum num_state num_read_f64(const struct num *n, double *ret)
{
    uint64_t bits;

    if (!read_easy(n, &FORMAT_F64, &bits) && read_hard_64(n, &bits) != NUM_OK)
        return NUM_RANGE;
    bits |= (uint64_t)n->negative << 63;
    memcpy(ret, &bits, sizeof(*ret));
    return NUM_OK;
}

enum num_state num_read_f32(const struct num *n, float *ret)
{
    uint64_t bits;

    if (!read_easy(n, &FORMAT_F32, &bits) && read_hard_32(n, &bits) != NUM_OK)
        return NUM_RANGE;
    const uint32_t narrow = (uint32_t)bits | (uint32_t)n->negative << 31;
    memcpy(ret, &narrow, sizeof(*ret));
    return NUM_OK;
}

static enum num_state read_16(const struct num *n, const struct format *format, uint16_t *ret)
{
    uint64_t bits;

    if (!read_easy(n, format, &bits) && read_hard(n, format, &bits) != NUM_OK)
        return NUM_RANGE;
    *ret = (uint16_t)(bits | (uint64_t)n->negative << 15);
    return NUM_OK;
}

enum num_state num_read_f16(const struct num *n, uint16_t *ret)
{
    return read_16(n, &FORMAT_F16, ret);
}

enum num_state num_read_bf16(const struct num *n, uint16_t *ret)
{
    return read_16(n, &FORMAT_BF16, ret);
}

/* ---- many at once ---- */

/* The body of both runs; `bytes` of each number are kept. */
static inline __attribute__((always_inline)) uint64_t
read_run(struct num_run *run, const struct format *format, unsigned bytes, uint8_t *to)
{
    const char *p = run->at, *end = run->end;
    uint64_t done = 0;

    for (; done < run->count; done++) {
        struct num n;
        uint64_t bits;
        const char *stop = scan(p, end, &n);
        if (!stop || stop == end || *stop != ',' || stop - p > (int64_t)run->length_max ||
            !read_easy(&n, format, &bits))
            break;
        bits |= (uint64_t)n.negative << (8 * bytes - 1);
        memcpy(to + done * bytes, &bits, bytes);
        for (p = stop + 1; p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t');)
            p++;
    }
    run->at = p;
    return done;
}

uint64_t num_read_run_f64(struct num_run *run, uint8_t *to)
{
    return read_run(run, &FORMAT_F64, 8, to);
}

uint64_t num_read_run_f32(struct num_run *run, uint8_t *to)
{
    return read_run(run, &FORMAT_F32, 4, to);
}
