/* Accept of a scrape: which of the two formats (RFC 9110 section 12.5.1). */
#include "watch/expose.h"

/* The value of a parameter, without quotes; false: it has none of this name. */
static bool param(str params, str name, str *ret_value)
{
    while (params.len > 0) {
        const size_t end = str_find(params, ';');
        const str one = str_trim(str_cut(params, 0, end));
        params = str_cut(params, end + 1, params.len);
        const size_t equals = str_find(one, '=');
        if (equals == one.len || !str_eq_nocase(str_cut(one, 0, equals), name))
            continue;
        *ret_value = str_cut(one, equals + 1, one.len);
        if (ret_value->len >= 2 && ret_value->at[0] == '"')
            *ret_value = str_cut(*ret_value, 1, ret_value->len - 1);
        return true;
    }
    return false;
}

/* The q value in thousandths; 1000 where there is none. */
static uint32_t quality(str params)
{
    str value;
    if (!param(params, STR("q"), &value) || value.len == 0)
        return 1000;
    if (value.at[0] == '1')
        return 1000;
    uint32_t q = 0, scale = 100;
    for (size_t i = 2; i < value.len && i < 5; i++, scale /= 10) {
        if (value.at[i] >= '0' && value.at[i] <= '9')
            q += (uint32_t)(value.at[i] - '0') * scale;
    }
    return q;
}

static bool open_version(str params)
{
    str value;
    return !param(params, STR("version"), &value) || str_eq(value, STR("1.0.0")) ||
           str_eq(value, STR("0.0.1"));
}

enum expose_format expose_format_of(str accept)
{
    uint32_t open = 0, text = 0;
    while (accept.len > 0) {
        const size_t end = str_find(accept, ',');
        const str range = str_cut(accept, 0, end);
        accept = str_cut(accept, end + 1, accept.len);
        const size_t semi = str_find(range, ';');
        const str type = str_trim(str_cut(range, 0, semi));
        const str params = str_cut(range, semi + 1, range.len);
        const uint32_t q = quality(params);
        if (str_eq_nocase(type, STR("application/openmetrics-text")) && open_version(params))
            open = q > open ? q : open;
        else if (str_eq_nocase(type, STR("text/plain")) || str_eq(type, STR("text/*")) ||
                 str_eq(type, STR("*/*")))
            text = q > text ? q : text;
    }
    return open > 0 && open >= text ? EXPOSE_OPENMETRICS : EXPOSE_TEXT;
}

str expose_type(enum expose_format format)
{
    return format == EXPOSE_OPENMETRICS
               ? STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
               : STR("text/plain; version=0.0.4; charset=utf-8");
}
