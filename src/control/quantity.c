/* Digits and units, nothing else: no sign, blank, exponent, leading zero or compound. */
#include "control/quantity.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/num.h"

#define RATIO_DECIMALS 6u

struct unit {
    const char *name;
    uint64_t scale;
};

static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
};

static const struct unit duration_units[] = {
    {"us", NS_PER_US},    {"ms", NS_PER_MS},      {"s", NS_PER_S},
    {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S},
};

/* Digits and one of the units. */
static bool united_read(str s, const struct unit *units, size_t count, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < s.len && s.at[digits] >= '0' && s.at[digits] <= '9')
        digits++;
    uint64_t number;
    if (num_u64(str_cut(s, 0, digits), UINT64_MAX, &number, NULL) != OK)
        return false;
    const str name = str_cut(s, digits, s.len);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        if (str_eq(name, str_of(units[i].name)) &&
            !__builtin_mul_overflow(number, units[i].scale, &value)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool quantity_size(str s, uint64_t *ret_bytes)
{
    return united_read(s, size_units, sizeof(size_units) / sizeof(size_units[0]), ret_bytes);
}

bool quantity_duration(str s, uint64_t *ret_ns)
{
    return united_read(s, duration_units, sizeof(duration_units) / sizeof(duration_units[0]),
                       ret_ns);
}

static bool rate_read(str s, struct quantity *ret)
{
    const size_t slash = str_find(s, '/');
    const str period = str_cut(s, slash + 1, s.len);
    struct quantity q;
    if (slash == s.len || num_u64(str_cut(s, 0, slash), UINT32_MAX, &q.value, NULL) != OK)
        return false;
    char one[2] = {'1', period.len == 1 ? period.at[0] : ' '};
    if (period.len == 1 ? !quantity_duration((str){one, 2}, &q.period_ns)
                        : !quantity_duration(period, &q.period_ns))
        return false;
    if (q.period_ns == 0)
        return false;
    *ret = q;
    return true;
}

/* "5%" or "0.05", in 1e-8. */
static bool ratio_parts(str s, uint64_t *ret)
{
    uint64_t one = QUANTITY_RATIO_ONE;
    if (s.len && s.at[s.len - 1] == '%') {
        one = QUANTITY_RATIO_ONE / 100;
        s.len--;
    }
    const size_t dot = str_find(s, '.');
    const str decimals = str_cut(s, dot + 1, s.len);
    uint64_t whole;
    if (num_u64(str_cut(s, 0, dot), 1000, &whole, NULL) != OK)
        return false;
    if (dot < s.len && (decimals.len == 0 || decimals.len > RATIO_DECIMALS))
        return false;
    uint64_t sum = whole * one;
    for (size_t i = 0; i < decimals.len; i++) {
        if (decimals.at[i] < '0' || decimals.at[i] > '9')
            return false;
        one /= 10;
        sum += one * (uint64_t)(decimals.at[i] - '0');
    }
    *ret = sum;
    return true;
}

bool quantity_read(enum config_type type, str s, struct quantity *ret)
{
    struct quantity q = {0};
    bool good = false;
    switch (type) {
    case CONFIG_BOOL:
        good = str_eq(s, STR("true")) || str_eq(s, STR("false"));
        q.value = str_eq(s, STR("true"));
        break;
    case CONFIG_INT:
        good = num_u64(s, UINT64_MAX, &q.value, NULL) == OK;
        break;
    case CONFIG_SIZE:
        good = quantity_size(s, &q.value);
        break;
    case CONFIG_BYTE_RATE:
        good = s.len > 2 && str_eq(str_cut(s, s.len - 2, s.len), STR("/s")) &&
               quantity_size(str_cut(s, 0, s.len - 2), &q.value);
        break;
    case CONFIG_DURATION:
        good = quantity_duration(s, &q.value);
        break;
    case CONFIG_RATE:
        good = rate_read(s, &q);
        break;
    case CONFIG_RATIO:
        good = ratio_parts(s, &q.value);
        break;
    default:
        never("only quantities are read here");
    }
    if (good)
        *ret = q;
    return good;
}

/* Rates compare as fractions, by crosswise products: equal fractions round alike. */
bool quantity_less(const struct quantity *a, const struct quantity *b)
{
    if (a->period_ns == 0)
        return a->value < b->value;
    const uint64_t a_us = a->period_ns / NS_PER_US;
    const uint64_t b_us = b->period_ns / NS_PER_US;
    return (double)a->value * (double)b_us < (double)b->value * (double)a_us;
}
