/* Accept of a scrape: which of the two formats (RFC 9110 section 12.5.1). */
#include "watch/expose.h"

/* A q value in thousandths; 1000 where there is none or it cannot be read. */
static uint32_t quality(str params)
{
    while (params.len > 0) {
        const size_t end = str_find(params, ';');
        const str one = str_trim(str_cut(params, 0, end));
        params = str_cut(params, end + 1, params.len);
        if (!str_starts(one, STR("q=")) || one.len < 3)
            continue;
        uint32_t q = one.at[2] == '1' ? 1000 : 0;
        uint32_t scale = 100;
        for (size_t i = 4; i < one.len && i < 7 && q < 1000; i++, scale /= 10) {
            if (one.at[i] >= '0' && one.at[i] <= '9')
                q += (uint32_t)(one.at[i] - '0') * scale;
        }
        return q;
    }
    return 1000;
}

static bool open_version(str params)
{
    while (params.len > 0) {
        const size_t end = str_find(params, ';');
        const str one = str_trim(str_cut(params, 0, end));
        params = str_cut(params, end + 1, params.len);
        if (str_starts(one, STR("version=")))
            return str_eq(one, STR("version=1.0.0")) || str_eq(one, STR("version=0.0.1"));
    }
    return true;
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
