/* fuzz: base message.c frame.c utf8.c */
/* Every decoder of the table of messages: the first byte picks the message, the rest is its
 * payload. What is accepted is walked, encoded again and must give the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/message.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[MESSAGE_PAYLOAD_MAX];

#define ROW(name)                                                                                  \
    static void walk_##name(struct message_list l)                                                 \
    {                                                                                              \
        struct message_##name row;                                                                 \
        uint32_t left = l.count;                                                                   \
        while (message_next_##name(&l, &row))                                                      \
            left--;                                                                                \
        must(left == 0);                                                                           \
    }
#include "base/message_rows.def"

#define MESSAGE(name, number, from, to, fds)                                                       \
    static void try_##name(str in)                                                                 \
    {                                                                                              \
        struct message_##name m;                                                                   \
        struct message_buffer b = {.at = again, .cap = sizeof again};                              \
        if (message_get_##name(in, &m, NULL) != OK)                                                \
            return;                                                                                \
        must(message_put_##name(&m, &b, NULL) == OK);                                              \
        must(str_eq(in, (str){(const char *)again, b.len}));
#define LIST(field, row, max) walk_##row(m.field);
#define MESSAGE_END(name)     }
#include "base/message.def"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_frame frame;
    if (size >= MESSAGE_FRAME_BYTES && message_frame_get(data, &frame, NULL) == OK) {
        uint8_t out[MESSAGE_FRAME_BYTES];
        message_frame_put(&frame, out);
        must(memcmp(out, data, sizeof out) == 0);
        for (unsigned from = 0; from < ROLE_COUNT; from++)
            for (unsigned to = 0; to < ROLE_COUNT; to++)
                (void)!message_allowed(&frame, (enum role)from, (enum role)to, NULL);
    }
    if (size == 0 || size > MESSAGE_PAYLOAD_MAX)
        return 0;
    const str in = {(const char *)data + 1, size - 1};
    switch (data[0]) {
#define MESSAGE(name, number, from, to, fds)                                                       \
    case (number)&0xff:                                                                            \
        try_##name(in);                                                                            \
        break;
#include "base/message.def"
    default:
        break;
    }
    return 0;
}
