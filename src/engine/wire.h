/* Protobuf as it lies in bytes: one field after another, cut off the front of a slice.
 * thread  pure; any
 * source  protobuf encoding guide, "Message structure" */
#ifndef GARRISON_ENGINE_WIRE_H
#define GARRISON_ENGINE_WIRE_H

#include <stdint.h>

#include "base/fault.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value; /* of VARINT, 64 and 32 */
    str bytes;      /* of BYTES; borrowed */
};

/* Cuts the next field off *rest, which must not be empty.
 * errors  ERR_INPUT: cut short, number 0, an overlong varint, or a group */
MUST_USE err wire_next(str *rest, struct wire_field *ret, struct fault *f);

/* Cuts a varint off *rest; false: there is no whole one. */
bool wire_varint(str *rest, uint64_t *ret);

#endif
