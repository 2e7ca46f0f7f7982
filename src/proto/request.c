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

/* Not strncasecmp: of two bytes that tokens may have and that differ in bit 5 alone, one a letter,
 * both are it. */
bool field_is(const struct field *f, str name)
{
    const uint64_t letter = ~0x2020202020202020u;
    size_t i = 0;
    if (f->name.len != name.len)
        return false;
    while (name.len - i >= 8) {
        uint64_t a, b;
        memcpy(&a, f->name.at + i, sizeof(a));
        memcpy(&b, name.at + i, sizeof(b));
        if ((a ^ b) & letter)
            return false;
        i += 8;
        if (i < name.len && name.len - i < 8)
            i = name.len - 8; /* the last eight, some of them twice */
    }
    while (i < name.len && !((f->name.at[i] ^ name.at[i]) & ~0x20))
        i++;
    return i == name.len;
}

bool request_field(const struct request_head *h, str name, str *ret_value)
{
    if (h->no_name_of >> (name.len & 63) & 1u)
        return false;
    for (uint32_t i = 0; i < h->field_count; i++) {
        if (h->fields[i].name.len == name.len && field_is(&h->fields[i], name)) {
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
        count += field_is(&h->fields[i], name);
    return count;
}
