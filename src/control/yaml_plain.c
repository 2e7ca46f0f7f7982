/* What YAML 1.1 reads a plain text as, by the patterns of its type repository (yaml.org/type), a
 * little wider, since parsers differ. */
#include "control/yaml_plain.h"

static bool all_digits(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
    }
    return s.len > 0;
}

static str number_part(str *rest, const char *allowed)
{
    size_t n = 0;
    while (n < rest->len && strchr(allowed, rest->at[n]) && rest->at[n])
        n++;
    const str part = str_cut(*rest, 0, n);
    *rest = str_cut(*rest, n, rest->len);
    return part;
}

/* [+-] digits and "_", with a fraction, an exponent or (time) groups of sixty. */
static const char *reads_as_number(str s)
{
    if (s.len && (s.at[0] == '-' || s.at[0] == '+'))
        s = str_cut(s, 1, s.len);
    if (s.len == 4 && s.at[0] == '.' && (strncasecmp(s.at, ".inf", 4) == 0))
        return "a number";
    if (s.len > 2 && s.at[0] == '0' && strchr("xbo", s.at[1])) {
        str rest = str_cut(s, 2, s.len);
        (void)number_part(&rest, "0123456789abcdefABCDEF_");
        return rest.len ? NULL : "a number";
    }
    const str whole = number_part(&s, "0123456789_");
    const bool whole_digit = whole.len && whole.at[0] != '_';
    if (whole_digit && s.len > 1 && s.at[0] == ':') {
        (void)number_part(&s, "0123456789:._");
        return s.len ? NULL : "a time of day";
    }
    bool digit = whole_digit;
    if (s.len && s.at[0] == '.') {
        s = str_cut(s, 1, s.len);
        digit |= number_part(&s, "0123456789_").len > 0;
    } else if (!whole_digit) {
        return NULL;
    }
    if (digit && s.len > 1 && (s.at[0] == 'e' || s.at[0] == 'E')) {
        s = str_cut(s, 1, s.len);
        if (s.at[0] == '-' || s.at[0] == '+')
            s = str_cut(s, 1, s.len);
        if (!all_digits(s))
            return NULL;
        s.len = 0;
    }
    return digit && s.len == 0 ? "a number" : NULL;
}

const char *yaml_plain_reads_as(str s)
{
    static const char *const bools[] = {"y", "n", "yes", "no", "on", "off", "true", "false"};

    if (s.len == 0 || str_eq(s, STR("~")) || str_eq_nocase(s, STR("null")))
        return "null";
    for (size_t i = 0; i < sizeof(bools) / sizeof(bools[0]); i++) {
        if (str_eq_nocase(s, str_of(bools[i])))
            return "a bool";
    }
    if (str_eq(s, STR("<<")) || str_eq(s, STR("=")))
        return "a merge key";
    if (str_eq_nocase(s, STR(".nan")))
        return "a number";
    /* a date, by its beginning: 2026-09-12 */
    if (s.len >= 8 && all_digits(str_cut(s, 0, 4)) && s.at[4] == '-') {
        str rest = str_cut(s, 5, s.len);
        const str month = number_part(&rest, "0123456789");
        const bool dash = rest.len && rest.at[0] == '-';
        rest = str_cut(rest, 1, rest.len);
        const str day = number_part(&rest, "0123456789");
        if (month.len && dash && day.len && (rest.len == 0 || strchr("Tt \t", rest.at[0])))
            return "a date";
    }
    return reads_as_number(s);
}
