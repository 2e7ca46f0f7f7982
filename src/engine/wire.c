/* Fields of protobuf messages. */
#include "engine/wire.h"

bool wire_varint(str *rest, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < rest->len; i++) {
        const uint8_t b = (uint8_t)rest->at[i];
        if (i == 9 && b > 1)
            return false;
        value |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b & 0x80)
            continue;
        *rest = str_cut(*rest, i + 1, rest->len);
        *ret = value;
        return true;
    }
    return false;
}

static bool fixed(str *rest, unsigned bytes, uint64_t *ret)
{
    uint64_t value = 0;
    if (rest->len < bytes)
        return false;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)rest->at[i] << (8 * i);
    *rest = str_cut(*rest, bytes, rest->len);
    *ret = value;
    return true;
}

static err cut_short(struct fault *f)
{
    return fail(f, ERR_INPUT, "an ONNX field is cut short; want a whole ONNX file");
}

err wire_next(str *rest, struct wire_field *ret, struct fault *f)
{
    str left = *rest;
    uint64_t tag;
    if (!wire_varint(&left, &tag))
        return cut_short(f);
    struct wire_field field = {.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    if (tag >> 3 == 0 || tag > UINT32_MAX)
        return fail(f, ERR_INPUT, "an ONNX field has no number; want an ONNX file");
    bool whole = false;
    switch (tag & 7) {
    case WIRE_VARINT:
        whole = wire_varint(&left, &field.value);
        break;
    case WIRE_64:
        whole = fixed(&left, 8, &field.value);
        break;
    case WIRE_32:
        whole = fixed(&left, 4, &field.value);
        break;
    case WIRE_BYTES:
        whole = wire_varint(&left, &field.value) && field.value <= left.len;
        if (whole) {
            field.bytes = str_cut(left, 0, field.value);
            left = str_cut(left, field.value, left.len);
        }
        break;
    default:
        return fail(f, ERR_INPUT, "an ONNX field has wire type %u; want an ONNX file",
                    (unsigned)(tag & 7));
    }
    if (!whole)
        return cut_short(f);
    *rest = left;
    *ret = field;
    return OK;
}
