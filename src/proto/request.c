/* Names of methods, and the fields of a head by name. */
#include "proto/request.h"

enum method method_of(str name)
{
    static const str names[METHOD_COUNT] = {
#define X(name) [METHOD_##name] = STR_LIT(#name),
        METHODS(X)
#undef X
    };
    for (int m = METHOD_OTHER + 1; m < METHOD_COUNT; m++) {
        if (str_eq(name, names[m]))
            return (enum method)m;
    }
    return METHOD_OTHER;
}

str method_name(enum method m)
{
    switch (m) {
#define X(name)                                                                                    \
    case METHOD_##name:                                                                            \
        return STR(#name);
        METHODS(X)
#undef X
    case METHOD_OTHER:
    case METHOD_COUNT:
        break;
    }
    return STR("_OTHER");
}

bool request_has_body(const struct request_head *h)
{
    return h->chunked || (h->has_length && h->content_length > 0);
}

bool request_field(const struct request_head *h, str name, str *ret_value)
{
    for (uint32_t i = 0; i < h->field_count; i++) {
        if (str_eq_nocase(h->fields[i].name, name)) {
            *ret_value = h->fields[i].value;
            return true;
        }
    }
    return false;
}

uint32_t request_field_count(const struct request_head *h, str name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < h->field_count; i++)
        count += str_eq_nocase(h->fields[i].name, name);
    return count;
}
